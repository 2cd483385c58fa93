"""The router: how any process of the cluster calls an entity.

It sends all calls of one turn of the event loop in one frame per host (`host_links`), follows the map, and settles
calls by their answers and deadlines (`calls`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterable
from typing import Any, Protocol

from actors.runtime.errors import CallError, HostUnavailable, from_wire
from actors.runtime.shard_map import Endpoint, MapPosition, MapView, shard_of
from actors.runtime.transport.call_in_flight import Call, ManyCalls, lateness
from actors.runtime.transport.calls import MAX_SECONDS, CallTable
from actors.runtime.transport.frames import DONE, pack_body, unpack_answer
from actors.runtime.transport.host_links import HostLinks, RayCalls
from actors.runtime.transport.impatient_calls import ImpatientCalls
from actors.runtime.transport.map_watch import MapSource, MapWatch
from actors.runtime.value import Value
from cluster.trace import current_traceparent

TICK = 0.025
"""Seconds between looks at deadlines while calls are in flight."""
_SILENCE_SECONDS = 0.3
"""A call that is in flight for longer raises a doubt about the map."""


class ControlPlane(MapSource, RayCalls, Protocol):
    """What a router asks of Ray."""


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
        self._calls = CallTable()
        self._loop = asyncio.get_running_loop()
        self._dirty: set[str] = set()
        self._flush_due = False
        self._tick_due = False
        self._closed = False
        self._map_watch = MapWatch(control, lambda: self._calls.view.position, self._mapped_anew)
        self._links = HostLinks(
            control, secret, self._calls, self._answered, self._due, self._map_watch.doubt, direct=direct
        )
        self._impatient = ImpatientCalls(self._links.out_of_reach)
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
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self._links.close()
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

    def call(
        self, kind: str, entity_id: str, message: Value, timeout: float = 5.0, *, patient: bool = True
    ) -> asyncio.Future[Value]:
        """Delivers ``message`` to an entity; the future is its reply, or an error of actors.runtime.errors.

        ``timeout`` is in seconds, at most ``calls.MAX_SECONDS``; the future is settled by then. Raises TypeError at
        once for a message that msgpack does not carry; every other failure is the future's. Who is not ``patient`` gets
        HostUnavailable as soon as the host is out of reach (`impatient_calls`).
        """
        future: asyncio.Future[Value] = self._loop.create_future()
        try:
            self._require_open()
            if not patient:
                self._impatient.require(self.owner(kind, entity_id), self._loop.time())
            body = pack_body(message)
            host = self._calls.add(kind, entity_id, body, self._deadline(timeout), future, current_traceparent())
        except CallError as error:
            future.set_exception(error)
            return future
        if not patient:
            self._impatient.add(future, host)
        self._due(host)
        return future

    def call_all(
        self, kind: str, entity_ids: Collection[str], message: Value, timeout: float = 5.0
    ) -> asyncio.Future[None]:
        """Delivers the same ``message`` to many entities, for much less than as many ``call``s. The future is done when
        all have answered, whatever they replied; it has the first error if any failed, when all are settled."""
        future: asyncio.Future[None] = self._loop.create_future()
        waiter = ManyCalls(len(entity_ids), future)
        try:
            self._require_open()
            body = pack_body(message)
        except CallError as error:
            future.set_exception(error)
            return future
        deadline, trace = self._deadline(timeout), current_traceparent()
        for entity_id in entity_ids:
            try:
                host = self._calls.add(kind, entity_id, body, deadline, waiter, trace)
            except CallError as error:
                waiter.set_exception(error)
            else:
                self._due(host)
        return future

    def call_host(
        self, host: str, what: str, message: Value, timeout: float, *, patient: bool = True
    ) -> asyncio.Future[Value]:
        """A call to the runtime inside a host (handoffs), which fails if the host goes; also if it is out of reach, for
        who is not ``patient``."""
        future: asyncio.Future[Value] = self._loop.create_future()
        try:
            self._require_open()
            if not patient:
                self._impatient.require(host, self._loop.time())
            body = pack_body(message)
            self._calls.add_for(host, what, body, self._deadline(timeout), future, current_traceparent())
        except CallError as error:
            future.set_exception(error)
            return future
        if not patient:
            self._impatient.add(future, host)
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
            self._links.send(host, now)
        if not self._tick_due and len(self._calls):
            self._tick_due = True
            self._loop.call_later(TICK, self._tick)

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
        self._impatient.look(now)
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

    # --- the map ------------------------------------------------------------------------------------------

    def _mapped_anew(self, view: MapView) -> None:
        if view.supersedes(self._calls.view):
            self.follow(view)

    def follow(self, view: MapView) -> None:
        """Takes a newer map: calls are led to their new hosts, connections to gone hosts end."""
        self._fail(self._calls.mapped(view, self._loop.time()), HostUnavailable("the host or the kind is gone"))
        self._links.forget_others(view)
        for host in self._calls.queues:
            self._due(host)
        self._mapped.set()

    @staticmethod
    def _fail(calls: Iterable[Call], error: CallError) -> None:
        for call in calls:
            if not call.waiter.done():
                with contextlib.suppress(asyncio.InvalidStateError):
                    call.waiter.set_exception(error)
