"""Takes a received file into the media store and says so on the bus: an asset from then on.

The one way in for both kinds of upload. The file was sniffed before; ingest proves it afterwards.
"""

from __future__ import annotations

import structlog

from contracts import keys
from contracts.events import AssetUploaded
from runtime.stamp import stamp
from runtime.telemetry import job_context
from services.gateway.deps import Deps
from services.gateway.projection import fold_asset
from services.gateway.receiving import RECEIVED_BYTES, Received
from services.gateway.views import AssetView, asset_view

log = structlog.get_logger()


async def admit(deps: Deps, asset_id: str, owner: str, received: Received) -> AssetView:
    """Store the file under its hash and publish asset_uploaded.

    Safe to repeat with the same id: the bus keeps one event of it. Raises BusUnavailable.
    """
    with job_context(asset_id=asset_id):
        key = keys.asset_original(received.sha256, received.sniffed.extension)
        event = AssetUploaded(
            **stamp(None),
            asset_id=asset_id,
            owner=owner,
            kind=received.sniffed.kind,
            mime_type=received.sniffed.mime,
            filename=received.filename,
            file=await deps.media.put_file(key, received.path, sha256=received.sha256),
        )
        await deps.bus.publish(event)
        RECEIVED_BYTES.labels(event.kind).inc(received.size_bytes)
        log.info("asset uploaded", kind=event.kind, size_bytes=event.file.size_bytes)
    row = fold_asset(None, event, 0)
    if row is None:
        raise AssertionError("an upload always makes a row")
    return asset_view(row)
