"""Which coordinators the reconciler replaces, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from actors.runtime.coordination.reconciler import Reconciler
from actors.runtime.errors import HostUnavailable

NAMES = ["coordinator-0", "coordinator-1"]
SERVING = {"phase": "serving", "up": 1000.0, "leads": False, "code_version": "v1"}


class Actors:
    """Coordinators with a status each; None: no answer."""

    def __init__(self) -> None:
        self.statuses: dict[str, Mapping[str, Any] | None] = dict.fromkeys(NAMES, SERVING)
        self.ensured: list[list[str]] = []
        self.restarted: list[str] = []
        self.replaced: list[str] = []

    async def ensure(self, names: Sequence[str]) -> None:
        self.ensured.append(list(names))

    async def status(self, name: str) -> Mapping[str, Any]:
        status = self.statuses[name]
        if status is None:
            raise HostUnavailable(name)
        return status

    async def restart(self, name: str) -> None:
        self.restarted.append(name)

    async def replace(self, name: str, target: str) -> None:
        self.replaced.append(name)
        self.statuses[name] = None


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


async def test_outdated_coordinators_are_replaced_one_at_a_time_the_leader_last() -> None:
    actors = Actors()
    reconciler = Reconciler(actors, Clock())
    actors.statuses["coordinator-0"] = {**SERVING, "leads": True}
    assert await reconciler.reconcile(NAMES, "v2")
    assert actors.replaced == ["coordinator-1"]
    for status in (None, {"phase": "starting", "up": 1.0, "leads": False, "code_version": "v2"}):
        actors.statuses["coordinator-1"] = status
        assert await reconciler.reconcile(NAMES, "v2")
        assert actors.replaced == ["coordinator-1"], "the other one leads until this one could"
    actors.statuses["coordinator-1"] = {**SERVING, "code_version": "v2"}
    assert await reconciler.reconcile(NAMES, "v2")
    assert actors.replaced == ["coordinator-1", "coordinator-0"]
    actors.statuses["coordinator-0"] = {**SERVING, "code_version": "v2"}
    assert not await reconciler.reconcile(NAMES, "v2")
    assert actors.replaced == ["coordinator-1", "coordinator-0"]


async def test_coordinators_older_than_versions_are_outdated() -> None:
    actors = Actors()
    for name in NAMES:
        actors.statuses[name] = {"phase": "serving", "up": 1000.0, "leads": False}
    assert await Reconciler(actors, Clock()).reconcile(NAMES, "v2")
    assert actors.replaced == ["coordinator-0"]


async def test_without_a_target_no_version_is_replaced() -> None:
    actors = Actors()
    assert not await Reconciler(actors, Clock()).reconcile(NAMES)
    assert actors.replaced == []
