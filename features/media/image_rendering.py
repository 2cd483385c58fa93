"""Makes the files that others see of an uploaded image: pixels of known sizes, and nothing else that the upload had.

This runs in a process of its own (image_worker.py), since an upload is hostile until it has been decoded. The decoder
is that of the announced type: no other format is tried, whatever else the file is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import blurhash_rs
import PIL.Image
import pillow_heif
import pyvips

from features.media.image_orders import LUMA, ImageFormat, ImageOrder, Refused
from features.media.model import HASHED_SIDE, Image, ImageFailure, MediaType

_LOADERS = {
    MediaType.JPEG: "jpegload",
    MediaType.PNG: "pngload",
    MediaType.GIF: "gifload",
    MediaType.WEBP: "webpload",
    MediaType.AVIF: "heifload",
}
_NO_MEMORY = ("out of memory", "nsufficient memory", "Error creating thread")
_BLURHASH_WIDTH = 32
_BLURHASH_COMPONENTS = 4, 3
_MAX_RATIO = 7
"""Height to width of a file: it keeps the widest below WebP's 16,383 pixels."""
_WEBP_EFFORT = 4
_AVIF_EFFORT = 4
_LUMA = [[0.299, 0.587, 0.114]]


@cache
def can_write_avif() -> bool:
    """Returns whether this libvips has an encoder for AV1."""
    try:
        pyvips.Image.black(16, 16).heifsave_buffer(compression="av1", effort=0)
    except pyvips.Error:
        return False
    return True


def size_within(width: int, height: int, wanted: int) -> tuple[int, int]:
    """Returns the size of an image's file of a wanted width: the image's ratio, never larger than the image, and less
    wide than wanted if it is more than seven times as high."""
    scale = min(1.0, wanted / width, _MAX_RATIO * wanted / height)
    return max(1, round(width * scale)), max(1, min(round(height * scale), _MAX_RATIO * wanted))


def render(source: Path, folder: Path, order: ImageOrder, decoded: Callable[[], None]) -> Image:
    """Writes the files of the image `source` to a folder, named after a width and a format (`640.webp`), and LUMA.
    Calls `decoded` when the upload has been read. Raises Refused."""
    try:
        return _render(source, folder, order, decoded)
    except (pyvips.Error, ValueError, EOFError, RuntimeError, OSError, SyntaxError) as error:  # of the decoders
        lack = any(text in str(error) for text in _NO_MEMORY)
        raise Refused(ImageFailure.TOO_COMPLEX if lack else ImageFailure.UNREADABLE) from error
    except MemoryError as error:
        raise Refused(ImageFailure.TOO_COMPLEX) from error


def _render(source: Path, folder: Path, order: ImageOrder, decoded: Callable[[], None]) -> Image:
    heic = order.media_type is MediaType.HEIC
    width, height, image = (_open_heic if heic else _open)(source, order)
    sizes = sorted({size_within(width, height, wanted) for wanted in order.widths}, reverse=True)
    image = _in_srgb(_resized(image(sizes[0]), sizes[0]))
    decoded()
    rendered = Image(width, height, _blurhash(image), [size[0] for size in reversed(sizes)])
    (folder / LUMA).write_bytes(_luma(image))
    for size in sizes:  # each from the one before: a fraction of the pixels
        image = _resized(image, size)
        for format in order.formats:
            _write(image, folder / f"{size[0]}.{format}", format, order.quality)
    return rendered


_Open = tuple[int, int, Callable[[tuple[int, int]], Any]]
"""Width, height, and what returns the image at a given size, upright and in memory."""


def _open(source: Path, order: ImageOrder) -> _Open:
    load = getattr(pyvips.Image, _LOADERS[order.media_type])
    options: dict[str, Any] = {"access": "sequential", "fail_on": "truncated"}
    width, height, orientation = _header(load(str(source), **options), order)
    turned = 5 <= orientation <= 8

    def image(size: tuple[int, int]) -> Any:
        wanted = size[::-1] if turned else size
        factor = min(width / wanted[0], height / wanted[1])
        if order.media_type is MediaType.JPEG:
            # The decoder shrinks by blocks, at a third less CPU: what it leaves to the better filter is enough for a
            # result that differs from one without by noise (45 to 50 dB for text and a synthetic picture, 34 dB for a
            # zone plate).
            options["shrink"] = next((shrink for shrink in (8, 4, 2) if factor >= 1.75 * shrink), 1)
        elif order.media_type is MediaType.WEBP and factor > 1:
            options["scale"] = 1 / factor
        small = _resized(load(str(source), **options), wanted)
        return small.autorot() if 2 <= orientation <= 8 else small

    return (height, width, image) if turned else (width, height, image)


