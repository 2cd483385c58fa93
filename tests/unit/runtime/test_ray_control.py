"""Which coordinator a process asks for the map."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.exceptions import RayError

from actors.runtime.errors import HostUnavailable
from actors.runtime.shard_map import MapPosition, MapView
from actors.runtime.transport.map_watch import MapWatch
from actors.runtime.transport.ray_control import RayControl, coordinator_name
from tests.unit.runtime.network import SteppedLoop

STEP = 0.05


class Coordinator:
    """An actor that leads, and tells of its map who does not have it yet."""

    def __init__(self, view: MapView) -> None:
        self.view = view
        self.gone = asyncio.Event()
        self.watch = SimpleNamespace(remote=self._watch)
        self.status = SimpleNamespace(remote=self._status)

    async def _watch(self, known: MapPosition) -> tuple[MapView, bool]:
        if known == self.view.position:
            await self.gone.wait()
            raise RayError("the actor died")
        return self.view, True

    async def _status(self) -> dict[str, Any]:
        return {}


class Control(RayControl):
    """Finds the coordinators that there are, after a while."""

    def __init__(self) -> None:
        super().__init__("runtime")
        self.living: dict[str, Coordinator] = {}

    async def handle(self, actor: str) -> Any:
        await asyncio.sleep(0)
        if actor not in self.living:
            raise HostUnavailable(f"no actor {actor}")
        return self.living[actor]


@pytest.mark.parametrize("name", [coordinator_name(0), coordinator_name(1)])
def test_a_doubt_that_lasts_does_not_keep_a_router_from_the_one_coordinator_there_is(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(get_node_id=lambda: "here"))
    loop = SteppedLoop((HostUnavailable, RayError))
    control, views = Control(), [MapView()]
    watches: list[MapWatch] = []

    def begin() -> None:
        watches.append(MapWatch(control, lambda: views[-1].position, views.append))
        loop.create_task(watches[0].run())

    def run_for(seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            loop.now += STEP
            loop.do(watches[0].doubt)  # all the time calls wait for a host that is gone

    try:
        loop.do(begin)
        for version in range(1, 4):
            control.living = {name: Coordinator(MapView(version, {}, {}))}
            run_for(2)
            assert views[-1].version == version
            lost = control.living.pop(name)
            loop.do(lost.gone.set)
            run_for(1 + version / 10)
    finally:
        loop.end()
