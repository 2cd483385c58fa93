"""Kills parts of a running platform at random, one after the other."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import psutil

from cluster.local.processes import port_is_free
from tests.e2e.running import RunningPlatform, until

_TITLES = {
    "conversation host": "ray::ShardHost",
    "coordinator": "ray::Coordinator",
    "realtime host": "ray::RealtimeActor",
    "gateway": "ray::ServeReplica:entativa:gateway",
}
KINDS = (*_TITLES, "Postgres", "Redis")


@dataclass(frozen=True, slots=True)
class Killer:
    """What is killed is decided by a seed, as far as the platform has the same processes."""

    platform: RunningPlatform
    random: Random

    def kinds(self, count: int) -> Sequence[str]:
        """What to kill: every kind about as often, in a random order."""
        every = [KINDS[number % len(KINDS)] for number in range(count)]
        self.random.shuffle(every)
        return every

    def kill(self, kind: str) -> bool:
        """Kills one of a kind, and starts Postgres or Redis again. Returns whether there was one."""
        installation = self.platform.installation
        match kind:
            case "Postgres":  # as after a loss of power: what it has not written is recovered from its log
                installation.postgres.processes.stop("postgres", signal_number=signal.SIGQUIT)
                installation.postgres.start()
            case "Redis":
                installation.processes.stop("redis", signal_number=signal.SIGKILL)
                # Its other threads may hold the port for a moment more.
                until(lambda: port_is_free(installation.ports.redis_port), "Redis' port is free")
                installation.redis.start()
            case _:
                found = self._processes(_TITLES[kind])
                if not found:
                    return False
                self.random.choice(found).kill()
        return True

    def _processes(self, title: str) -> list[psutil.Process]:
        found = []
        for process in self.platform.processes():
            with contextlib.suppress(psutil.Error, IndexError):
                if process.cmdline()[0].startswith(title):
                    found.append(process)
        return sorted(found, key=lambda process: process.pid)
