"""Key poses that operators mapped on pose sheets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.gateway.adapters.db.tables import Json, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "app_key_poses",
        sa.Column("asset_id", sa.String(length=36), nullable=False),
        sa.Column("poses", Json, nullable=False),
        sa.Column("mapped_by", sa.String(length=200), nullable=False),
        sa.Column("mapped_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("asset_id", name=op.f("pk_app_key_poses")),
    )
