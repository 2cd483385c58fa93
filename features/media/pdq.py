"""PDQ: a perceptual hash of 256 bits, which edits of a picture change little.

Source: Meta, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019), and its reference
implementation (threatexchange, pdq/cpp/hashing/pdqhashing.cpp), whose results tests/vectors/pdq has. Steps: a box blur
(twice in each direction), every so many pixels of it (64 x 64), a discrete cosine transform, of which the 16 x 16
lowest frequencies without the constants are compared with their median.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

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
    grid = _blurred_rows(_blurred_rows(luma).T).T
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


def _blurred_rows(image: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the rows of the grid. The blurs of rows and of columns do not touch each other, so that each needs only
    what the grid takes: a fiftieth of the work."""
    rows, weights = _blur(len(image))
    blurred: NDArray[np.float64] = np.einsum("gk,gkn->gn", weights, image[rows])
    return blurred


@lru_cache(maxsize=8)
def _blur(side: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Returns which of `side` rows make each row of the grid, and how much of each."""
    means = np.eye(side)
    for _ in range(_REPETITIONS):
        means = _box_blur(means)
    sampled = means[((np.arange(_GRID) + 0.5) * side / _GRID).astype(int)]
    used = sampled > 1e-9  # what is less is an error of rounding
    count = int(used.sum(axis=1).max())
    first = np.minimum(used.argmax(axis=1), side - count)
    rows = first[:, np.newaxis] + np.arange(count)
    return rows, np.take_along_axis(sampled, rows, axis=1)


def _box_blur(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean of each row's neighbours: as many as there are, near the edges."""
    side = len(rows)
    window = -(-side // _WINDOWS)
    ahead = (window + 2) // 2
    sums = np.insert(np.cumsum(rows, axis=0), 0, 0.0, axis=0)
    ends = np.clip(np.arange(side) + ahead, 0, side)
    starts = np.clip(np.arange(side) + ahead - window, 0, side)
    blurred: NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)[:, np.newaxis]
    return blurred


def _quality(grid: NDArray[np.float64]) -> int:
    """Returns how much there is to see: the sum of differences between neighbours, scaled."""
    total = sum(np.abs(np.trunc(np.diff(grid, axis=axis) * 100 / 255)).sum() for axis in (0, 1))
    return min(_MAX_QUALITY, int(total / _QUALITY_SCALE))
