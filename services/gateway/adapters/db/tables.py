"""The tables, as two MetaData: nothing in `app` can be derived, everything in `read_model` can.

No column of the read model holds a time or an id that was made while projecting: a rebuild gives
the same rows. Must not hold a query.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

_NAMES = {
    "pk": "pk_%(table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
}
read_model = sa.MetaData(naming_convention=_NAMES)
app = sa.MetaData(naming_convention=_NAMES)

Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware time, always UTC; SQLite, which knows no zones, gets it naive."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware in, UTC out; naive only where the database cannot hold more."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


jobs = sa.Table(
    "read_jobs",
    read_model,
    sa.Column("job_id", sa.String(36), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("submitted_sequence", sa.BigInteger, nullable=False),
    sa.Column("ready_sequence", sa.BigInteger),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("mode", sa.String(32), nullable=False),
    sa.Column("workflow_template", sa.String(200)),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("negative_prompt", sa.Text, nullable=False),
    sa.Column("settings", Json, nullable=False),
    sa.Column("assets", Json, nullable=False),
    sa.Column("delivery", Json, nullable=False),
    sa.Column("notes", Json, nullable=False),
    sa.Column("comfy_prompt_id", sa.String(36)),
    sa.Column("lane", sa.String(64)),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("steps", sa.Integer, nullable=False),
    sa.Column("running_since", UtcDateTime),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("simulated", sa.Boolean),
    sa.Column("error", Json),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index("ix_read_jobs_submitted", "submitted_sequence"),
    sa.Index("ix_read_jobs_status_submitted", "status", "submitted_sequence"),
    sa.Index("ix_read_jobs_owner_submitted", "owner", "submitted_sequence"),
    sa.Index("ix_read_jobs_owner_status_submitted", "owner", "status", "submitted_sequence"),
    sa.Index("ix_read_jobs_owner_mode_submitted", "owner", "mode", "submitted_sequence"),
    sa.Index("ix_read_jobs_lane_status_ready", "lane", "status", "ready_sequence"),
)

job_events = sa.Table(
    "read_job_events",
    read_model,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("job_id", sa.String(36), nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("event_id", sa.String(36), nullable=False),
    sa.Column("occurred_at", UtcDateTime, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("ignored", sa.Text),
    sa.Index("ix_read_job_events_job", "job_id", "sequence"),
)
"""Every readable event of the stream; `ignored` says why one changed nothing."""

prompts = sa.Table(
    "read_prompts",
    read_model,
    sa.Column("comfy_prompt_id", sa.String(36), primary_key=True),
    sa.Column("job_id", sa.String(36), nullable=False, index=True),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("engine_id", sa.String(64), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)

step_runs = sa.Table(
    "read_step_runs",
    read_model,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("job_id", sa.String(36), nullable=False),
    sa.Column("workflow_template", sa.String(200), nullable=False),
    sa.Column("quality_profile", sa.String(32), nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("frames", sa.Float, nullable=False),
    sa.Column("waited_s", sa.Float, nullable=False),
    sa.Column("ran_s", sa.Float, nullable=False),
    sa.Index("ix_read_step_runs_like", "workflow_template", "quality_profile", "simulated"),
)
"""Every finished step of a workflow: what the next one like it will take is learnt from these."""

outputs = sa.Table(
    "read_outputs",
    read_model,
    sa.Column("job_id", sa.String(36), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("output_id", sa.String(36), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("files", Json, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

assets = sa.Table(
    "read_assets",
    read_model,
    sa.Column("asset_id", sa.String(36), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("uploaded_sequence", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("mime_type", sa.String(100), nullable=False),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("media_key", sa.String(400), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("facts", Json),
    sa.Column("thumbnail_key", sa.String(400)),
    sa.Column("error", Json),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index("ix_read_assets_uploaded", "uploaded_sequence"),
    sa.Index("ix_read_assets_owner_uploaded", "owner", "uploaded_sequence"),
    sa.Index("ix_read_assets_owner_kind_uploaded", "owner", "kind", "uploaded_sequence"),
)

parked = sa.Table(
    "read_parked",
    read_model,
    sa.Column("stream", sa.String(16), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
"""Messages that are no event of ours: recorded, so that one bad message stops nothing."""

checkpoints = sa.Table(
    "read_checkpoints",
    read_model,
    sa.Column("stream", sa.String(16), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)
"""The last sequence of each stream whose rows are committed."""

schema = sa.Table(
    "read_schema",
    read_model,
    sa.Column("fingerprint", sa.String(16), primary_key=True),
)
"""The form of the read model that is in place (services.gateway.adapters.db.migrate)."""

idempotency_keys = sa.Table(
    "app_idempotency_keys",
    app,
    sa.Column("owner", sa.String(200), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("body_sha256", sa.String(64), nullable=False),
    sa.Column("job_id", sa.String(36), nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)
"""One row per submit with a key; `event` is the job_submitted to publish again on a repeat."""

dead_letters = sa.Table(
    "app_dead_letters",
    app,
    sa.Column("advisory_id", sa.String(128), primary_key=True),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("dealt_by", sa.String(200), nullable=False),
    sa.Column("dealt_at", UtcDateTime, nullable=False),
)
"""The dead letters that an operator dealt with, by the server's id of the advisory."""

