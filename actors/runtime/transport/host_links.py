"""The ways from a router to hosts: one stream to each, and Ray actor calls, just as coalesced, while a host's stream
cannot be reached."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from actors.runtime.errors import CallError, HostUnavailable
from actors.runtime.shard_map import Endpoint, MapView
from actors.runtime.transport.calls import CallTable
from actors.runtime.transport.frames import OLDEST_PROTOCOL, unpack
from actors.runtime.transport.link import Link
from cluster.cancellation import raise_if_cancelled

DIAL_SECONDS = 1.0
_DIALS_BEFORE_FALLBACK = 2
_LIVED_SECONDS = 1.0
"""A connection that did not last so long counts as one that failed: the next waits like after a failed dial."""
_LONGEST_PAUSE = 2.0
_STREAM_BATCH = 128
"""Calls a frame on a stream: the host works on the first of many while the others are packed and sent."""
_FALLBACK_BATCHES = 4
"""Batches that may be under way to one host as Ray calls."""

log = structlog.get_logger(__name__)


class RayCalls(Protocol):
    """What is asked of Ray to reach a host."""

    @property
    def node(self) -> str:
        """Id of the node this process runs on."""

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        """Carries a CALLS frame to the host as a Ray actor call; the ANSWERS frame."""


class HostLinks:
    """The connections of one router, which is one caller to all hosts."""

    def __init__(
        self,
        ray: RayCalls,
        secret: bytes,
        calls: CallTable,
        answered: Callable[[str, list[Any]], None],
        due: Callable[[str], None],
        doubt: Callable[[], None],
        *,
        direct: bool,
    ) -> None:
        """``answered`` takes an ANSWERS frame of a host, ``due`` has ``send`` called soon, ``doubt`` says that the map
        may be old. ``direct=False`` uses Ray calls only."""
        self._ray = ray
        self._secret = secret
        self._calls = calls
        self._answered = answered
        self._due = due
        self._doubt = doubt
        self._direct = direct
        self._caller = secrets.token_bytes(8)
        self._loop = asyncio.get_running_loop()
        self._links: dict[str, Link] = {}
        self._dials: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, int] = {}
        self._versions: dict[str, int] = {}
        """Of the protocol that each host spoke on its last connection."""
        self._fallbacks: dict[str, int] = {}
        """Hosts that are called by Ray: 1, and one more for each batch that is under way."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Ends all connections."""
        tasks = [*self._dials.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in list(self._links.values()):
            if link.transport is not None:
                link.transport.abort()

    def forget_others(self, view: MapView) -> None:
        """Ends the connections to hosts that the map does not name."""
        for host in [host for host in self._links if host not in view.hosts]:
            link = self._links.pop(host)
            if link.transport is not None:
                link.transport.abort()
        for host in [host for host in self._fallbacks if host not in view.hosts]:
            del self._fallbacks[host]
        self._versions = {host: version for host, version in self._versions.items() if host in view.hosts}
        self._failures = {host: failures for host, failures in self._failures.items() if host in view.hosts}

    def send(self, host: str, now: float) -> None:
        """Sends what waits for a host, as far as it may be sent now."""
        link = self._links.get(host)
        if link is not None:
            while link.up and (frame := self._calls.batch(host, now, _STREAM_BATCH, link.version)):
                link.write(frame)
        elif host not in self._calls.view.hosts or not self._calls.waiting(host):
            return
        elif not self._direct or self._fallbacks.get(host, 0):
            self._send_by_ray(host, now)
        elif host not in self._dials:
            self._dials[host] = asyncio.create_task(self._dial(host), name=f"dial {host}")

    def out_of_reach(self, host: str, now: float) -> bool:
        """Whether nothing gets through to a host now: its node takes nothing, or it is dialled again after a failure.
        A host that is called by Ray meanwhile is reached."""
        link = self._links.get(host)
        if link is not None:
            return link.silent(now)
        return host in self._dials and bool(self._failures.get(host)) and not self._fallbacks.get(host)

    # --- connections --------------------------------------------------------------------------------------

    async def _dial(self, host: str) -> None:
        try:
            while True:
                if failures := self._failures.get(host, 0):
                    if failures >= _DIALS_BEFORE_FALLBACK:
                        self._fallbacks.setdefault(host, 1)
                        self._due(host)
                    pause = min(_LONGEST_PAUSE, 0.02 * 2 ** min(failures, 10))
                    await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                endpoint = self._calls.view.hosts.get(host)
                if endpoint is None:
                    return
                try:
                    link = await self._open(host, endpoint)
                except Exception as error:
                    raise_if_cancelled()
                    # Whatever it is, an address that cannot be read for example: without a pause the next dial would
                    # follow at once, and fail as this one.
                    self._failures[host] = failures + 1
                    if isinstance(error, OSError | CallError):
                        log.info("stream.unreachable", host=host, error=str(error), failures=failures + 1)
                    else:
                        log.exception("stream.unreachable", host=host, failures=failures + 1)
                else:
                    self._links[host] = link
                    self._versions[host] = link.version
                    if self._fallbacks.pop(host, None) is not None:
                        # What went by Ray may hang for long where the network was cut; hosts know what they got twice.
                        self._calls.lost(host)
                    return
        finally:
            del self._dials[host]
            self._due(host)

    async def _open(self, host: str, endpoint: Endpoint) -> Link:
        def link() -> Link:
            return Link(
                self._secret,
                self._caller,
                lambda items: self._answered(host, items),
                lambda: self._due(host),
                lambda link: self._lost(host, link),
            )

        if endpoint.node == self._ray.node and endpoint.socket:
            opening: Any = self._loop.create_unix_connection(link, endpoint.socket)
        else:
            address, _, port = endpoint.address.rpartition(":")
            opening = self._loop.create_connection(link, address, int(port))
        async with asyncio.timeout(DIAL_SECONDS):
            transport, opened = await opening
            try:
                await opened.ready
            except BaseException:
                transport.abort()
                raise
        assert isinstance(opened, Link)
        if opened.transport is None:
            raise HostUnavailable("the connection ended with its handshake")
        return opened

    def _lost(self, host: str, link: Link) -> None:
        if self._links.get(host) is link:
            del self._links[host]
            self._doubt()
            if self._loop.time() - link.since < _LIVED_SECONDS:
                self._failures[host] = self._failures.get(host, 0) + 1
            else:
                self._failures.pop(host, None)
            self._calls.lost(host)
            if self._calls.waiting(host):
                self._due(host)

    # --- the fallback -------------------------------------------------------------------------------------

    def _send_by_ray(self, host: str, now: float) -> None:
        endpoint = self._calls.view.hosts.get(host)
        under_way = self._fallbacks.setdefault(host, 1)
        if endpoint is None or under_way > _FALLBACK_BATCHES:
            return
        frame = self._calls.batch(host, now, version=self._versions.get(host, OLDEST_PROTOCOL))
        if frame:
            self._fallbacks[host] = under_way + 1
            task = asyncio.create_task(self._deliver(host, endpoint, frame), name=f"ray batch {host}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, host: str, endpoint: Endpoint, frame: bytes) -> None:
        try:
            answers = await self._ray.deliver(endpoint, self._caller, frame)
            self._answered(host, unpack(answers[4:]))
        except Exception as error:
            raise_if_cancelled()
            # Whatever it is, the calls of the batch are not to wait for their deadlines.
            if isinstance(error, CallError):
                log.info("ray_call.failed", host=host, error=str(error))
            else:
                log.exception("ray_call.failed", host=host)
            if host not in self._links:
                self._calls.lost(host)
            await asyncio.sleep(0.1)
        finally:
            if host in self._fallbacks:
                self._fallbacks[host] = max(1, self._fallbacks[host] - 1)
            self._due(host)
