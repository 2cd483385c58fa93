"""The control plane as routers use it: Ray names, Ray calls, and how their failures read here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

import ray
from ray.exceptions import RayError

from actors.runtime.errors import HostUnavailable
from actors.runtime.shard_map import Endpoint, MapPosition, MapView

WATCH_SECONDS = 30.0
"""How long the leader holds a watch that has nothing to tell."""
STANDBY_WATCH_SECONDS = 1.0
"""The same of a coordinator that does not lead: another knows of changes first."""
_ANSWER_SECONDS = WATCH_SECONDS + 2.0
_DELIVER_SECONDS = 15.0
"""A host gives a batch back in a fraction of a second, whatever its calls wait for."""
_PATIENCE_SECONDS = 1.0
"""Between looks at whether a host that has a batch is still within reach, and how long such a look may take."""
_DETOUR_SECONDS = 5.0
"""How long a host that was out of reach is not tried directly."""


HOST_PREFIX = "host-"
"""How the Ray actor names of all shard hosts begin."""
SURGE_HOST = f"{HOST_PREFIX}surge"
"""Ray actor name of the host that is there only while the code is updated."""


def coordinator_name(index: int) -> str:
    """Ray actor name of a candidate for leadership."""
    return f"coordinator-{index}"


def host_name(index: int) -> str:
    """Ray actor name of a shard host."""
    return f"{HOST_PREFIX}{index}"


async def ask(reference: Any, seconds: float) -> Any:
    """A Ray call's result. Raises HostUnavailable if the actor is gone, unreachable or too slow."""
    try:
        async with asyncio.timeout(seconds):
            waited: Awaitable[Any] = reference
            return await waited
    except (RayError, TimeoutError) as error:
        *_, last = ["", *str(error).strip().splitlines()]  # an error on the other side comes with its whole traceback
        raise HostUnavailable(f"{type(error).__name__}: {last}") from error


class RayControl:
    """The control plane of runtime ``name`` for one process."""

    def __init__(self, name: str, coordinators: int = 2) -> None:
        self._name = name
        self._coordinators = coordinators
        self._handles: dict[str, Any] = {}
        self._candidate = 0
        self._detours: dict[str, float] = {}
        self.node: str = ray.get_runtime_context().get_node_id()

    async def handle(self, actor: str) -> Any:
        """The actor of this name; raises HostUnavailable."""
        known = self._handles.get(actor)
        if known is None:
            try:
                known = await asyncio.to_thread(ray.get_actor, actor, namespace=self._name)
            except (ValueError, RayError) as error:
                raise HostUnavailable(f"no actor {actor} in {self._name}") from error
            self._handles[actor] = known
        return known

    async def watch(self, known: MapPosition) -> tuple[MapView, bool]:
        """See map_watch.MapSource. Turns to the next candidate when one fails."""
        candidate = self._candidate
        name = coordinator_name(candidate)
        try:
            view, leads = await ask((await self.handle(name)).watch.remote(known), _ANSWER_SECONDS)
        except HostUnavailable:
            self._handles.pop(name, None)
            self._turn_from(candidate)
            raise
        if not leads:
            # The leader knows of changes first.
            self._turn_from(candidate)
            if known.generation and view.generation != known.generation:
                # Perhaps an older one than is known here. Whether the map has another history is the leader's to say.
                return MapView(), False
        return view, leads

    async def check_watch(self) -> None:
        """See map_watch.MapSource. Turns to the next candidate if the one that is watched does not answer."""
        candidate = self._candidate
        name = coordinator_name(candidate)
        if not await self._answers(name):
            self._turn_from(candidate)
            raise HostUnavailable(f"{name} does not answer")

    def _turn_from(self, candidate: int) -> None:
        """Has the next question go to another candidate than this one. A watch and its check often fail together: if
        each went one further, two candidates would be passed over, and the one that is gone would be asked again, for
        as long as a doubt lasts."""
        if candidate == self._candidate:
            self._candidate = (candidate + 1) % self._coordinators

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        """See router.ControlPlane. By way of a coordinator if this node and the host's cannot reach each other.

        A batch may arrive both ways: hosts know their calls by number.
        """
        now = time.monotonic()
        if self._detours.get(host.incarnation, 0.0) <= now:
            try:
                return await self.deliver_directly(host, caller, frame)
            except HostUnavailable:
                self._detours = {known: until for known, until in self._detours.items() if until > now}
                self._detours[host.incarnation] = time.monotonic() + _DETOUR_SECONDS
        for index in range(self._coordinators):
            name = coordinator_name(index)
            if await self._answers(name):
                answers = await self._ask(name, "forward", _DELIVER_SECONDS, host, caller, frame)
                assert isinstance(answers, bytes)
                return answers
        raise HostUnavailable(f"no way to {host.name}")

    async def deliver_directly(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        """The same from this node to the host's. Ray waits very long for an answer behind a dead link, so it is
        checked now and then whether there is one."""
        batch = asyncio.ensure_future(
            self._ask(host.name, "deliver", _DELIVER_SECONDS, host.incarnation, caller, frame)
        )
        try:
            while not (await asyncio.wait([batch], timeout=_PATIENCE_SECONDS))[0]:
                if not await self._answers(host.name) and not batch.done():
                    raise HostUnavailable(f"{host.name} is out of reach")
        finally:
            batch.cancel()
        answers = await batch
        assert isinstance(answers, bytes)
        return answers

    async def _answers(self, actor: str) -> bool:
        try:
            await self._ask(actor, "status", _PATIENCE_SECONDS)
        except HostUnavailable:
            return False
        return True

    async def _ask(self, actor: str, method: str, seconds: float, *arguments: Any) -> Any:
        try:
            return await ask(getattr(await self.handle(actor), method).remote(*arguments), seconds)
        except HostUnavailable:
            self._handles.pop(actor, None)
            raise
