"""The poster: the picture that is shown before a video is played."""

import io
from fractions import Fraction

import blurhash_rs
import PIL.Image

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
    try:
        picture = PIL.Image.open(io.BytesIO(poster), formats=("JPEG",))
        picture.draft("RGB", _PREVIEWED)
        return blurhash_rs.blurhash_encode(picture.convert("RGB").resize(_PREVIEWED), *_COMPONENTS)
    except (OSError, ValueError) as error:
        raise BadPoster(str(error)) from error
