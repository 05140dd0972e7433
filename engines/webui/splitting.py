"""A video taken apart into its frames.

Owns the case in which a server hands back a video instead of pictures. Frames come out as
PNG in their order; how many they must be is for the caller to check.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

from .pictures import MOST_SIDE_PX

CONTAINER = "mov"


def frames_of(video: bytes, *, most: int) -> Iterator[bytes]:
    """Each frame of an MP4 as PNG, at most `most`.

    Raises ValueError for what is no readable video. The demuxer is named, so that a file in
    another format (a playlist, say) is not even looked into.
    """
    # Imported here because it takes 20 MB and few servers hand back a video.
    import av
    from av.error import FFmpegError

    try:
        with av.open(io.BytesIO(video), "r", format=CONTAINER) as container:
            if not container.streams.video:
                raise ValueError("no video in the file")
            for at, frame in enumerate(container.decode(video=0)):
                if at >= most:
                    return
                if max(frame.width, frame.height) > MOST_SIDE_PX:
                    raise ValueError("the video is too large")
                out = io.BytesIO()
                Image.fromarray(frame.to_ndarray(format="rgb24")).save(
                    out, format="PNG", compress_level=1
                )
                yield out.getvalue()
    except FFmpegError as error:
        raise ValueError(f"not a readable video: {error}") from error