rebuilds = sa.Table(
    "app_rebuilds",
    app,
    sa.Column("rebuild_id", sa.String(36), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("requested_by", sa.String(200), nullable=False),
    sa.Column("requested_at", UtcDateTime, nullable=False),
    sa.Column("jobs_sequence", sa.BigInteger),
    sa.Column("assets_sequence", sa.BigInteger),
    sa.Column("before_sha256", sa.String(64)),
    sa.Column("after_sha256", sa.String(64)),
    sa.Column("began_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
)
"""Rebuilds of the read model that were asked for: `requested`, `running`, then `done`. The hashes
are of every row at the same two sequences, before the drop and after the rebuild."""

workflow_activations = sa.Table(
    "app_workflow_activations",
    app,
    sa.Column("mode", sa.String(32), primary_key=True),
    sa.Column("submode", sa.String(32), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("workflow_name", sa.String(64), nullable=False),
    sa.Column("workflow_version", sa.String(32), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("previous_name", sa.String(64), nullable=False),
    sa.Column("previous_version", sa.String(32), nullable=False),
    sa.Column("made_by", sa.String(200), nullable=False),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("forced", sa.Boolean, nullable=False),
    sa.Column("missing", Json, nullable=False),
    sa.Column("note", sa.Text),
)
"""Every activation and rollback of a mode and submode ("" for none), counted from 1; the last one
stands. `missing` is what the live check found at the time."""

characters = sa.Table(
    "app_characters",
    app,
    sa.Column("character_id", sa.String(36), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("owner", "name"),
)
"""Named characters; `version` is the newest of app_character_versions."""

character_versions = sa.Table(
    "app_character_versions",
    app,
    sa.Column("character_id", sa.String(36), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("content", Json, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)
"""What a character consists of; a version never changes."""

presets = sa.Table(
    "app_presets",
    app,
    sa.Column("preset_id", sa.String(36), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("shared", sa.Boolean, nullable=False),
    sa.Column("style", Json, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("owner", "name"),
)
"""Named styles; a shared one is offered to everybody and changed by its owner alone."""
api_keys = sa.Table(
    "app_api_keys",
    app,
    sa.Column("key_id", sa.String(32), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
    sa.Column("last_used_at", UtcDateTime),
)
"""API keys by the sha256 of the whole key; the key itself is nowhere."""

sessions = sa.Table(
    "app_sessions",
    app,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("subject", sa.String(80), nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)
"""Signed-in browsers by the sha256 of their cookie; `subject` is the credential they showed."""

share_links = sa.Table(
    "app_share_links",
    app,
    sa.Column("share_id", sa.String(32), primary_key=True),
    sa.Column("job_id", sa.String(36), nullable=False, index=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("revoked_at", UtcDateTime),
)
"""Links that show one job's video to whoever has them."""

secrets = sa.Table(
    "app_secrets",
    app,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)
"""Secrets that the gateways of one system share, made by the first of them."""

audit = sa.Table(
    "app_audit",
    app,
    sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("how", sa.String(16), nullable=False),
    sa.Column("key_id", sa.String(32)),
    sa.Column("action", sa.String(200), nullable=False),
    sa.Column("target", sa.String(400), nullable=False),
    sa.Column("outcome", sa.Integer, nullable=False),
    sa.Index("ix_app_audit_owner_entry", "owner", "entry"),
)
"""Who did what: one row per request that may change something; `outcome` is the HTTP status."""

key_poses = sa.Table(
    "app_key_poses",
    app,
    sa.Column("asset_id", sa.String(36), primary_key=True),
    sa.Column("poses", Json, nullable=False),
    sa.Column("mapped_by", sa.String(200), nullable=False),
    sa.Column("mapped_at", UtcDateTime, nullable=False),
)
"""What operators mapped on pose sheets: hints, each with the frame of the picture that shows it."""
