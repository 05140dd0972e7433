"""Which workflow version is active for each mode, by whose decision."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.gateway.adapters.db.tables import Json, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "app_workflow_activations",
        sa.Column("mode", sa.String(length=32), nullable=False),
        sa.Column("submode", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("workflow_name", sa.String(length=64), nullable=False),
        sa.Column("workflow_version", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("previous_name", sa.String(length=64), nullable=False),
        sa.Column("previous_version", sa.String(length=32), nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("made_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("missing", Json, nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint(
            "mode", "submode", "revision", name=op.f("pk_app_workflow_activations")
        ),
    )
