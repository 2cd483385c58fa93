"""Which coordinators the reconciler replaces, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from actors.runtime.coordination.reconciler import Reconciler
from actors.runtime.errors import HostUnavailable

NAMES = ["coordinator-0", "coordinator-1"]
SERVING = {"phase": "serving", "up": 1000.0}


class Actors:
    """Coordinators with a status each; None: no answer."""

    def __init__(self) -> None:
        self.statuses: dict[str, Mapping[str, Any] | None] = dict.fromkeys(NAMES, SERVING)
        self.ensured: list[list[str]] = []
        self.restarted: list[str] = []

    async def ensure(self, names: Sequence[str]) -> None:
        self.ensured.append(list(names))

    async def status(self, name: str) -> Mapping[str, Any]:
        status = self.statuses[name]
        if status is None:
            raise HostUnavailable(name)
        return status

    async def restart(self, name: str) -> None:
        self.restarted.append(name)


class Clock:
    """Stands still between reconciliations."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic


async def run(actors: Actors, reconciler: Reconciler, clock: Clock, seconds: float) -> list[tuple[str, float]]:
    """Reconciles every half a minute; who was restarted, and when."""
    restarts = []
    until = clock.now + seconds
    while clock.now < until:
        before = len(actors.restarted)
        await reconciler.reconcile(NAMES)
        restarts += [(name, clock.now) for name in actors.restarted[before:]]
        clock.now += 30.0
    return restarts


async def test_those_that_serve_are_left_alone_and_those_that_are_missing_are_created() -> None:
    actors, clock = Actors(), Clock()
    assert await run(actors, Reconciler(actors, clock), clock, 600.0) == []
    assert actors.ensured == [NAMES] * 20


@pytest.mark.parametrize("status", [None, {"phase": "starting", "up": 100.0}, {"phase": "stalled", "up": 1000.0}])
async def test_one_that_does_not_serve_is_replaced_after_a_patience_that_doubles(status: Mapping[str, Any]) -> None:
    actors, clock = Actors(), Clock()
    actors.statuses["coordinator-1"] = status
    restarts = await run(actors, Reconciler(actors, clock), clock, 600.0)
    assert restarts == [("coordinator-1", 60.0), ("coordinator-1", 180.0), ("coordinator-1", 420.0)]


async def test_one_that_another_process_has_just_restarted_is_given_its_time() -> None:
    actors, clock = Actors(), Clock()
    reconciler = Reconciler(actors, clock)
    actors.statuses["coordinator-1"] = None
    await run(actors, reconciler, clock, 60.0)
    actors.statuses["coordinator-1"] = {"phase": "starting", "up": 5.0}
    assert await run(actors, reconciler, clock, 60.0) == []


async def test_one_that_served_again_is_judged_anew() -> None:
    actors, clock = Actors(), Clock()
    reconciler = Reconciler(actors, clock)
    actors.statuses["coordinator-1"] = None
    await run(actors, reconciler, clock, 300.0)
    actors.statuses["coordinator-1"] = SERVING
    await run(actors, reconciler, clock, 30.0)
    actors.statuses["coordinator-1"] = None
    begin = clock.now
    assert (await run(actors, reconciler, clock, 90.0))[0] == ("coordinator-1", begin + 60.0)
