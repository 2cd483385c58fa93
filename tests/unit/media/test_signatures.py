"""The types of files by their first bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.media.model import MediaType
from features.media.signatures import type_of


def _ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible)
    return (16 + len(brands)).to_bytes(4, "big") + b"ftyp" + major + bytes(4) + brands + b"\x00\x00\x00\x08free"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe1....Exif", MediaType.JPEG),
        (b"\x89PNG\r\n\x1a\n....IHDR", MediaType.PNG),
        (b"GIF87a...", MediaType.GIF),
        (b"GIF89a...", MediaType.GIF),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", MediaType.WEBP),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
        (b"\x1a\x45\xdf\xa3....webm", MediaType.WEBM),
        (_ftyp(b"isom", b"iso2", b"avc1", b"mp41"), MediaType.MP4),
        (_ftyp(b"mp42", b"isom"), MediaType.MP4),
        (_ftyp(b"qt  "), MediaType.QUICKTIME),
        (_ftyp(b"heic", b"mif1"), MediaType.HEIC),
        (_ftyp(b"mif1", b"mif1", b"heic"), MediaType.HEIC),
        (_ftyp(b"avif", b"mif1", b"miaf"), MediaType.AVIF),
        (_ftyp(b"mif1", b"avif"), MediaType.AVIF),
        (_ftyp(b"M4A "), None),
        (_ftyp(b"mif1"), None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<html>", None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_a_file_is_known_by_its_beginning(head: bytes, expected: MediaType | None) -> None:
    assert type_of(head) is expected


@given(st.binary(max_size=80))
def test_any_bytes_are_a_type_or_none(head: bytes) -> None:
    type_of(head)
    type_of(b"\x00\x00\x00\x20ftyp" + head)
