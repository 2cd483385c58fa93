"""PDQ: a perceptual hash of 256 bits, which edits of a picture change little.

Source: Meta, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019), and its reference
implementation (threatexchange, pdq/cpp/hashing/pdqhashing.cpp), whose results tests/vectors/pdq has. Steps: a box blur
(twice in each direction), every so many pixels of it (64 x 64), a discrete cosine transform, of which the 16 x 16
lowest frequencies without the constants are compared with their median.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.media.model import HASHED_SIDE

HASH_BYTES = 32
_GRID = 64
_FREQUENCIES = 16
_WINDOWS = 128
"""The blur's window is this part of the side."""
_REPETITIONS = 2
_QUALITY_SCALE = 90
_MAX_QUALITY = 100
_COSINES = math.sqrt(2 / _GRID) * np.cos(
    np.outer(np.arange(1, _FREQUENCIES + 1), 2 * np.arange(_GRID) + 1) * (math.pi / 2 / _GRID)
)
_MIRROR = np.array([[(-1) ** frequency for frequency in range(1, _FREQUENCIES + 1)]], dtype=np.float64)
"""What a row of frequencies is multiplied by if the picture is mirrored: odd ones change their sign."""


@dataclass(frozen=True, slots=True)
class PictureHash:
    """The hash of a picture. Nearly empty pictures have a low quality (0 to 100): their hashes say little."""

    value: bytes
    """32 bytes, in the order in which lists write them."""
    quality: int


def hash_picture(luma: NDArray[np.uint8]) -> PictureHash:
    """Returns the hash of a picture, given as luma (Rec. 601): an array of rows."""
    return hash_orientations(luma)[0]


def hash_orientations(luma: NDArray[np.uint8]) -> tuple[PictureHash, ...]:
    """Returns the hash of a picture as it is, then those of the seven pictures that come of it by mirroring and by
    quarter turns."""
    blurred = luma.astype(np.float64)
    for _ in range(_REPETITIONS):
        blurred = _box_blur(_box_blur(blurred, axis=1), axis=0)
    rows, columns = (((np.arange(_GRID) + 0.5) * side / _GRID).astype(int) for side in blurred.shape)
    grid = blurred[np.ix_(rows, columns)]
    frequencies, quality = _COSINES @ grid @ _COSINES.T, _quality(grid)
    values = (
        _bits(signed)
        for turned in (frequencies, frequencies.T)
        for signed in (turned, turned * _MIRROR, turned * _MIRROR.T, turned * _MIRROR * _MIRROR.T)
    )
    return tuple(PictureHash(value, quality) for value in values)


def hash_luma(data: bytes) -> tuple[PictureHash, ...]:
    """Returns the hashes of a picture with HASHED_SIDE pixels on each side, given as a byte of luma for each, in all
    orientations."""
    return hash_orientations(np.frombuffer(data, np.uint8).reshape(HASHED_SIDE, HASHED_SIDE))


def _bits(frequencies: NDArray[np.float64]) -> bytes:
    # Of the even number, the lower one of the two in the middle.
    median = np.partition(frequencies, frequencies.size // 2 - 1, axis=None)[frequencies.size // 2 - 1]
    return np.packbits((frequencies > median).ravel()[::-1]).tobytes()  # the first bit is of the highest frequencies


def _box_blur(image: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Returns the mean of each pixel's neighbours along an axis: as many as there are, near the edges."""
    side = image.shape[axis]
    window = -(-side // _WINDOWS)
    ahead = (window + 2) // 2
    sums = np.insert(np.cumsum(image, axis=axis), 0, 0.0, axis=axis)
    ends = np.clip(np.arange(side) + ahead, 0, side)
    starts = np.clip(np.arange(side) + ahead - window, 0, side)
    counts = (ends - starts).reshape((-1, 1) if axis == 0 else (1, -1))
    blurred: NDArray[np.float64] = (sums.take(ends, axis) - sums.take(starts, axis)) / counts
    return blurred


def _quality(grid: NDArray[np.float64]) -> int:
    """Returns how much there is to see: the sum of differences between neighbours, scaled."""
    total = sum(np.abs(np.trunc(np.diff(grid, axis=axis) * 100 / 255)).sum() for axis in (0, 1))
    return min(_MAX_QUALITY, int(total / _QUALITY_SCALE))
