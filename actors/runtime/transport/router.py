"""The router: how any process of the cluster calls an entity.

It keeps one stream per host, sends all calls of one turn of the event loop in one frame per host, and
falls back to Ray actor calls, just as coalesced, while a host's stream cannot be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Iterable
from typing import Any, Protocol

import structlog

from actors.runtime.errors import CallError, HostUnavailable, from_wire
from actors.runtime.shard_map import Endpoint, MapPosition, MapView, shard_of
from actors.runtime.transport.calls import MAX_SECONDS, Call, CallTable, lateness
from actors.runtime.transport.frames import DONE, OLDEST_PROTOCOL, pack_body, unpack, unpack_answer
from actors.runtime.transport.map_watch import MapSource, MapWatch
from actors.runtime.transport.stream import Link
from actors.runtime.value import Value
from cluster.cancellation import raise_if_cancelled
from cluster.trace import current_traceparent

TICK = 0.025
"""Seconds between looks at deadlines while calls are in flight."""
DIAL_SECONDS = 1.0
_DIALS_BEFORE_FALLBACK = 2
_LIVED_SECONDS = 1.0
"""A connection that did not last so long counts as one that failed: the next waits like after a failed dial."""
_LONGEST_PAUSE = 2.0
_SILENCE_SECONDS = 0.3
"""A call that is in flight for longer raises a doubt about the map."""
_STREAM_BATCH = 128
"""Calls a frame on a stream: the host works on the first of many while the others are packed and sent."""
_FALLBACK_BATCHES = 4
"""Batches that may be under way to one host as Ray calls."""

log = structlog.get_logger(__name__)


class ControlPlane(MapSource, Protocol):
    """What a router asks of Ray."""

    @property
    def node(self) -> str:
        """Id of the node this process runs on."""

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        """Carries a CALLS frame to the host as a Ray actor call; the ANSWERS frame."""


class NoControlPlane:
    """There is no Ray behind the router: it is told its map with ``follow``, and streams are the only way to a host."""

    def __init__(self, node: str) -> None:
        self.node = node

    async def watch(self, known: MapPosition) -> tuple[MapView, bool]:
        """See MapSource. Never."""
        await asyncio.Event().wait()
        raise AssertionError

    async def check_watch(self) -> None:
        """See MapSource."""

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        """See ControlPlane."""
        raise HostUnavailable(host.name)


class Router:
    """Calls entities. One per process and event loop; make it with ``connect``."""

    def __init__(self, control: ControlPlane, secret: bytes, *, direct: bool = True) -> None:
        """``direct=False`` uses Ray calls only (to measure them, and where no port may be opened)."""
        self._control = control
        self._secret = secret
        self._direct = direct
        self._caller = secrets.token_bytes(8)
        self._calls = CallTable()
        self._loop = asyncio.get_running_loop()
        self._links: dict[str, Link] = {}
        self._dials: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, int] = {}
        self._versions: dict[str, int] = {}
        """Of the protocol that each host spoke on its last connection."""
        self._fallbacks: dict[str, int] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._dirty: set[str] = set()
        self._flush_due = False
        self._tick_due = False
        self._closed = False
        self._map_watch = MapWatch(control, lambda: self._calls.view.position, self._mapped_anew)
        self._watcher: asyncio.Task[None] | None = None
        self._oldest: tuple[int, float] = (0, 0.0)
        """The call that is longest in flight, and since when."""
        self._mapped = asyncio.Event()

    @classmethod
    async def connect(cls, name: str, *, secret: str, direct: bool = True, timeout_s: float = 30.0) -> Router:
        """The router of runtime ``name`` in a process that is connected to its Ray cluster.

        Waits up to ``timeout_s`` seconds for a first map; raises HostUnavailable.
        """
        from actors.runtime.transport.ray_control import RayControl

        router = cls(RayControl(name), secret.encode(), direct=direct)
        await router.start(timeout_s)
        return router

    def follow_map(self) -> None:
        """Begins to follow the map; calls made before there is one wait for it."""
        self._watcher = asyncio.create_task(self._map_watch.run(), name="router-map")

    async def start(self, timeout_s: float) -> None:
        """``follow_map``, and the first map is here."""
        self.follow_map()
        try:
            async with asyncio.timeout(timeout_s):
                await self._mapped.wait()
        except TimeoutError:
            await self.close()
            raise HostUnavailable("the runtime published no map in time") from None

    async def wait_for_host(self, host: str, timeout_s: float) -> None:
        """Waits until the map names ``host``; raises HostUnavailable."""
        try:
            async with asyncio.timeout(timeout_s):
                while host not in self._calls.view.hosts:
                    self._mapped.clear()
                    await self._mapped.wait()
        except TimeoutError:
            raise HostUnavailable(f"no news of {host}") from None

    async def close(self) -> None:
        """Ends all connections; calls in flight fail with HostUnavailable."""
        self._closed = True
        tasks = [*self._dials.values(), *self._tasks]
        if self._watcher is not None:
            tasks.append(self._watcher)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in list(self._links.values()):
            if link.transport is not None:
                link.transport.abort()
        self._fail(self._calls.drain(), HostUnavailable("the router was closed"))

    @property
    def view(self) -> MapView:
        """The map as this router knows it."""
        return self._calls.view

    @property
    def map_is_stale(self) -> bool:
        """Whether this router has followed the map and now hears of no leader. Calls go on: to the hosts as they were,
        which lead them to those that they know of."""
        return self._watcher is not None and self._map_watch.stale

    def owner(self, kind: str, entity_id: str) -> str:
        """The host that owns the entity's shard as far as this router knows, "" if none."""
        owners = self._calls.view.owners.get(kind)
        return owners[shard_of(entity_id)] if owners is not None else ""

    @property
    def in_flight(self) -> int:
        """Calls that were made and not settled."""
        return len(self._calls)

    def call(self, kind: str, entity_id: str, message: Value, timeout: float = 5.0) -> asyncio.Future[Value]:
        """Delivers ``message`` to an entity; the future is its reply, or an error of actors.runtime.errors.

        ``timeout`` is in seconds, at most ``calls.MAX_SECONDS``; the future is settled by then. Raises TypeError at
        once for a message that msgpack does not carry; every other failure is the future's.
        """
        future: asyncio.Future[Value] = self._loop.create_future()
        try:
            self._require_open()
            body = pack_body(message)
            host = self._calls.add(kind, entity_id, body, self._deadline(timeout), future, current_traceparent())
        except CallError as error:
            future.set_exception(error)
            return future
        self._due(host)
        return future

    def call_host(self, host: str, what: str, message: Value, timeout: float) -> asyncio.Future[Value]:
        """A call to the runtime inside a host (handoffs), which fails if the host goes."""
        future: asyncio.Future[Value] = self._loop.create_future()
        try:
            self._require_open()
            body = pack_body(message)
            self._calls.add_for(host, what, body, self._deadline(timeout), future, current_traceparent())
        except CallError as error:
            future.set_exception(error)
            return future
        self._due(host)
        return future

    def _require_open(self) -> None:
        if self._closed:
            raise HostUnavailable("the router is closed")

    def _deadline(self, timeout: float) -> float:
        # In this order, so that a NaN is the longest time.
        return self._loop.time() + max(0.0, min(MAX_SECONDS, timeout))

    def _due(self, host: str) -> None:
        if host:
            self._dirty.add(host)
        if not self._flush_due and not self._closed:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._closed:
            return
        dirty, self._dirty = self._dirty, set()
        now = self._loop.time()
        for host in dirty:
            self._send(host, now)
        if not self._tick_due and len(self._calls):
            self._tick_due = True
            self._loop.call_later(TICK, self._tick)

    def _send(self, host: str, now: float) -> None:
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

    def _tick(self) -> None:
        self._tick_due = False
        now = self._loop.time()
        for call in self._calls.tick(now):
            if not call.waiter.done():
                call.waiter.set_exception(lateness(call))
        if self._calls.oldest != self._oldest[0]:
            self._oldest = (self._calls.oldest, now)
        elif self._oldest[0] and now - self._oldest[1] >= _SILENCE_SECONDS:
            self._map_watch.doubt()
        for host in list(self._calls.queues):
            if self._calls.waiting(host):
                self._dirty.add(host)
        self._flush()

    def _answered(self, host: str, items: list[Any]) -> None:
        settle = self._calls.answer
        now = self._loop.time()
        for packed in items[1:]:
            number, status, value = unpack_answer(packed)
            call = settle(host, number, status, value, now)
            if call is None:
                continue
            waiter = call.waiter
            if waiter.done():
                continue
            if status == DONE:
                waiter.set_result(value)
            else:
                waiter.set_exception(from_wire(status, value))
        self._flush_soon_after_answers(host)

    def _flush_soon_after_answers(self, host: str) -> None:
        # The window opened for calls that wait here, and calls that moved have a new queue.
        for host_queue in self._calls.queues:
            if self._calls.waiting(host_queue):
                self._due(host_queue)

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

        if endpoint.node == self._control.node and endpoint.socket:
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
            self._map_watch.doubt()
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
            answers = await self._control.deliver(endpoint, self._caller, frame)
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

    # --- the map ------------------------------------------------------------------------------------------

    def _mapped_anew(self, view: MapView) -> None:
        if view.supersedes(self._calls.view):
            self.follow(view)

    def follow(self, view: MapView) -> None:
        """Takes a newer map: calls are led to their new hosts, connections to gone hosts end."""
        self._fail(self._calls.mapped(view, self._loop.time()), HostUnavailable("the host or the kind is gone"))
        for host in [host for host in self._links if host not in view.hosts]:
            link = self._links.pop(host)
            if link.transport is not None:
                link.transport.abort()
        for host in [host for host in self._fallbacks if host not in view.hosts]:
            del self._fallbacks[host]
        self._versions = {host: version for host, version in self._versions.items() if host in view.hosts}
        self._failures = {host: failures for host, failures in self._failures.items() if host in view.hosts}
        for host in self._calls.queues:
            self._due(host)
        self._mapped.set()

    @staticmethod
    def _fail(calls: Iterable[Call], error: CallError) -> None:
        for call in calls:
            if not call.waiter.done():
                with contextlib.suppress(asyncio.InvalidStateError):
                    call.waiter.set_exception(error)
