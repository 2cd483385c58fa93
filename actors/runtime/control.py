"""The control plane as routers use it: Ray names, Ray calls, and how their failures read here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import ray
from ray.exceptions import RayError

from actors.runtime.errors import HostUnavailable
from actors.runtime.shards import Endpoint, MapView

WATCH_SECONDS = 1.0
"""How long a coordinator holds a watch that has nothing to tell."""
_ANSWER_SECONDS = 2.5
_DELIVER_SECONDS = 65.0


def coordinator_name(index: int) -> str:
    """Ray actor name of a candidate for leadership."""
    return f"coordinator-{index}"


def host_name(index: int) -> str:
    """Ray actor name of a shard host."""
    return f"host-{index}"


async def ask(reference: Any, seconds: float) -> Any:
    """A Ray call's result. Raises HostUnavailable if the actor is gone, unreachable or too slow."""
    try:
        async with asyncio.timeout(seconds):
            waited: Awaitable[Any] = reference
            return await waited
    except (RayError, TimeoutError) as fault:
        raise HostUnavailable(f"{type(fault).__name__}: {fault}") from fault


class RayControl:
    """The control plane of runtime ``name`` for one process."""

    def __init__(self, name: str, coordinators: int = 2) -> None:
        self._name = name
        self._coordinators = coordinators
        self._handles: dict[str, Any] = {}
        self._candidate = 0
        self.node: str = ray.get_runtime_context().get_node_id()

    async def handle(self, actor: str) -> Any:
        """The actor of this name; raises HostUnavailable."""
        known = self._handles.get(actor)
        if known is None:
            try:
                known = await asyncio.to_thread(ray.get_actor, actor, namespace=self._name)
            except (ValueError, RayError) as fault:
                raise HostUnavailable(f"no actor {actor} in {self._name}") from fault
            self._handles[actor] = known
        return known

    async def watch(self, version: int) -> MapView:
        """See router.ControlPlane. Turns to the next candidate when one fails."""
        name = coordinator_name(self._candidate)
        try:
            view, leads = await ask((await self.handle(name)).watch.remote(version), _ANSWER_SECONDS)
        except HostUnavailable:
            self._handles.pop(name, None)
            self._candidate = (self._candidate + 1) % self._coordinators
            raise
        if not leads:
            # The leader knows of changes first.
            self._candidate = (self._candidate + 1) % self._coordinators
        assert isinstance(view, MapView)
        return view

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        """See router.ControlPlane."""
        try:
            handle = await self.handle(host.name)
            answers = await ask(handle.deliver.remote(host.incarnation, caller, frame), _DELIVER_SECONDS)
        except HostUnavailable:
            self._handles.pop(host.name, None)
            raise
        assert isinstance(answers, bytes)
        return answers
