"""What others get of an image: its pixels, upright, and nothing else. And what hostile images cost."""

import io
import signal
import struct
from dataclasses import replace
from typing import Any

import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pillow_heif
import pytest
import pyvips

from features.media.image_orders import AT_ONCE, ImageLimits, Refused
from features.media.image_renderer import ImageRenderer, RenderedImage, WorkerLost, failure_of
from features.media.model import ImageFailure, MediaType
from features.media.policy import MediaPolicy
from features.media.processing import limits_of, order_of
from tests.support.hostile_images import encoded, hostile_images, noise

POLICY = MediaPolicy()
LIMITS = limits_of(POLICY)
RENDERER = ImageRenderer()
SECRET = b"51.5007N 0.1246W"
COLOURS = [(250, 20, 20), (20, 250, 20), (20, 20, 250), (240, 240, 20)]
"""Of the quarters of `picture`, row by row."""


async def _render(data: bytes, media_type: MediaType, limits: ImageLimits = LIMITS) -> RenderedImage:
    return await RENDERER.render(data, order_of(media_type, POLICY), limits)


def picture(width: int = 600, height: int = 400) -> PIL.Image.Image:
    image = PIL.Image.new("RGB", (width, height))
    for index, colour in enumerate(COLOURS):
        image.paste(colour, (index % 2 * width // 2, index // 2 * height // 2, width, height))
        if index % 2 == 0:
            image.paste(colour, (0, index // 2 * height // 2, width // 2, height))
    return image


def _quarters(data: bytes) -> list[tuple[int, ...]]:
    image = PIL.Image.open(io.BytesIO(data)).convert("RGB")
    points = [(image.width * x // 4, image.height * y // 4) for y in (1, 3) for x in (1, 3)]
    return [tuple(image.getpixel(point)) for point in points]  # type: ignore[arg-type]


def _assert_upright(rendered: RenderedImage) -> None:
    assert (rendered.image.width, rendered.image.height) == (600, 400)
    assert rendered.image.widths == [320, 600]
    for data in rendered.files.values():
        for found, expected in zip(_quarters(data), COLOURS, strict=True):
            assert all(abs(a - b) < 25 for a, b in zip(found, expected, strict=True)), (found, expected)


def _saved(image: PIL.Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


_INVERSE = {
    1: None,
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_90,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_270,
}
"""What turns an upright picture into the pixels of a file with an orientation (Exif 2.32, 4.6.4)."""


@pytest.mark.parametrize("orientation", _INVERSE)
async def test_every_orientation_is_applied(orientation: int) -> None:
    method, exif = _INVERSE[orientation], PIL.Image.Exif()
    turned = picture() if method is None else picture().transpose(method)
    exif[0x0112] = orientation
    data = _saved(turned, "jpeg", exif=exif, quality=95)
    assert PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).size == (600, 400)
    _assert_upright(await _render(data, MediaType.JPEG))


async def test_a_heic_image_is_shown_upright() -> None:
    pillow_heif.register_heif_opener()
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # written by the encoder as what HEIF has for it
    data = _saved(picture().transpose(PIL.Image.Transpose.ROTATE_90), "heif", exif=exif.tobytes(), quality=90)
    assert b"irot" in data
    _assert_upright(await _render(data, MediaType.HEIC))
    assert (await _render(_saved(picture(), "heif"), MediaType.HEIC)).image.widths[-1] == 600


@pytest.mark.parametrize("media_type", [each for each in MediaType if each.is_image])
async def test_files_have_the_wanted_widths_and_never_more_than_the_image(media_type: MediaType) -> None:
    rendered = await _render(encoded(noise(700, 300), media_type), media_type)
    image = rendered.image
    assert (image.width, image.height, image.widths) == (700, 300, [320, 640, 700])
    assert set(rendered.files) == {f"{width}.{format}" for width in image.widths for format in AT_ONCE}
    for name, data in rendered.files.items():
        opened = PIL.Image.open(io.BytesIO(data))
        width = int(name.partition(".")[0])
        assert (opened.width, opened.height) == (width, round(300 * width / 700))
        assert opened.format == ("WEBP" if name.endswith("webp") else "JPEG")
    assert len(image.blurhash) == 28


@pytest.mark.parametrize(
    ("mode", "format"), [("RGBA", "png"), ("LA", "png"), ("L", "jpeg"), ("CMYK", "jpeg"), ("P", "gif"), ("I;16", "png")]
)
async def test_pixels_of_every_kind_are_shown(mode: str, format: str) -> None:
    image = PIL.Image.new("I;16", (40, 30)) if mode == "I;16" else picture(40, 30).convert(mode)
    rendered = await _render(_saved(image, format), MediaType(f"image/{format}"))
    assert PIL.Image.open(io.BytesIO(rendered.files["40.jpg"])).mode in ("RGB", "L")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 40_000), (40_000, 1), (300, 16_000)])
async def test_extreme_shapes_are_shown(width: int, height: int) -> None:
    image = pyvips.Image.black(width, height, bands=3)
    rendered = await _render(bytes(image.pngsave_buffer()), MediaType.PNG)
    for data in rendered.files.values():
        assert max(PIL.Image.open(io.BytesIO(data)).size) <= max(2048 * 7, 1)


async def test_colours_of_a_wide_gamut_become_srgb() -> None:
    p3 = pyvips.Image.black(64, 64, bands=3).linear(1, [200, 100, 50]).cast("uchar").copy(interpretation="srgb")
    data = bytes(p3.icc_transform("p3", input_profile="srgb").jpegsave_buffer(Q=100))
    assert b"ICC_PROFILE" in data
    [red, green, blue] = _quarters((await _render(data, MediaType.JPEG)).files["64.jpg"])[0]
    assert abs(red - 200) < 6
    assert abs(green - 100) < 6
    assert abs(blue - 50) < 6


def _with_metadata(format: str) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x010E] = SECRET.decode()
    exif[0x9286] = SECRET.decode()
    exif.get_ifd(0x8825)[29] = SECRET.decode()
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + SECRET + b"</x:xmpmeta>"
    options: dict[str, Any] = {"exif": exif, "icc_profile": profile, "xmp": xmp}
    if format == "jpeg":
        options["comment"] = SECRET
    return _saved(picture(), format, **options) + SECRET


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "heic"])
async def test_no_metadata_is_left(format: str) -> None:
    pillow_heif.register_heif_opener()
    data = _with_metadata(format.replace("heic", "heif"))
    assert data.count(SECRET) >= 3
    rendered = await _render(data, MediaType(f"image/{format}"))
    for name, file in rendered.files.items():
        assert SECRET not in file
        if name.endswith("webp"):
            assert _webp_chunks(file) == [b"VP8 "]
        else:
            assert _jpeg_segments(file) == set()


