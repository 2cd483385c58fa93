"""Which realtime hosts should run where. Pure decisions.

Every node on which something else works has `per_node` hosts: Ray's autoscaler lets no node go that has an actor. An
update of the code is made node by node: one host more, of the version that should run, and when it serves, one of
another version is drained; so a node's clients always find a host.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

_START_S = 60.0
"""How long a host may take until it serves, and be silent, before its process is replaced."""
_MAX_START_S = 960.0

Place = tuple[str, int]
"""A node's id and the number of a host there."""


@dataclass(frozen=True, slots=True)
class HostState:
    """What a host says of itself."""

    phase: str
    """`starting`, `serving`, `draining`, or `silent` if it does not answer."""
    version: str = ""
    """The version of the code that it runs."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What is to be done now."""

    start: list[Place] = field(default_factory=list)
    """Hosts that are missing."""
    surge: list[Place] = field(default_factory=list)
    """Hosts beside those of another version of the code; only where the node's disk has the right one."""
    drain: list[Place] = field(default_factory=list)
    lost: list[Place] = field(default_factory=list)
    """Hosts of nodes that are gone."""


def next_steps(
    living: Collection[str],
    draining: Collection[str],
    hosts: Mapping[Place, HostState],
    per_node: int,
    target: str,
    idle: Collection[str] = (),
) -> Steps:
    """Compares the hosts that run with those that should, on the `living` nodes. Those on `draining` ones leave, and
    none is started on `idle` ones.

    Hosts are replaced only with a `target` version. A host that does not say which version it runs yet counts as one of
    the target version that does not serve.
    """
    steps = Steps()
    for place, state in sorted(hosts.items()):
        if place[0] not in living:
            steps.lost.append(place)
        elif place[0] in draining or state.phase == "draining":
            steps.drain.append(place)
    updating = False
    for node in sorted(set(living) - set(draining)):
        here = {
            index: state for (at, index), state in sorted(hosts.items()) if at == node and state.phase != "draining"
        }
        taken = {index for at, index in hosts if at == node}
        free = (index for index in range(len(taken) + per_node) if index not in taken)
        if len(here) < per_node and node not in idle:
            steps.start.extend((node, next(free)) for _ in range(per_node - len(here)))
        if not target or updating:
            continue
        serving = [index for index, state in here.items() if state.phase == "serving"]
        outdated = [index for index, state in here.items() if state.phase != "silent" and state.version != target]
        updating = bool(outdated)  # the other nodes wait
        if len(here) > per_node:
            spare = [index for index in outdated if index not in serving]
            if len(serving) > per_node:
                spare += [index for index in outdated if index in serving] + serving[::-1]
            steps.drain.extend((node, index) for index in spare[:1])
        elif len(here) == per_node and outdated:
            steps.surge.append((node, next(free)))
    return steps


class IdleNodes:
    """Which nodes have been idle for long enough that their hosts should leave."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._since: dict[str, float] = {}

    def left(self, idle: Collection[str], now: float) -> set[str]:
        """The nodes to leave, given those that are idle at ``now`` (monotonic seconds)."""
        self._since = {node: self._since.get(node, now) for node in idle}
        return {node for node, since in self._since.items() if now - since >= self._after_s}


class Patience:
    """How long hosts may take until they serve. Each replacement of a host gets twice the time of the one before."""

    def __init__(self) -> None:
        self._waiting: dict[Place, tuple[float, float]] = {}

    def replace(self, place: Place, *, serves: bool, now: float) -> bool:
        """Whether a host is to be replaced at ``now`` (monotonic seconds), since it has not served for too long."""
        if serves:
            self._waiting.pop(place, None)
            return False
        since, limit = self._waiting.setdefault(place, (now, _START_S))
        if now - since < limit:
            return False
        self._waiting[place] = (now, min(2 * limit, _MAX_START_S))
        return True

    def keep(self, places: Collection[Place]) -> None:
        """Forgets all other hosts: they are not wanted any more."""
        self._waiting = {place: waiting for place, waiting in self._waiting.items() if place in places}
