"""Which hosts run during an update: never fewer than usual, one replaced at a time, and it comes to an end."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.coordination.update import WantedHosts, wanted_hosts
from actors.runtime.store.rows import HostRow

SURGE = "host-surge"


class Fleet:
    """Hosts that do what they are told, one step after the other."""

    def __init__(self, *versions: str) -> None:
        self._started = itertools.count()
        self.rows: list[HostRow] = []
        for index, version in enumerate(versions):
            self.start(f"host-{index}", version)

    def start(self, name: str, version: str, node: str = "node") -> None:
        host = f"{name}.{next(self._started):04}"
        self.rows.append(HostRow(host, name, node, "", "", False, {}, version))

    def follow(self, wanted: WantedHosts) -> None:
        """Marks as a leader does."""
        self.rows = [replace(row, draining=wanted.drains(row)) for row in self.rows]

    def serving(self) -> set[str]:
        return {row.name for row in self.rows if not row.draining}


def wanted(fleet: Fleet, count: int, target: str = "v2", *, may_replace: bool = True) -> WantedHosts:
    return wanted_hosts(fleet.rows, count, target, may_replace=may_replace)


def test_without_a_deploy_versions_do_not_matter() -> None:
    assert wanted(Fleet("v1", "v2"), 2, target="") == WantedHosts(frozenset({"host-0", "host-1"}))


def test_the_surge_host_comes_before_any_host_goes() -> None:
    fleet = Fleet("v1", "v1")
    assert wanted(fleet, 2) == WantedHosts(frozenset({"host-0", "host-1", SURGE}))
    fleet.start(SURGE, "v2")
    assert wanted(fleet, 2).replacing == "host-0.0000"


def test_the_next_host_waits_until_the_one_before_serves_again() -> None:
    fleet = Fleet("v1", "v1")
    fleet.start(SURGE, "v2")
    fleet.rows = [row for row in fleet.rows if row.name != "host-0"]
    assert wanted(fleet, 2) == WantedHosts(frozenset({"host-0", "host-1", SURGE}))
    fleet.start("host-0", "v2")
    assert wanted(fleet, 2).replacing == "host-1.0001"


def test_the_surge_host_stands_in_for_the_last_host_too() -> None:
    fleet = Fleet()
    fleet.start(SURGE, "v2")
    assert SURGE in wanted(fleet, 1).names
    fleet.start("host-0", "v2")
    assert wanted(fleet, 1) == WantedHosts(frozenset({"host-0"}))


def test_a_surge_host_of_the_old_version_is_replaced_first() -> None:
    fleet = Fleet("v1")
    fleet.start(SURGE, "v1")
    assert wanted(fleet, 1).replacing == f"{SURGE}.0001"


def test_a_deploy_of_the_version_before_goes_back() -> None:
    fleet = Fleet("v2", "v1", "v1")
    fleet.start(SURGE, "v2")
    assert wanted(fleet, 3, target="v1").replacing == f"{SURGE}.0003"


def test_while_nothing_may_be_replaced_what_is_there_stays() -> None:
    fleet = Fleet("v2", "v1")
    assert wanted(fleet, 2, may_replace=False) == WantedHosts(frozenset({"host-0", "host-1"}))
    fleet.start(SURGE, "v2")
    assert wanted(fleet, 2, may_replace=False) == WantedHosts(frozenset({"host-0", "host-1", SURGE}))


@pytest.mark.parametrize("target", ["", "v1", "v2"], ids=["no deploy", "up to date", "during an update"])
def test_hosts_leave_a_node_that_is_to_go_one_at_a_time_before_any_other_is_replaced(target: str) -> None:
    fleet = Fleet("v1")
    for number in (1, 2):
        fleet.start(f"host-{number}", "v1", "leaving")
    gone = []
    for _ in range(10):
        decided = wanted_hosts(fleet.rows, 3, target, may_replace=False, leaving={"leaving"})
        fleet.follow(decided)
        assert len(fleet.serving()) >= 3
        gone += [row.host for row in fleet.rows if row.draining]
        fleet.rows = [row for row in fleet.rows if not row.draining]
        for name in decided.names - {row.name for row in fleet.rows}:
            fleet.start(name, "v1", "another")
    assert gone[:2] == ["host-1.0001", "host-2.0002"]
    assert {row.node for row in fleet.rows} == {"node", "another"}
    if target != "v2":  # else the surge host stays for the rest of the update
        assert sorted(row.name for row in fleet.rows) == ["host-0", "host-1", "host-2"]


EVENTS = st.sampled_from(["start", "start", "start", "empty", "empty", "empty", "crash", "wait", "wrong version"])


@given(
    versions=st.lists(st.sampled_from(["v1", "v2"]), min_size=1, max_size=5),
    events=st.lists(st.tuples(EVENTS, st.integers(0, 9)), max_size=60),
)
def test_an_update_never_takes_a_second_host_away_and_ends(versions: list[str], events: list[tuple[str, int]]) -> None:
    fleet, count = Fleet(*versions), len(versions)
    usual = {f"host-{index}" for index in range(count)}
    whole = True
    """Whether no host has crashed and is still away."""

    def step(event: str, pick: int) -> None:
        nonlocal whole
        missing = sorted(wanted(fleet, count).names - {row.name for row in fleet.rows})
        draining = [row for row in fleet.rows if row.draining]
        if event in ("start", "wrong version") and missing:
            fleet.start(missing[pick % len(missing)], "v2" if event == "start" else "v1")
        elif event == "empty" and draining:
            fleet.rows.remove(draining[pick % len(draining)])
        elif event == "crash" and fleet.rows:
            whole = False
            fleet.rows.pop(pick % len(fleet.rows))
        decided = wanted(fleet, count)
        fleet.follow(decided)
        whole = whole or usual <= fleet.serving()
        assert sum(row.draining for row in fleet.rows if row.name in decided.names) <= 1
        if whole:
            assert len(fleet.serving()) >= count, f"after {event}: {fleet.rows}"

    for event, pick in events:
        step(event, pick)
    for _ in range(10 * count + 10):
        step("start", 0)
        step("empty", 0)
    assert sorted((row.name, row.code_version) for row in fleet.rows) == [(name, "v2") for name in sorted(usual)]
