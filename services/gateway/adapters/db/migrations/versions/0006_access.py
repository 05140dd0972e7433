"""Keys, sessions, share links, secrets and the audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.gateway.adapters.db.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "app_api_keys",
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True)),
        sa.Column("revoked_at", UtcDateTime(timezone=True)),
        sa.Column("last_used_at", UtcDateTime(timezone=True)),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_app_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_app_api_keys_digest")),
    )
    op.create_table(
        "app_sessions",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_app_sessions")),
    )
    op.create_table(
        "app_share_links",
        sa.Column("share_id", sa.String(length=32), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", UtcDateTime(timezone=True)),
        sa.PrimaryKeyConstraint("share_id", name=op.f("pk_app_share_links")),
    )
    op.create_index(op.f("ix_app_share_links_job_id"), "app_share_links", ["job_id"])
    op.create_table(
        "app_secrets",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_app_secrets")),
    )
    op.create_table(
        "app_audit",
        sa.Column(
            "entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True
        ),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("how", sa.String(length=16), nullable=False),
        sa.Column("key_id", sa.String(length=32)),
        sa.Column("action", sa.String(length=200), nullable=False),
        sa.Column("target", sa.String(length=400), nullable=False),
        sa.Column("outcome", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_app_audit")),
    )
    op.create_index(op.f("ix_app_audit_owner_entry"), "app_audit", ["owner", "entry"])
