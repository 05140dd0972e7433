"""Proves what steps left beside what is used: every byte of a finished job was read once.

Must not copy or interpret media.
"""

from __future__ import annotations

from collections.abc import Set

from contracts.base import StoredFile
from contracts.plan import ExecutionReport, PictureIndex, RunPlan, WebuiStep
from runtime.media_store import MediaStore
from services.collector.adapters.intake import prove, read_document
from services.collector.faults import invalid
from services.collector.ordering import PICTURES


async def prove_others(
    plan: RunPlan, report: ExecutionReport, copied: Set[str], media: MediaStore
) -> None:
    """Prove every output that is not proved while it is copied, and the pictures of every index.

    Raises ResultFault for one that is absent or altered.
    """
    for result in report.results:
        for output in result.outputs:
            if output.file.key in copied:
                continue
            await prove(media, output.file, result.step)
            if output.name == PICTURES and isinstance(plan.steps[result.step], WebuiStep):
                index = await read_index(plan, output.file, result.step, media)
                for picture in index.pictures:
                    await prove(media, picture, result.step)


async def read_index(plan: RunPlan, file: StoredFile, step: int, media: MediaStore) -> PictureIndex:
    """The pictures that a WebUI step left. Raises ResultFault when their number is wrong."""
    index = await read_document(media, file, PictureIndex)
    planned = plan.steps[step]
    if isinstance(planned, WebuiStep) and len(index.pictures) != planned.expected_pictures:
        raise invalid(
            f"{len(index.pictures)} pictures instead of {planned.expected_pictures}", step
        )
    return index
