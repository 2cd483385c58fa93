"""Images that are made to do harm: bombs, damaged files, and files that are of two types."""

import io
import random
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import PIL.Image
import pillow_heif
import pyvips

from features.media.model import MediaType


def noise(width: int, height: int) -> Any:
    """Returns a picture that compresses badly."""
    bands = [pyvips.Image.gaussnoise(width, height, mean=128, sigma=60, seed=seed) for seed in range(3)]
    return bands[0].bandjoin(bands[1:]).cast("uchar").copy(interpretation="srgb")


def encoded(image: Any, media_type: MediaType) -> bytes:
    """Returns a picture as a file."""
    if media_type is MediaType.HEIC:
        out = io.BytesIO()
        pillow_heif.from_bytes("RGB", (image.width, image.height), bytes(image.write_to_memory())).save(out, quality=70)
        return out.getvalue()
    suffix, options = {
        MediaType.JPEG: (".jpg", {}),
        MediaType.PNG: (".png", {}),
        MediaType.GIF: (".gif", {}),
        MediaType.WEBP: (".webp", {}),
        MediaType.AVIF: (".avif", {"effort": 0}),
    }[media_type]
    return bytes(image.write_to_buffer(suffix, **options))


@cache
def hostile_images() -> tuple[tuple[str, MediaType, bytes], ...]:
    """Returns names, announced types and files. None of them can be shown."""
    return tuple(_hostile_images())


def _hostile_images() -> Iterator[tuple[str, MediaType, bytes]]:
    images = [each for each in MediaType if each.is_image]
    whole = {media_type: encoded(noise(96, 64), media_type) for media_type in images}
    for media_type, data in whole.items():
        for percent in (5, 40, 90):
            yield f"{media_type.name} cut at {percent} %", media_type, data[: len(data) * percent // 100]
        other = images[images.index(media_type) - 1]
        yield f"{other.name} as {media_type.name}", media_type, whole[other]
        yield f"{media_type.name}, then random bytes", media_type, data[:32] + random.Random(1).randbytes(20_000)
    for width, height in ((20_000, 20_000), (2**31 - 1, 1), (1, 2**31 - 1), (50_001, 1000)):
        yield f"PNG of {width} x {height}", MediaType.PNG, png_bomb(width, height, rows=10)
    yield "PNG of 400 million pixels", MediaType.PNG, png_bomb(20_000, 20_000, rows=2_000)
    yield "PNG with 16 bits, interlaced", MediaType.PNG, png_bomb(7000, 7000, rows=10, depth=16, kind=6, interlaced=1)
    yield "JPEG of 65,500 x 65,500", MediaType.JPEG, _resized_jpeg(whole[MediaType.JPEG], 65_500, 65_500)
    progressive = bytes(noise(256, 256).jpegsave_buffer(interlace=True, subsample_mode="off"))
    yield "JPEG, progressive, 49 million pixels", MediaType.JPEG, _resized_jpeg(progressive, 7000, 7000)
    yield "JPEG of 2,000 scans", MediaType.JPEG, _many_scans(3000, 3000, 2000)
    yield "GIF of 65,535 x 65,535", MediaType.GIF, _gif(b"\xff" * 4, 1)
    yield "GIF of 20,000 frames", MediaType.GIF, _gif(b"\x01\0\x01\0", 20_000)
    for name, data in {
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "HTML": b"<!doctype html><script>alert(1)</script>",
        "PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>",
        "PostScript": b"%!PS\n(/etc/passwd) (r) file",
        "ImageMagick": b"push graphic-context\nviewbox 0 0 640 480\nimage over 0,0 0,0 'https://127.0.0.1/'\npop",
        "ZIP": b"PK\x03\x04" + bytes(60),
        "EXR": b"v/1\x01" + bytes(100),
        "FITS": b"SIMPLE  =                    T" + b" " * 3000,
        "nothing": b"\0",
    }.items():
        yield f"{name} as JPEG", MediaType.JPEG, data
    yield (
        "JPEG and SVG",
        MediaType.JPEG,
        b"\xff\xd8\xff\xfe\x00\x3a<svg xmlns='http://www.w3.org/2000/svg'/>" + bytes(40),
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int, height: int, *, rows: int, depth: int = 8, kind: int = 0, interlaced: int = 0) -> bytes:
    """Returns a PNG of one colour that has data for so many rows."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    packed, data = zlib.compressobj(1), b""
    row = bytes(min(width, 2**20) + 1)
    for _ in range(rows):
        data += packed.compress(row)
    data += packed.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _resized_jpeg(data: bytes, width: int, height: int) -> bytes:
    """Returns a JPEG that says that it is larger than it is."""
    at = next(data.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in data)
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def _many_scans(width: int, height: int, scans: int) -> bytes:
    """Returns a progressive JPEG whose last scan, of all coefficients, is repeated: each costs a pass over them."""
    out = io.BytesIO()
    PIL.Image.new("L", (width, height), 128).save(out, "jpeg", progressive=True)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def _gif(size: bytes, frames: int) -> bytes:
    """Returns a GIF of so many frames of a size, with data for one pixel each."""
    frame = b"\x2c\0\0\0\0" + size + b"\0\x02\x02\x44\x01\0"
    return b"GIF89a" + size + b"\x80\0\0\0\0\0\xff\xff\xff" + frame * frames + b"\x3b"
