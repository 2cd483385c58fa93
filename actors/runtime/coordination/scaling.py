"""How many hosts there should be: a pure decision with hysteresis, so that load that wavers moves nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from actors.runtime.options import ScalingPolicy


@dataclass(frozen=True, slots=True)
class HostLoad:
    """One host's last report."""

    calls_per_second: float = 0.0
    queue_wait: float = 0.0
    memory: int = 0
    idle_memory: int = 0
    """Resident bytes of a host without entities: a host fewer saves these, not its entities'."""


class Scaler:
    """Remembers since when more, or fewer, hosts would be right."""

    def __init__(self, policy: ScalingPolicy) -> None:
        self.policy = policy
        self._over_since: float | None = None
        self._under_since: float | None = None

    def decide(self, hosts: Sequence[HostLoad], wanted: int, now: float) -> int:
        """How many hosts are wanted from now on, given reports of the living and ``wanted`` so far."""
        policy = self.policy
        wanted = min(max(wanted, policy.min_hosts), policy.max_hosts)
        if not hosts:
            return wanted
        needed = self._needed(hosts)
        overloaded = needed > len(hosts) or any(host.queue_wait > policy.queue_wait for host in hosts)
        fewer = self._carriers(hosts, policy.spare)
        relaxed = fewer < wanted and not any(host.queue_wait > policy.queue_wait / 2 for host in hosts)
        self._over_since = (now if self._over_since is None else self._over_since) if overloaded else None
        self._under_since = (now if self._under_since is None else self._under_since) if relaxed else None
        # Hosts that were asked for and are not here yet are the answer to this overload already.
        if self._over_since is not None and now - self._over_since >= policy.grow_after and len(hosts) >= wanted:
            self._over_since = None
            return min(max(wanted + 1, needed), policy.max_hosts)
        if self._under_since is not None and now - self._under_since >= policy.shrink_after:
            self._under_since = None
            return max(wanted - 1, policy.min_hosts)
        return wanted

    def _needed(self, hosts: Sequence[HostLoad]) -> int:
        return self._carriers(hosts, 1.0)

    def _carriers(self, hosts: Sequence[HostLoad], share: float) -> int:
        """How many hosts carry all of this if each takes ``share`` of what it should."""
        calls = sum(host.calls_per_second for host in hosts) / (self.policy.calls_per_second * share)
        entities = sum(max(0, host.memory - host.idle_memory) for host in hosts)
        idle = max(host.idle_memory for host in hosts)
        room = max(1.0, self.policy.memory * share - idle)
        return max(1, math.ceil(calls), math.ceil(entities / room))
