"""What a confined child can be asked to do, and how a refusal or a defect is told apart.

Every task gets open files and returns plain data. Must not open files: it cannot.
"""

from __future__ import annotations

import errno
import importlib
import pkgutil
import traceback
from collections.abc import Callable
from typing import Any

import av
import av.error

from runtime.sandbox import copied, delivered, pictures, streams
from runtime.sandbox.refusal import Refused

Task = Callable[[int, list[int], dict[str, Any]], dict[str, Any]]
_OF_ONE_FILE: dict[str, Task] = {
    "image": pictures.examine,
    "picture": pictures.make,
    "streams": streams.examine,
    "delivery": delivered.examine,
}


def preload() -> None:
    """Load every module that decoding may need: a confined child can open none."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if module.name.split(".")[1] not in {"__main__", "datasets"}:
            importlib.import_module(module.name)
    pictures.preload()


def perform(
    task: str, reads: list[int], writes: list[int], parameters: dict[str, Any]
) -> dict[str, Any]:
    """Do the task: `{"facts": …}`, `{"refused": code, "detail": …}`, `{"no_room": …}` or
    `{"defect": traceback}`.

    What the decoders raise is the file's fault; anything else is ours and is told as a defect.
    """
    try:
        if task == "copy":
            return {"facts": copied.examine(reads, writes, parameters)}
        return {"facts": _OF_ONE_FILE[task](reads[0], writes, parameters)}
    except Refused as refusal:
        return {"refused": refusal.code, "detail": refusal.detail}
    except av.error.FFmpegError as error:
        return {"refused": "file_undecodable", "detail": f"{type(error).__name__}: {error}"}
    except MemoryError:
        return {"refused": "file_undecodable", "detail": "decoding needs more memory than allowed"}
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return {"no_room": str(error)}
        return {"defect": traceback.format_exc()[-4000:]}
    except Exception:
        return {"defect": traceback.format_exc()[-4000:]}