def _webp_chunks(data: bytes) -> list[bytes]:
    found, at = [], 12
    while at < len(data):
        found.append(data[at : at + 4])
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        at += 8 + size + size % 2
    return found


def _jpeg_segments(data: bytes) -> set[int]:
    """The application segments and comments of a JPEG; none may follow its end."""
    found, at = set(), 2
    while data[at + 1] != 0xDA:
        found.add(data[at + 1])
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    assert data.index(b"\xff\xd9", at) == len(data) - 2
    return {marker for marker in found if 0xE0 <= marker <= 0xEF or marker == 0xFE}


async def test_hostile_images_are_refused_at_small_cost() -> None:
    count = 0
    for name, media_type, data in hostile_images():
        with pytest.raises(Refused) as refused:
            await _render(data, media_type)
        cost = refused.value.cost
        assert cost is not None
        assert cost.cpu_s <= 2, (name, cost)
        assert cost.memory_bytes <= 300 * 1024 * 1024, (name, cost)
        count += 1
    assert count >= 50


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("JPEG cut at 40 %", ImageFailure.UNREADABLE),
        ("SVG as JPEG", ImageFailure.UNREADABLE),
        ("PNG of 400 million pixels", ImageFailure.TOO_MANY_PIXELS),
        ("GIF of 20,000 frames", ImageFailure.TOO_MANY_FRAMES),
        ("JPEG, progressive, 49 million pixels", ImageFailure.TOO_COMPLEX),
    ],
)
async def test_a_failure_says_why(name: str, failure: ImageFailure) -> None:
    [(media_type, data)] = [(kind, data) for found, kind, data in hostile_images() if found == name]
    with pytest.raises(Refused) as refused:
        await _render(data, media_type)
    assert refused.value.failure is failure


async def test_an_image_that_takes_long_to_decode_is_given_up() -> None:
    data = encoded(noise(1500, 1500), MediaType.JPEG)
    with pytest.raises(Refused) as refused:
        await _render(data, MediaType.JPEG, replace(LIMITS, decoding_s=0.01))
    assert refused.value.failure is ImageFailure.TOO_COMPLEX


async def test_a_worker_that_was_killed_is_replaced() -> None:
    renderer = ImageRenderer(at_once=1)
    order = order_of(MediaType.JPEG, POLICY)
    data = encoded(noise(60, 40), MediaType.JPEG)
    assert (await renderer.render(data, order, LIMITS)).image.width == 60
    renderer._idle[0].kill()
    with pytest.raises(WorkerLost):
        await renderer.render(data, order, LIMITS)
    assert (await renderer.render(data, order, LIMITS)).image.width == 60
    renderer._idle[0].kill()


def test_a_status_that_says_nothing_about_the_image_is_no_failure_of_it() -> None:
    assert failure_of(0) is None
    assert failure_of(-signal.SIGSEGV) is ImageFailure.UNREADABLE
    assert failure_of(-signal.SIGXCPU) is ImageFailure.TOO_COMPLEX
    with pytest.raises(WorkerLost):
        failure_of(-signal.SIGKILL)