def _header(opened: Any, order: ImageOrder) -> tuple[int, int, int]:
    """Returns width, height and orientation of an image, which some decoders have memory for as long as it is open."""
    _check(opened.width, opened.height, opened.get("n-pages") if opened.get_typeof("n-pages") else 1, order)
    return opened.width, opened.height, opened.get("orientation") if opened.get_typeof("orientation") else 1


def _open_heic(source: Path, order: ImageOrder) -> _Open:
    # libheif turns what it decodes as the file says; Exif does not count in HEIF.
    opened = pillow_heif.open_heif(source, convert_hdr_to_8bit=True)
    width, height = opened.size
    _check(width, height, 1, order)

    def image(size: tuple[int, int]) -> Any:
        bands = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[opened.mode]
        row = width * bands
        data = opened.data
        if opened.stride != row:
            rows = memoryview(data)
            data = b"".join(rows[at : at + row] for at in range(0, opened.stride * height, opened.stride))
        pixels = pyvips.Image.new_from_memory(data, width, height, bands, "uchar")
        pixels = pixels.copy(interpretation="srgb" if bands > 2 else "b-w")
        if profile := opened.info.get("icc_profile"):
            pixels = pixels.copy()
            pixels.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
        return _resized(pixels, size)

    return width, height, image


def _check(width: int, height: int, frames: int, order: ImageOrder) -> None:
    if width * height > order.max_pixels:
        raise Refused(ImageFailure.TOO_MANY_PIXELS)
    if frames > order.max_frames:
        raise Refused(ImageFailure.TOO_MANY_FRAMES)


def _resized(image: Any, size: tuple[int, int]) -> Any:
    """Returns an image with a size, in memory."""
    if (image.width, image.height) != size:
        image = image.thumbnail_image(size[0], height=size[1], size="force", no_rotate=True)
    return image.copy_memory()


def _in_srgb(image: Any) -> Any:
    """Returns an image as sRGB or grey of 8 bits: what viewers take pixels for that come without a profile."""
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, intent="relative", pcs="lab")
    elif image.interpretation == "cmyk":
        image = image.icc_transform("srgb", input_profile="cmyk")
    if image.interpretation not in ("srgb", "b-w"):
        image = image.colourspace("b-w" if image.interpretation == "grey16" else "srgb")
    return (image if image.format == "uchar" else image.cast("uchar")).copy_memory()


def _blurhash(image: Any) -> str:
    size = size_within(image.width, image.height, _BLURHASH_WIDTH)
    small = _opaque(_resized(image, size)).colourspace("srgb").cast("uchar")
    return blurhash_rs.blurhash_encode(PIL.Image.frombytes("RGB", size, small.write_to_memory()), *_BLURHASH_COMPONENTS)


def _luma(image: Any) -> bytes:
    small = _resized(image, (HASHED_SIDE, HASHED_SIDE))
    shown = [_opaque(small), _opaque(small, 0)] if small.hasalpha() else [small]
    greys = (each.recomb(_LUMA) if each.bands == 3 else each for each in shown)
    return b"".join(grey.cast("uchar").write_to_memory() for grey in greys)


def _opaque(image: Any, background: int = 255) -> Any:
    return image.flatten(background=background) if image.hasalpha() else image


def _write(image: Any, path: Path, format: ImageFormat, quality: int) -> None:
    if format is ImageFormat.WEBP:
        image.webpsave(str(path), Q=quality, effort=_WEBP_EFFORT, keep="none")
    elif format is ImageFormat.AVIF:
        image.heifsave(str(path), compression="av1", Q=quality, effort=_AVIF_EFFORT, keep="none")
    else:
        _opaque(image).jpegsave(str(path), Q=quality, optimize_coding=True, keep="none")
