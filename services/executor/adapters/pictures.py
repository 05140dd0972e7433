"""Pictures of a WebUI step on their way into the media store, and the index that ends them.

Owns their names, their form (RGB PNG without the texts that the server hides in them) and the
order: every picture first, the index last. It fetches nothing.
"""

from __future__ import annotations

import asyncio

from contracts import keys
from contracts.base import StoredFile, canonical_bytes
from contracts.plan import PictureIndex
from engines.webui import Picture, rgb_png
from runtime.media_store import MediaStore


class WrongPictures(RuntimeError):
    """Not the pictures that the step must leave; the sentence is for operators."""


class Shelf:
    """The pictures of one attempt, put down in their order.

    `expected` of them, each of `size_px` (width, height).
    """

    def __init__(
        self, media: MediaStore, folder: str, *, expected: int, size_px: tuple[int, int]
    ) -> None:
        self._media = media
        self._folder = folder
        self._expected = expected
        self._size_px = size_px
        self._kept: list[StoredFile] = []

    @property
    def count(self) -> int:
        """How many lie there."""
        return len(self._kept)

    async def put(self, picture: Picture) -> None:
        """Stores the next picture. Raises WrongPictures for another size or one too many."""
        number, size_px = len(self._kept), (picture.width_px, picture.height_px)
        if number >= self._expected:
            raise WrongPictures(f"more than {self._expected} pictures came")
        if size_px != self._size_px:
            width_px, height_px = self._size_px
            told = f"picture {number} is {size_px[0]}x{size_px[1]}, not {width_px}x{height_px}"
            raise WrongPictures(told)
        data = await asyncio.to_thread(rgb_png, picture.data)
        self._kept.append(await self._media.put_bytes(keys.picture(self._folder, number), data))

    async def close(self) -> StoredFile:
        """Writes the index, which says that all are there. Raises WrongPictures when not."""
        if len(self._kept) != self._expected:
            raise WrongPictures(f"{len(self._kept)} pictures of {self._expected} came")
        width_px, height_px = self._size_px
        index = PictureIndex(pictures=tuple(self._kept), width_px=width_px, height_px=height_px)
        return await self._media.put_bytes(keys.picture_index(self._folder), canonical_bytes(index))
