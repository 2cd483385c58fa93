"""The poster: where it is taken from, and its preview."""

import io
from dataclasses import replace
from fractions import Fraction

import PIL.Image
import pytest

from features.videos.model import Source
from features.videos.poster import BadPoster, blurhash_of, poster_time

SOURCE = Source(0, 1, 1920, 1080, Fraction(0), Fraction(30), 3000, False, False)


def _picture(colour: str) -> bytes:
    data = io.BytesIO()
    PIL.Image.new("RGB", (1280, 720), colour).save(data, "JPEG")
    return data.getvalue()


def test_the_poster_is_not_taken_from_the_first_frames() -> None:
    assert poster_time(SOURCE) == 5
    assert poster_time(replace(SOURCE, frames=300)) == 1
    assert poster_time(replace(SOURCE, frames=1)) < SOURCE.duration


def test_a_preview_has_the_colours_of_the_poster() -> None:
    red, blue = blurhash_of(_picture("red")), blurhash_of(_picture("blue"))
    assert len(red) == len(blue) == 28
    assert red != blue


@pytest.mark.parametrize("data", [b"", b"no picture", _picture("red")[:300]])
def test_what_is_no_picture_has_none(data: bytes) -> None:
    with pytest.raises(BadPoster):
        blurhash_of(data)
