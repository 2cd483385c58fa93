"""Uploads that are cut at random while replicas are killed, and requests beside uploads that stall.

Two replicas are processes that serve one brand over private Postgres, Redis and a folder. Between them and the clients
(tus-js-client and tuspy in turn) a proxy cuts connections at random bytes, and a replica is killed every few seconds.
The content of every upload is read back and compared, and in the end storage must hold nothing else: what is wrong is
an error, not a figure. `parts_again` is what clients sent again after a cut or a kill, in parts of 8 MiB: the mean of
the upload with the highest one, which must not be above one at full size. What waited in the kernel when a connection
ended was never received by a replica, and is sent again, too: replicas and the proxy bound those buffers
(brand_process, app_server), which Linux lets grow to megabytes at each hop otherwise.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from benchmarks.figure import Figure, percentiles, quantile
from benchmarks.size import sized

if TYPE_CHECKING:
    import httpx

    from benchmarks.stack.private_brand import BrandProcesses
    from tests.peers.node import NodePeer
    from tests.support.environment import Environment
    from tests.support.member import Member

_CUT, _STALLED = "content.cut_uploads", "content.stalled_upload_ms"
FIGURES = (_CUT, _STALLED)
FIGURE_TIMEOUT_S = sized(2400.0, 300.0)

UPLOADS = int(os.environ.get("CUT_UPLOADS", sized(1000, 6)))
AT_ONCE = 6
LOG_IN_EVERY_S = 300.0
CUTS = 2
KILL_EVERY_S, MOST_KILLS = sized(5.0, 1.0), sized(10_000, 1)
LARGE_EVERY = 20
"""One upload in so many has several parts."""
LARGE, SMALL = 20_000_000, 1_000_000
MOST_AGAIN = sized(1.0, math.inf)
"""Parts. Of very few interruptions, one kill with full socket buffers would decide."""
STALLED = sized(50, 5)
REQUESTS = sized(2000, 50)


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Both figures, each over storage of its own."""
    for name, measure in ((_CUT, _cut_uploads), (_STALLED, _stalled)):
        if wanted(name):
            yield asyncio.run(measure())


async def _cut_uploads() -> Figure:
    from benchmarks.stack.private_brand import brand_processes, private_brand
    from tests.peers.node import NodePeer

    begun, kills = time.monotonic(), itertools.count()
    async with AsyncExitStack() as stack:
        environment = await stack.enter_async_context(private_brand())
        replicas = await stack.enter_async_context(brand_processes(environment, 2))
        peers: asyncio.Queue[NodePeer] = asyncio.Queue()
        for _ in range(AT_ONCE // 2):
            peers.put_nowait(stack.enter_context(NodePeer("tus.mjs")))
        await environment.member("ada")
        owner = _Owner(environment)
        again: list[_Again] = []
        numbers = iter(range(UPLOADS))

        async def work() -> None:
            while (number := next(numbers, None)) is not None:
                again.append(await _upload(owner, replicas, peers, number))

        # What fails in the background ends everything, too: without kills, the figure would be one of something else.
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(each) for each in (_kill_in_turn(replicas, kills), _process(environment))]
            await asyncio.gather(*(group.create_task(work()) for _ in range(AT_ONCE)))
            for task in background:
                task.cancel()
        await _check_storage(environment)
        extra = {
            "parts_again": max(each.mean for each in again),
            "parts_again_at_once": max(each.most for each in again),
            "kills": next(kills),
            "cuts": UPLOADS * CUTS,
        }
    return Figure(_CUT, len(again), "uploads", samples=UPLOADS, extra={**extra, "seconds": time.monotonic() - begun})


@dataclass(frozen=True, slots=True)
class _Again:
    """What a client sent again of one upload, in parts."""

    mean: float
    """After an interruption, headers included."""
    most: float
    """After one interruption: bytes of the file that had left the client, those in sockets of a killed replica too."""


@dataclass(slots=True)
class _Owner:
    """The account that uploads."""

    environment: Environment
    _member: Member | None = None
    _since: float = 0.0

    async def member(self) -> Member:
        """Returns the owner with a token that is good for some more minutes."""
        from benchmarks.stack.private_brand import log_in_now

        if self._member is None or time.monotonic() > self._since + LOG_IN_EVERY_S:
            self._since = time.monotonic()
            self._member = await log_in_now(self.environment, "ada")
        return self._member


async def _kill_in_turn(replicas: BrandProcesses, kills: Iterator[int]) -> None:
    """Kills one replica after the other, each when the one before serves again, until cancelled."""
    for port in itertools.islice(itertools.cycle(replicas.ports), MOST_KILLS):
        await asyncio.sleep(KILL_EVERY_S)
        await replicas.kill(port)
        next(kills)
        await replicas.start(port)


async def _process(environment: Environment) -> None:
    """Puts uploads together, as the consumers do."""
    while True:
        await environment.drain()
        await asyncio.sleep(0.1)


