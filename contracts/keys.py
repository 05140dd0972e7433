"""Where everything lies in the media store (design, "Media"). Pure string building."""

from __future__ import annotations


def asset_original(sha256: str, extension: str) -> str:
    """The bytes as uploaded."""
    return f"assets/{sha256}/original.{extension}"


def asset_thumbnail(sha256: str) -> str:
    """A small JPEG of the asset (a waveform for sound)."""
    return f"assets/{sha256}/thumbnail.jpg"


def derivative(sha256: str, recipe: str, extension: str) -> str:
    """What a recipe made of an asset: named by content and recipe, so it is made once."""
    return f"derivatives/{sha256}/{recipe}/media.{extension}"


def derivative_facts(sha256: str, recipe: str) -> str:
    """The facts of a derivative; written last, so its presence proves the derivative complete."""
    return f"derivatives/{sha256}/{recipe}/facts.json"


def job_record(job_id: str) -> str:
    """The NormalizedJobRecord."""
    return f"jobs/{job_id}/record.json"


def run_plan(job_id: str) -> str:
    """The RunPlan."""
    return f"jobs/{job_id}/run_plan.json"


def step_graph(job_id: str, step: int) -> str:
    """The bound graph of a step, before its attempt's slots are filled."""
    return f"jobs/{job_id}/steps/{step}/graph.json"


def step_attempt(job_id: str, step: int, attempt: int) -> str:
    """The folder of one attempt of a step."""
    return f"jobs/{job_id}/steps/{step}/attempt-{attempt}"


def picture(folder: str, number: int) -> str:
    """One picture of a WebUI step or of kept frames; numbers begin at 0 and have no gaps."""
    return f"{folder}/picture-{number:06}.png"


def picture_index(folder: str) -> str:
    """The PictureIndex of a folder of pictures; written last, so it proves them complete."""
    return f"{folder}/pictures.json"


def kept_frames(job_id: str) -> str:
    """The folder of the frames that a job was asked to keep."""
    return f"jobs/{job_id}/outputs/frames"


def execution_report(job_id: str, attempt: int) -> str:
    """What the executor leaves for the collector."""
    return f"jobs/{job_id}/execution-{attempt}.json"


def job_output(job_id: str, name: str) -> str:
    """A delivered file, such as video.mp4."""
    return f"jobs/{job_id}/outputs/{name}"


def engine_snapshot(sha256: str) -> str:
    """A capability snapshot as it was when a step ran on the engine."""
    return f"engines/{sha256}.json"
