"""The CPU time of a file that others see of a photo: a JPEG of 1,080 pixels.

Measured is what the platform does (a forked process with limits, metadata away, blurhash), beside bare libvips, which
does the same to the pixels in a process that runs already, and beside Pillow.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure, quantile
from benchmarks.size import sized

FIGURES = ("content.image_cpu",)
ROUNDS = sized(15, 1)
PHOTO = sized(4032, 400), sized(3024, 300)
WIDTH = 1080

_LIBVIPS = """
image = pyvips.Image.thumbnail(path, 1080, height=10**6)
image.jpegsave(out, Q=80, optimize_coding=True, keep="none")
"""
_PILLOW = """
with PIL.Image.open(path) as image:
    image.thumbnail((1080, 10**6), PIL.Image.Resampling.LANCZOS)
    image.save(out, "jpeg", quality=80, optimize=True)
"""
_PEER = """
import json, sys, time
import PIL.Image, pyvips
pyvips.cache_set_max(0)
path, out, code = sys.argv[1], sys.argv[2], compile(sys.argv[3], "peer", "exec")
for _ in sys.stdin:
    begun = time.process_time()
    exec(code)
    print(json.dumps(time.process_time() - begun), flush=True)
"""


def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="entativa-bench-") as folder:
        yield asyncio.run(_image_cpu(Path(folder)))


class _Peer:
    """A process that does the same with another library."""

    def __init__(self, code: str, photo: Path) -> None:
        command = [sys.executable, "-c", _PEER, str(photo), str(photo.with_suffix(".out")), code]
        environment = {"VIPS_CONCURRENCY": "1", "MALLOC_ARENA_MAX": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def cpu_s(self) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline()))

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


async def _image_cpu(folder: Path) -> Figure:
    from features.media.image_orders import ImageFormat, ImageOrder
    from features.media.image_renderer import ImageRenderer
    from features.media.model import MediaType
    from features.media.policy import MediaPolicy
    from features.media.processing import limits_of

    photo = folder / "photo.jpg"
    _photo(*PHOTO).jpegsave(str(photo), Q=90)
    data, policy = photo.read_bytes(), MediaPolicy()
    order = ImageOrder(
        media_type=MediaType.JPEG,
        widths=[WIDTH],
        formats=[ImageFormat.JPEG],
        quality=80,
        max_pixels=policy.max_image_pixels,
        max_frames=policy.max_image_frames,
    )
    renderer = ImageRenderer(at_once=1)
    libvips, pillow = _Peer(_LIBVIPS, photo), _Peer(_PILLOW, photo)
    ours, theirs, pillows = list[float](), list[float](), list[float]()
    try:
        for _ in range(ROUNDS + 1):
            begun = time.process_time()
            rendered = await renderer.render(data, order, limits_of(policy))
            ours.append(time.process_time() - begun + rendered.cost.cpu_s)
            theirs.append(libvips.cpu_s())
            pillows.append(pillow.cpu_s())
    finally:
        renderer.stop()
        libvips.stop()
        pillow.stop()
    value, bare, slow = (quantile(samples[1:], 0.5) * 1000 for samples in (ours, theirs, pillows))
    return Figure(
        "content.image_cpu",
        value,
        "ms",
        baseline="libvips",
        baseline_value=bare,
        samples=ROUNDS,
        extra={"pillow": slow, "pillow_ratio": value / slow, "megapixels": PHOTO[0] * PHOTO[1] / 1e6},
    )


def _photo(width: int, height: int) -> Any:
    """Returns a picture about as hard to compress as a photo."""
    import pyvips

    large, small = (pyvips.Image.perlin(width, height, cell_size=size).linear(60, 128) for size in (256, 64))
    grain = pyvips.Image.gaussnoise(width, height, mean=128, sigma=12)
    return large.bandjoin([small, grain]).cast("uchar").copy(interpretation="srgb")