async def _check_storage(environment: Environment) -> None:
    from features.media.image_orders import AT_ONCE as FORMATS
    from tests.support.uploads import stored, sweep

    environment.clock.advance(timedelta(days=2))
    await sweep(environment)
    # All images are the same picture, before other bytes: they share the files that were made of it.
    expected = UPLOADS + len(FORMATS)
    if (found := len(stored(environment))) != expected:
        raise RuntimeError(f"{found} objects are stored after {UPLOADS} uploads, not {expected}")


async def _upload(owner: _Owner, replicas: BrandProcesses, peers: asyncio.Queue[NodePeer], number: int) -> _Again:
    """Uploads one file and reads it back."""
    from features.media.machine import PART_BYTES
    from tests.support.app_server import CuttingProxy
    from tests.support.files import file_of
    from tests.support.tus_clients import upload_with_tuspy

    size = LARGE if number % LARGE_EVERY == 0 else random.Random(number).randrange(1000, SMALL)
    media_type = "image/jpeg"
    data = file_of(size, media_type, seed=number)
    member = await owner.member()
    proxy = CuttingProxy(replicas.ports, cuts=CUTS, within=max(2000, size), seed=number)
    async with proxy.serve() as port:
        endpoint = f"http://127.0.0.1:{port}/v1/uploads"
        if number % 2:
            peer = await peers.get()
            try:
                result = await asyncio.to_thread(
                    peer.call,
                    "upload",
                    endpoint=endpoint,
                    token=member.tokens["access_token"],
                    data=data,
                    filetype=media_type,
                    chunk=0,
                    parallel=1,
                    retries=3000,
                )
            finally:
                peers.put_nowait(peer)
            url = result["url"]
        else:
            cancelled = threading.Event()
            try:
                url = await asyncio.to_thread(
                    upload_with_tuspy,
                    endpoint,
                    member.headers["Authorization"],
                    data,
                    chunk=LARGE,
                    media_type=media_type,
                    timeout_s=300,
                    cancelled=cancelled,
                )
            finally:
                cancelled.set()  # the event loop does not end before its threads
    path = f"/media/{url.rpartition('/')[2]}"
    while (state := (await member.get(path)).json()["state"]) != "ready":
        if state == "failed":
            raise RuntimeError(f"upload {number} failed")
        await asyncio.sleep(0.1)
    if (await member.get(f"{path}/content")).content != data:
        raise RuntimeError(f"upload {number} has other content")
    again = max(0, proxy.passed - size) / PART_BYTES / max(1, proxy.interruptions)
    if again > MOST_AGAIN:
        raise RuntimeError(f"upload {number} sent {again} parts again after an interruption, on average")
    return _Again(again, max(proxy.content.again, default=0) / PART_BYTES)


async def _stalled() -> Figure:
    """Milliseconds of GET /v1/media, p99, while uploads stall on the same replica; the baseline is without them."""
    import httpx

    from benchmarks.stack.private_brand import brand_processes, private_brand

    async with private_brand() as environment, brand_processes(environment, 1) as replicas:
        member = await environment.member("ada")
        base = f"http://127.0.0.1:{replicas.ports[0]}/v1"
        async with httpx.AsyncClient(headers=member.headers, timeout=60) as client:
            await _latencies(client, base, REQUESTS // 4)
            without = await _latencies(client, base, REQUESTS)
            writers = [await _stall(replicas.ports[0], client, base) for _ in range(STALLED)]
            beside = await _latencies(client, base, REQUESTS)
            for writer in writers:
                writer.close()
    return Figure(
        _STALLED,
        quantile(beside, 0.99),
        "ms",
        "the same requests without stalled uploads",
        quantile(without, 0.99),
        samples=REQUESTS,
        extra={**percentiles(beside), "stalled": STALLED},
    )


async def _latencies(client: httpx.AsyncClient, base: str, requests: int) -> list[float]:
    found = []
    for _ in range(requests):
        begun = time.perf_counter()
        (await client.get(f"{base}/media")).raise_for_status()
        found.append((time.perf_counter() - begun) * 1000)
    return found


async def _stall(port: int, client: httpx.AsyncClient, base: str) -> asyncio.StreamWriter:
    """Begins an upload whose request sends a megabyte of two, and no more."""
    from tests.support.files import file_of
    from tests.support.uploads import BODY_TYPE, TUS, metadata

    size = 2_000_000
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata(filetype="image/jpeg")}
    created = await client.post(f"{base}/uploads", headers=headers)
    created.raise_for_status()
    lines = [
        f"PATCH {created.headers['Location']} HTTP/1.1",
        "Host: bench",
        f"Authorization: {client.headers['Authorization']}",
        *(f"{name}: {value}" for name, value in TUS.items()),
        "Upload-Offset: 0",
        f"Content-Type: {BODY_TYPE}",
        f"Content-Length: {size}",
    ]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + file_of(size // 2))
    await writer.drain()
    return writer
