"""The poster: the picture that is shown before a video is played."""

import io
from fractions import Fraction

import blurhash_rs
import PIL.Image

from features.media.model import HASHED_SIDE
from features.media.pdq import PictureHash, hash_luma
from features.videos.model import Source

_AT = Fraction(1, 10)
_LATEST = Fraction(5)
_PREVIEWED = (32, 32)
"""Pixels: a preview shows no more."""
_COMPONENTS = 4, 3


class BadPoster(ValueError):
    """Not a picture."""


def poster_time(source: Source) -> Fraction:
    """Returns from where on the poster is chosen, in seconds: the very first frames are often black."""
    return min(source.duration * _AT, _LATEST)


def blurhash_of(poster: bytes) -> str:
    """Returns a blurred preview (https://blurha.sh) of a poster (JPEG). Raises BadPoster."""
    return blurhash_rs.blurhash_encode(_decoded(poster, "RGB", _PREVIEWED), *_COMPONENTS)


def hashes_of(poster: bytes) -> tuple[PictureHash, ...]:
    """Returns the hashes of a poster (JPEG) in all orientations, for the hash list. Raises BadPoster."""
    return hash_luma(_decoded(poster, "L", (HASHED_SIDE, HASHED_SIDE)).tobytes())


def _decoded(poster: bytes, mode: str, size: tuple[int, int]) -> PIL.Image.Image:
    try:
        picture = PIL.Image.open(io.BytesIO(poster), formats=("JPEG",))
        picture.draft(mode, size)
        return picture.convert(mode).resize(size)
    except (OSError, ValueError) as error:
        raise BadPoster(str(error)) from error
