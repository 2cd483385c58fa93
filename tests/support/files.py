"""Files of the types that can be uploaded."""

import random
import struct

import pyvips

from tests.support.clips import clip

_IMAGES: dict[str, bytes] = {
    "image/jpeg": pyvips.Image.black(24, 16, bands=3).jpegsave_buffer(),
    "image/png": pyvips.Image.black(24, 16, bands=3).pngsave_buffer(),
}


def file_of(size: int, media_type: str = "image/jpeg", seed: int = 1) -> bytes:
    """Returns a file of a type and size: a small image or a short video, and after it what programs skip."""
    head = _video_of(size) if media_type == "video/mp4" else _IMAGES[media_type]
    return (head + random.Random(seed).randbytes(max(0, size - len(head))))[:size]


def _video_of(size: int) -> bytes:
    """Returns a video that is followed by the head of a box "free" up to a size."""
    video = clip(seconds=0.1, audio=False)
    return video + struct.pack(">I4s", max(8, size - len(video)), b"free")
