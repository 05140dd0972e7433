"""Characters with their versions, and style presets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.gateway.adapters.db.tables import Json, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "app_characters",
        sa.Column("character_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("character_id", name=op.f("pk_app_characters")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_app_characters_owner_name")),
    )
    op.create_table(
        "app_character_versions",
        sa.Column("character_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("character_id", "version", name=op.f("pk_app_character_versions")),
    )
    op.create_table(
        "app_presets",
        sa.Column("preset_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("style", Json, nullable=False),
        sa.Column("updated_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("preset_id", name=op.f("pk_app_presets")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_app_presets_owner_name")),
    )
