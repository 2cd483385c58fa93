"""The hashes of a video's key frames, as a job stores them."""

from __future__ import annotations

from pathlib import Path

from features.media.model import HASHED_SIDE
from features.media.pdq import HASH_BYTES, PictureHash, hash_luma

_FRAME_BYTES = HASHED_SIDE**2
_ENTRY_BYTES = HASH_BYTES + 1
"""The hash and its quality."""


def hash_frames(path: Path) -> None:
    """Replaces frames (luma, HASHED_SIDE pixels on each side) by their hashes, in all orientations."""
    hashes = list[PictureHash]()
    with path.open("rb") as frames:
        while len(frame := frames.read(_FRAME_BYTES)) == _FRAME_BYTES:
            hashes += hash_luma(frame)
    path.write_bytes(b"".join(each.value + bytes([each.quality]) for each in hashes))


def read_hashes(data: bytes) -> tuple[PictureHash, ...]:
    """Returns stored hashes."""
    return tuple(
        PictureHash(data[at : at + HASH_BYTES], data[at + HASH_BYTES]) for at in range(0, len(data), _ENTRY_BYTES)
    )
