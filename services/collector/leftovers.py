"""Drops the frames that a finished render was made of and nobody asked to keep.

Owns which files those are. Must run only when the job has completed: until then collecting again
needs them.
"""

from __future__ import annotations

from contracts.events import ExecutionFinished
from runtime.media_store import MediaStore
from services.collector.adapters.proving import read_index
from services.collector.ordering import pictures_output
from services.collector.work import read_job


async def drop_frames(event: ExecutionFinished, media: MediaStore) -> int:
    """Remove the frames of a completed job's frame stage unless they are kept; how many went.

    Safe to repeat. Stills stay: they are few, and a result of their own. The index of the frames
    stays too, so that their hashes are known. Raises ResultFault when a document of the job is
    gone, OSError when storage is away.
    """
    job = await read_job(event, media)
    order = job.plan.render
    if order is None or order.source != "frames" or order.from_step is None:
        return 0
    if order.config.keep_frames:
        return 0
    file = pictures_output(job.plan, job.report, order.from_step)
    index = await read_index(job.plan, file, order.from_step, media)
    for picture in index.pictures:
        await media.delete(picture.key)
    return len(index.pictures)
