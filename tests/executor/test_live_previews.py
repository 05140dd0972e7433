"""Pictures of unfinished work: the engine's, remade, at most one a second, never in the way."""

from __future__ import annotations

import asyncio
from io import BytesIO

import pytest
from PIL import Image

from contracts.events import PicturedProgress
from contracts.ids import comfy_prompt_id
from engines.comfyui import PreviewImage
from runtime.live_previews import MAX_LIVE_PREVIEW_BYTES, LivePreviews
from runtime.sniff import FileRefused
from services.executor.comfyui.showing import LONGEST_PX, Showing, remade
from tests.executor.scene import Scene, until_some

PROMPT = comfy_prompt_id("01890000-0000-7000-8000-000000000001", 1, 0, 0)


def picture(width: int = 640, height: int = 320, kind: str = "PNG") -> bytes:
    out = BytesIO()
    image = Image.new("RGB", (width, height), (200, 40, 40))
    exif = Image.Exif()
    exif[0x010E] = "a secret description"
    image.save(out, kind, exif=exif)
    return out.getvalue()


class Shown(LivePreviews):
    """Keeps what is shown instead of a bus."""

    def __init__(self) -> None:
        self.pictures: list[bytes] = []

    async def show(self, job_id: str, jpeg: bytes) -> None:
        self.pictures.append(jpeg)


def showing(previews: LivePreviews, told: asyncio.Event, interval_s: float = 0.0) -> Showing:
    async def tell() -> None:
        told.set()

    return Showing("job", previews, interval_s, tell)


def offered(image: bytes, prompt_id: str | None = PROMPT) -> PreviewImage:
    return PreviewImage(content_type="image/jpeg", image=image, prompt_id=prompt_id)


async def test_the_picture_of_a_running_step_is_where_it_can_be_seen(scene: Scene) -> None:
    scene.comfy.kill()
    scene.comfy.previews = True
    scene.comfy.start()
    scene.comfy.speed(0.3)
    gateway = scene.buses["gateway"]
    async with scene.executor(live_preview_interval_s=0.1):
        job_id = await scene.job(sampling=6)
        jpeg = await until_some(lambda: LivePreviews(gateway).latest(job_id), 20)

        async def counted() -> int | None:
            told = await gateway.latest_progress(job_id)
            return told.live_preview if isinstance(told, PicturedProgress) else None

        await until_some(counted, 20)
        await scene.executed(job_id)
    with Image.open(BytesIO(jpeg)) as seen:
        assert (seen.format, seen.size) == ("JPEG", (192, 192))


async def test_a_picture_is_remade_small_and_with_nothing_but_pixels() -> None:
    jpeg = await remade(picture())
    assert len(jpeg) < MAX_LIVE_PREVIEW_BYTES
    assert b"secret" not in jpeg
    with Image.open(BytesIO(jpeg)) as seen:
        assert (seen.format, seen.size) == ("JPEG", (LONGEST_PX, LONGEST_PX // 2))


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\xff\xd8\xff\xe0 no picture at all",
        picture(5000, 1000),
    ],
    ids=["nothing", "script", "damaged", "too-many-pixels"],
)
async def test_a_picture_that_is_none_ends_the_showing_and_nothing_else(hostile: bytes) -> None:
    with pytest.raises(FileRefused):
        await remade(hostile)
    previews, told = Shown(), asyncio.Event()
    one = showing(previews, told)
    one.offer(offered(hostile))
    assert one._making is not None
    await one._making
    one.offer(offered(picture()))
    await one._making
    assert previews.pictures == []
    assert one.shown == 0


async def test_a_picture_of_nobody_knows_whose_work_is_left_out() -> None:
    previews, told = Shown(), asyncio.Event()
    one = showing(previews, told)
    one.offer(offered(picture(), prompt_id=None))
    assert one._making is None
    one.offer(offered(picture()))
    await asyncio.wait_for(told.wait(), 10)
    assert (len(previews.pictures), one.shown) == (1, 1)


async def test_pictures_come_no_oftener_than_they_may_and_none_is_waited_for() -> None:
    previews, told = Shown(), asyncio.Event()
    one = showing(previews, told, interval_s=60.0)
    for _ in range(50):
        one.offer(offered(picture()))
    await asyncio.wait_for(told.wait(), 10)
    one.offer(offered(picture()))
    await one.end()
    assert len(previews.pictures) == 1
