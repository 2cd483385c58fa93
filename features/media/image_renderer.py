"""Has images decoded by other processes (image_worker.py), a few at once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from features.media.image_orders import LUMA, RESULT, Cost, ImageLimits, ImageOrder, Refused, request_of
from features.media.model import HASHED_SIDE, Image, ImageFailure
from features.media.pdq import PictureHash, hash_luma

_ENVIRONMENT = {
    "VIPS_BLOCK_UNTRUSTED": "1",  # decoders that libvips does not trust with hostile input
    "VIPS_CONCURRENCY": "1",  # of several images at once, none is faster with more threads
    "MALLOC_ARENA_MAX": "1",
    "LANG": "C.UTF-8",
}
_LIMIT_SIGNALS = {signal.SIGPROF, signal.SIGXCPU, signal.SIGALRM, signal.SIGXFSZ}
_NO_MEMORY_SIGNALS = {signal.SIGABRT, signal.SIGTRAP}
"""GLib ends a process that gets no memory."""


class WorkerLost(Exception):
    """The process that decoded an image was killed, and not by its limits. Another attempt has another one."""


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """An image's files, by their names, its hashes in all orientations, and what making them cost."""

    image: Image
    files: dict[str, bytes]
    hashes: tuple[PictureHash, ...]
    cost: Cost


class ImageRenderer:
    """Renders images, at most `at_once` at a time. A worker starts with the first image that needs it and stays."""

    def __init__(self, at_once: int = 2) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._idle: list[subprocess.Popen[str]] = []

    async def render(self, source: bytes, order: ImageOrder, limits: ImageLimits) -> RenderedImage:
        """Returns the files of an image. Raises Refused, WorkerLost."""
        async with self._slots:
            return await asyncio.to_thread(self._render, source, order, limits)

    def stop(self) -> None:
        """Ends the idle workers."""
        while self._idle:
            worker = self._idle.pop()
            worker.kill()
            worker.wait()

    def _render(self, source: bytes, order: ImageOrder, limits: ImageLimits) -> RenderedImage:
        with TemporaryDirectory(prefix="entativa-image-") as name:
            folder = Path(name)
            upload = folder / "upload"
            upload.write_bytes(source)
            reply = self._ask(request_of(upload, folder, order, limits))
            cost = Cost(reply["cpu_s"], reply["memory_bytes"])
            if failure := failure_of(reply["status"]):
                raise Refused(failure, cost)
            result = json.loads((folder / RESULT).read_text())
            if "failure" in result:
                raise Refused(ImageFailure(result["failure"]), cost)
            image = Image(**result)
            names = [f"{width}.{format}" for width in image.widths for format in order.formats]
            files = {name: (folder / name).read_bytes() for name in names}
            luma, size = (folder / LUMA).read_bytes(), HASHED_SIDE**2
            hashes = [each for at in range(0, len(luma), size) for each in hash_luma(luma[at : at + size])]
            return RenderedImage(image, files, tuple(hashes), cost)

    def _ask(self, line: str) -> dict[str, Any]:
        worker = self._idle.pop() if self._idle else _start()
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            worker.stdin.write(line + "\n")
            worker.stdin.flush()
            answer = worker.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            worker.kill()
            worker.wait()
            raise WorkerLost
        self._idle.append(worker)
        reply: dict[str, Any] = json.loads(answer)
        return reply


def failure_of(status: int) -> ImageFailure | None:
    """Returns why a process that ended with a status (negative: a signal) shows no image; None if it was not ended.
    Raises WorkerLost if that says nothing about the image."""
    if status == 0:
        return None
    if -status in _LIMIT_SIGNALS | _NO_MEMORY_SIGNALS:
        return ImageFailure.TOO_COMPLEX
    if status == -signal.SIGKILL:
        raise WorkerLost
    return ImageFailure.UNREADABLE  # a decoder crashed


def _start() -> subprocess.Popen[str]:
    path = os.pathsep.join(folder for folder in sys.path if folder)
    return subprocess.Popen(
        [sys.executable, "-m", "features.media.image_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={**_ENVIRONMENT, "PYTHONPATH": path},  # and nothing of this process's: it has secrets
    )
