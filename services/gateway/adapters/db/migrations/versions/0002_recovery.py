"""What operators did: dead letters dealt with, rebuilds of the read model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.gateway.adapters.db.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "app_dead_letters",
        sa.Column("advisory_id", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("dealt_by", sa.String(length=200), nullable=False),
        sa.Column("dealt_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("advisory_id", name=op.f("pk_app_dead_letters")),
    )
    op.create_table(
        "app_rebuilds",
        sa.Column("rebuild_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("requested_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("jobs_sequence", sa.BigInteger(), nullable=True),
        sa.Column("assets_sequence", sa.BigInteger(), nullable=True),
        sa.Column("before_sha256", sa.String(length=64), nullable=True),
        sa.Column("after_sha256", sa.String(length=64), nullable=True),
        sa.Column("began_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("rebuild_id", name=op.f("pk_app_rebuilds")),
    )
