"""What is asked of the process that decodes an image (image_worker.py), and what it answers.

Nothing here loads a decoder: the processes that only ask need none, which saves each 14 MB and half a second at its
start.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from features.media.model import ImageFailure, MediaType

RESULT = "result.json"
"""The file with the outcome."""
LUMA = "luma"
"""The file with the picture's luma (Rec. 601) as it is hashed (pdq.py): a byte a pixel, HASHED_SIDE on each side; of
one that is transparent on white, then on black, since what is to be seen on one may be invisible on the other."""


class ImageFormat(StrEnum):
    """The formats of the files, by the suffixes of their names."""

    WEBP = "webp"
    JPEG = "jpg"
    AVIF = "avif"

    @property
    def content_type(self) -> str:
        return _CONTENT_TYPES[self]


_CONTENT_TYPES = {ImageFormat.WEBP: "image/webp", ImageFormat.JPEG: "image/jpeg", ImageFormat.AVIF: "image/avif"}
AT_ONCE = (ImageFormat.WEBP, ImageFormat.JPEG)
"""What every image gets."""


@dataclass(frozen=True, slots=True)
class ImageOrder:
    """What is wanted of an image, and what it may be at most."""

    media_type: MediaType
    widths: Sequence[int]
    """Of the files, in pixels (see `size_within`)."""
    formats: Sequence[ImageFormat]
    quality: int
    """Of the encoders, 1 to 100."""
    max_pixels: int
    """Width times height."""
    max_frames: int
    """Of an animation, whose first frame is what is shown."""
    niceness: int = 0
    """Of the process, 0 to 19: how much others come first."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an image cost the process that decoded it."""

    cpu_s: float
    memory_bytes: int


class Refused(Exception):
    """The image cannot be shown."""

    def __init__(self, failure: ImageFailure, cost: Cost | None = None) -> None:
        super().__init__(failure)
        self.failure = failure
        self.cost = cost


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What one image may cost at most."""

    memory_bytes: int
    """Of data; code of libraries comes on top."""
    decoding_s: float
    """CPU seconds until the upload has been read: what an attacker decides."""
    encoding_s: float
    """CPU seconds after that."""
    elapsed_s: float
    """Seconds in all, however slow the machine is."""


def request_of(source: Path, folder: Path, order: ImageOrder, limits: ImageLimits) -> str:
    """Returns the line that asks for the files of an image."""
    return json.dumps({"source": str(source), "folder": str(folder), "order": asdict(order), "limits": asdict(limits)})
