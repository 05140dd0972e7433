"""The one provisioner: streams, consumers and buckets exactly as contracts.subjects lists them.

Idempotent; run before any service starts. Everyone else only uses what is there, because a client
that declares a stream overwrites the live settings (facts on JetStream, trap 3).
"""

from __future__ import annotations

from collections.abc import Iterable

import nats
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    KeyValueConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BucketNotFoundError, NotFoundError

from contracts import subjects
from contracts.subjects import Consumer
from runtime.bus_accounts import ADMIN
from runtime.settings import nats_servers

DEDUP_WINDOW_S = 600.0
LEASE_TTL_S = 6.0
LIVE_PREVIEW_AGE_S = 600.0
LIVE_PREVIEWS_BYTES = 32 << 20
"""Memory of the server for pictures of unfinished work: some 1,000 running jobs; the oldest go."""


def stream_configs(replicas: int) -> list[StreamConfig]:
    """The five streams. JOBS and ASSETS discard nothing: they are the audit trail."""
    durable = {"storage": StorageType.FILE, "retention": RetentionPolicy.LIMITS}
    return [
        StreamConfig(
            name=name,
            subjects=[everything],
            num_replicas=replicas,
            duplicate_window=DEDUP_WINDOW_S,
            allow_direct=True,
            discard=DiscardPolicy.NEW,
            **durable,  # type: ignore[arg-type]
        )
        for name, everything in (
            (subjects.JOBS_STREAM, subjects.ALL_JOBS),
            (subjects.ASSETS_STREAM, subjects.ALL_ASSETS),
        )
    ] + [
        StreamConfig(
            name=subjects.PROGRESS_STREAM,
            subjects=[subjects.ALL_PROGRESS],
            storage=StorageType.MEMORY,
            max_msgs_per_subject=3,
            max_age=6 * 3600,
            num_replicas=replicas,
            allow_direct=True,
        ),
        StreamConfig(
            name=subjects.LIVE_PREVIEWS_STREAM,
            subjects=[subjects.ALL_LIVE_PREVIEWS],
            storage=StorageType.MEMORY,
            max_msgs_per_subject=1,
            max_bytes=LIVE_PREVIEWS_BYTES,
            max_age=LIVE_PREVIEW_AGE_S,
            discard=DiscardPolicy.OLD,
            num_replicas=replicas,
            allow_direct=True,
        ),
        StreamConfig(
            name=subjects.DEADLETTERS_STREAM,
            subjects=list(subjects.ADVISORIES),
            num_replicas=replicas,
            allow_direct=True,
            **durable,  # type: ignore[arg-type]
        ),
    ]


async def provision(
    nats_url: str, lanes: Iterable[str], *, replicas: int = 1, password: str | None = None
) -> None:
    """Create or update everything on the server. Raises nats errors when it cannot be reached.

    `password` is that of the provisioner's account, where the bus has accounts.
    """
    client = await nats.connect(
        nats_servers(nats_url),
        connect_timeout=5,
        max_reconnect_attempts=3,
        user=None if password is None else ADMIN,
        password=password,
    )
    try:
        js = client.jetstream(timeout=10)
        for stream in stream_configs(replicas):
            await _ensure_stream(js, stream)
        for consumer in (*subjects.CONSUMERS, *map(subjects.lane_consumer, lanes)):
            await js.add_consumer(consumer.stream, config=consumer_config(consumer))
        await js.add_consumer(
            subjects.DEADLETTERS_STREAM,
            config=ConsumerConfig(
                durable_name=subjects.DEADLETTER_CONSUMER,
                ack_policy=AckPolicy.EXPLICIT,
                deliver_policy=DeliverPolicy.ALL,
                ack_wait=10,
            ),
        )
        await _ensure_bucket(js, KeyValueConfig(bucket=subjects.ENGINES_BUCKET, replicas=replicas))
        await _ensure_bucket(
            js,
            KeyValueConfig(bucket=subjects.LEASES_BUCKET, ttl=LEASE_TTL_S, replicas=replicas),
        )
    finally:
        await client.close()


def consumer_config(consumer: Consumer) -> ConsumerConfig:
    """The server's configuration of a durable pull consumer."""
    one = consumer.subjects[0] if len(consumer.subjects) == 1 else None
    return ConsumerConfig(
        durable_name=consumer.durable,
        filter_subject=one,
        filter_subjects=None if one else list(consumer.subjects),
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL,
        ack_wait=consumer.ack_wait_s,
        max_deliver=consumer.max_deliver,
        max_ack_pending=consumer.max_ack_pending,
    )


async def _ensure_stream(js: JetStreamContext, config: StreamConfig) -> None:
    try:
        await js.stream_info(str(config.name))
    except NotFoundError:
        await js.add_stream(config)
    else:
        await js.update_stream(config)


async def _ensure_bucket(js: JetStreamContext, config: KeyValueConfig) -> None:
    try:
        await js.key_value(config.bucket)
    except BucketNotFoundError:
        await js.create_key_value(config)
