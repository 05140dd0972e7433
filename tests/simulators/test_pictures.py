"""What the simulator's videos show: the inputs, frame by frame, and the mark."""

import subprocess
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
import pytest

from tests.conformance.graphs import animate, node, saved_video, speech
from tests.conformance.media import Media
from tests.conformance.server import Server
from tests.support.comfyui import start_simulator

FPS = 16
FLASH_FRAME = 12
# Per frame the driving video gets brighter by so much, so that a frame tells its number.
STEP = 5


def _ffmpeg(*arguments: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 frames of 128 x 96 whose grey tells their number."""
    path = tmp_path_factory.mktemp("counting") / "counting.mp4"
    grey = f"color=black:size=128x96:rate={FPS}:duration=2.5,geq=lum=16+{STEP}*N:cb=128:cr=128"
    _ffmpeg("-f", "lavfi", "-i", grey, "-c:v", "libx264", "-qp", "4", str(path))
    return path


@pytest.fixture(scope="session")
def flashing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A black video with one white frame and a beep that starts with it."""
    path = tmp_path_factory.mktemp("flashing") / "flashing.mp4"
    start_s = FLASH_FRAME / FPS
    flash = f"color=black:size=128x96:rate={FPS}:duration=2,"
    flash += f"geq=lum=16+219*eq(N\\,{FLASH_FRAME}):cb=128:cr=128"
    beep = f"aevalsrc=0.8*sin(6283*t)*gte(t\\,{start_s})*lt(t\\,{start_s + 0.1}):d=2:s=48000"
    inputs = ("-f", "lavfi", "-i", flash, "-f", "lavfi", "-i", beep)
    _ffmpeg(*inputs, "-c:v", "libx264", "-c:a", "aac", "-b:a", "192k", str(path))
    return path


def _frames(path: Path) -> list[npt.NDArray[np.uint8]]:
    with av.open(str(path)) as opened:
        return [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for frame in opened.decode(video=0)
        ]


def _numbers(path: Path) -> list[int]:
    """The numbers of the driving frames that a video shows, read off its upper half."""
    with av.open(str(path)) as opened:
        greys = [
            float(frame.to_ndarray(format="gray")[: frame.height // 2].mean())
            for frame in opened.decode(video=0)
        ]
    # "gray" is full range, the drawn luma is limited range.
    return [round((grey * 219 / 255) / STEP) for grey in greys]


async def _saved(server: Server, graph: dict[str, Any], folder: Path, name: str = "save") -> Path:
    entry = await server.succeeded(graph)
    [item] = entry["outputs"][name]["images"]
    return await server.fetched(item, folder)


def _sized(graph: dict[str, Any]) -> dict[str, Any]:
    graph["wan"]["inputs"].update(width=128, height=96)
    return graph


@pytest.mark.parametrize("offset", [0, 7])
async def test_animate_shows_driving_frame_n_in_frame_n(
    server: Server, media: Media, counting: Path, tmp_path: Path, offset: int
) -> None:
    drive, reference = await server.upload(counting), await server.upload(media.picture)
    graph = _sized(animate(drive, reference, "a", length=17, video_frame_offset=offset))
    path = await _saved(server, graph, tmp_path)
    assert _numbers(path) == list(range(offset, offset + 17))


async def test_driving_video_that_ends_early_is_held(
    server: Server, media: Media, counting: Path, tmp_path: Path
) -> None:
    drive, reference = await server.upload(counting), await server.upload(media.picture)
    graph = _sized(animate(drive, reference, "a", length=9, video_frame_offset=36))
    path = await _saved(server, graph, tmp_path)
    assert _numbers(path) == [36, 37, 38, 39, 39, 39, 39, 39, 39]


async def test_chunks_in_one_graph_go_on_without_a_seam(
    server: Server, media: Media, counting: Path, tmp_path: Path
) -> None:
    drive, reference = await server.upload(counting), await server.upload(media.picture)
    graph = _sized(animate(drive, reference, "a", length=17))
    second = _sized(animate(drive, reference, "b", length=17, continue_motion=["decode", 0]))
    renamed = {f"{key}2": value for key, value in second.items()}
    for value in renamed.values():
        for key, link in value["inputs"].items():
            if isinstance(link, list) and key != "continue_motion":
                value["inputs"][key] = [f"{link[0]}2", link[1]]
    renamed["wan2"]["inputs"]["video_frame_offset"] = ["wan", 5]
    graph |= renamed
    graph["both"] = node("ImageBatch", image1=["new", 0], image2=["new2", 0])
    graph["whole"] = node("CreateVideo", images=["both", 0], fps=FPS)
    graph["saved"] = saved_video("whole", "c")
    path = await _saved(server, graph, tmp_path, "saved")
    assert _numbers(path) == list(range(17 + 12))


async def test_chunk_continues_from_a_saved_latent_on_another_simulator(
    server: Server, media: Media, counting: Path, tmp_path: Path
) -> None:
    drive, reference = await server.upload(counting), await server.upload(media.picture)
    first = _sized(animate(drive, reference, "a", length=17))
    first["kept"] = node("SaveLatent", samples=["trim", 0], filename_prefix="kept/a")
    [item] = (await server.succeeded(first))["outputs"]["kept"]["latents"]
    carried = await server.fetched(item, tmp_path)
    with start_simulator(tmp_path / "other") as other:
        async with server.http.__class__(base_url=other.url, timeout=30) as http:
            there = Server("simulator", other.url, http)
            drive, reference = await there.upload(counting), await there.upload(media.picture)
            more: dict[str, Any] = {"continue_motion": ["before", 0], "video_frame_offset": 17}
            graph = _sized(animate(drive, reference, "b", length=17, **more))
            graph["latent"] = node("LoadLatent", latent=await there.upload(carried))
            graph["before"] = node("VAEDecode", samples=["latent", 0], vae=["vae", 0])
            graph["everything"] = node("CreateVideo", images=["decode", 0], fps=FPS)
            graph["all"] = saved_video("everything", "c")
            path = await _saved(there, graph, tmp_path, "all")
    # The five carried frames lead the chunk, then it goes on where the first one ended.
    assert _numbers(path) == list(range(12, 12 + 17))


async def test_flash_and_beep_stay_together(
    server: Server, media: Media, flashing: Path, tmp_path: Path
) -> None:
    drive, reference = await server.upload(flashing), await server.upload(media.picture)
    graph = _sized(animate(drive, reference, "a", length=29))
    path = await _saved(server, graph, tmp_path)
    greys = [float(frame[:48].mean()) for frame in _frames(path)]
    assert int(np.argmax(greys)) == FLASH_FRAME
    with av.open(str(path)) as opened:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=48000)
        parts = [
            (float(f.time or 0), f.to_ndarray()[0])
            for frame in opened.decode(audio=0)
            for f in resampler.resample(frame)
        ]
    loud = next(at + int(np.argmax(np.abs(s) > 0.2)) / 48000 for at, s in parts if s.max() > 0.2)
    assert loud == pytest.approx(FLASH_FRAME / FPS, abs=1 / FPS)


async def test_speech_shows_how_loud_the_sound_is(
    server: Server, media: Media, flashing: Path, tmp_path: Path
) -> None:
    voice, reference = await server.upload(flashing), await server.upload(media.picture)
    graph = speech(voice, reference, "a", chunks=2, length=17)
    graph["wan"]["inputs"].update(width=256, height=192)
    frames = _frames(await _saved(server, graph, tmp_path))
    newest = [frame[150:170, 184:188].astype(int) for frame in frames]
    green = [float((p[..., 1] - p[..., 0]).mean()) for p in newest]
    before = float(np.mean(green[: FLASH_FRAME - 1]))
    rises = [n for n, value in enumerate(green) if value > before + 30]
    assert rises
    assert abs(rises[0] - FLASH_FRAME) <= 1


async def test_every_frame_is_marked_as_simulated(
    server: Server, media: Media, counting: Path, tmp_path: Path
) -> None:
    drive, reference = await server.upload(counting), await server.upload(media.picture)
    graph = _sized(animate(drive, reference, "a", length=9))
    for frame in _frames(await _saved(server, graph, tmp_path)):
        band = frame[-10:].astype(int)
        yellow = band[..., 0] - band[..., 2] > 60
        black = band.max(axis=2) < 70
        assert yellow.mean() > 0.05
        assert black.mean() > 0.2


async def test_plain_pictures_are_marked_too(server: Server, tmp_path: Path) -> None:
    graph = {
        "1": node("EmptyImage", width=128, height=96, batch_size=1, color=0xFFFFFF),
        "save": node("SaveImage", images=["1", 0], filename_prefix="plain"),
    }
    frame = _frames(await _saved(server, graph, tmp_path))[0]
    assert frame[:72].min() == 255
    assert frame[-8:].min() < 30


@pytest.mark.parametrize("change", ["seed", "text", "lora"])
async def test_changed_inputs_change_the_file(
    server: Server, media: Media, counting: Path, tmp_path: Path, change: str
) -> None:
    drive, reference = await server.upload(counting), await server.upload(media.picture)
    graph = _sized(animate(drive, reference, "a", length=5))
    before = (await _saved(server, graph, tmp_path)).read_bytes()
    if change == "seed":
        graph["sampler"]["inputs"]["seed"] += 1
    elif change == "text":
        graph["text"]["inputs"]["text"] = "a swimmer"
    else:
        name = "WanAnimate_relight_lora_fp16.safetensors"
        graph["lora"] = node("LoraLoaderModelOnly", model=["unet", 0], lora_name=name)
        graph["lora"]["inputs"]["strength_model"] = 1.0
        graph["sampler"]["inputs"]["model"] = ["lora", 0]
    path = await _saved(server, graph, tmp_path)
    assert path.name == "a_00002_.mp4"
    upper, lower = _corner(before, tmp_path), _corner(path.read_bytes(), tmp_path)
    assert np.abs(upper.astype(int) - lower.astype(int)).max() > 20


def _corner(data: bytes, folder: Path) -> npt.NDArray[np.uint8]:
    path = folder / "corner.mp4"
    path.write_bytes(data)
    return _frames(path)[0][72:88, :24]


async def test_same_graph_gives_the_same_bytes_on_two_simulators(
    server: Server, media: Media, counting: Path, tmp_path: Path
) -> None:
    name = "drive.mp4"
    graph = None
    made = []
    with start_simulator(tmp_path / "other") as other:
        async with server.http.__class__(base_url=other.url, timeout=30) as http:
            for there in (server, Server("simulator", other.url, http)):
                await there.upload(counting, name)
                await there.upload(media.picture, "ref.png")
                graph = graph or _sized(animate(name, "ref.png", "a", length=9))
                made.append((await _saved(there, graph, tmp_path)).read_bytes())
    assert made[0] == made[1]
