"""Pictures of unfinished work: the latest of each running job, kept in the bus's memory only.

Not part of the record: one that is lost is never missed. Must not look into a picture.
"""

from __future__ import annotations

from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from contracts.subjects import LIVE_PREVIEWS_STREAM, live_preview_subject
from runtime.bus import Bus
from runtime.tails import BusUnavailable

MAX_LIVE_PREVIEW_BYTES = 64 * 1024


class LivePreviews:
    """Shows and finds live previews; they are JPEG files of at most 64 KB."""

    def __init__(self, bus: Bus) -> None:
        """Uses the bus's connection."""
        self._bus = bus

    async def show(self, job_id: str, jpeg: bytes) -> None:
        """Put a picture in the place of the job's last one.

        Raises ValueError above 64 KB, BusUnavailable.
        """
        if len(jpeg) > MAX_LIVE_PREVIEW_BYTES:
            raise ValueError(f"live preview of {len(jpeg)} bytes exceeds {MAX_LIVE_PREVIEW_BYTES}")
        try:
            await self._bus.client.publish(live_preview_subject(job_id), jpeg)
        except NatsError as trouble:
            raise BusUnavailable("could not show a live preview") from trouble

    async def latest(self, job_id: str) -> bytes | None:
        """The job's latest picture, None when there is none (any more). Raises BusUnavailable."""
        try:
            message = await self._bus.jetstream.get_last_msg(
                LIVE_PREVIEWS_STREAM, live_preview_subject(job_id), direct=True
            )
        except NotFoundError:
            return None
        except (TimeoutError, NatsError, APIError) as trouble:
            raise BusUnavailable("could not read a live preview") from trouble
        return message.data or None
