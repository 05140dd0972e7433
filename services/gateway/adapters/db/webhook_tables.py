"""The tables of webhooks, part of `app`: subscriptions, deliveries, their attempts, and progress.

Must not hold a query.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.gateway.adapters.db.tables import UtcDateTime, app

webhooks = sa.Table(
    "app_webhooks",
    app,
    sa.Column("webhook_id", sa.String(36), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("events", sa.JSON, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.Text),
    sa.Column("failing_since", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("created_sequence", sa.BigInteger, nullable=False),
)
"""`created_sequence`: the end of JOBS when it was made; only what came later is delivered."""

deliveries = sa.Table(
    "app_webhook_deliveries",
    app,
    sa.Column("delivery_id", sa.String(40), primary_key=True),
    sa.Column("webhook_id", sa.String(36), nullable=False),
    sa.Column("job_id", sa.String(36), nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("attempts_left", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", UtcDateTime, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index("ix_app_webhook_deliveries_due", "status", "next_attempt_at"),
    sa.Index("ix_app_webhook_deliveries_webhook", "webhook_id", "sequence"),
)
"""`delivery_id` is the webhook-id that the receiver sees, the same at every attempt."""

attempts = sa.Table(
    "app_webhook_attempts",
    app,
    sa.Column("delivery_id", sa.String(40), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("latency_ms", sa.Integer, nullable=False),
    sa.Column("status_code", sa.Integer),
    sa.Column("response", sa.Text, nullable=False),
    sa.Column("error", sa.Text),
)

progress = sa.Table(
    "app_webhook_progress",
    app,
    sa.Column("stream", sa.String(16), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)
"""The last sequence of JOBS whose deliveries are written down."""
