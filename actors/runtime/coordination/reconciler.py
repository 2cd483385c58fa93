"""Watches the coordinators: starts those that are missing, and replaces those that exist and do not serve, or that run
another version of the code than they should.

The leader does the same for the hosts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import structlog

from actors.runtime.clock import SYSTEM_CLOCK, Clock
from actors.runtime.errors import HostUnavailable

_START_SECONDS = 60.0
"""How long a coordinator may take until it serves. Ray needs 15.5 s to notice that its node was lost, and some more to
start it elsewhere. Each replacement gets twice the time of the one before."""
_MAX_START_SECONDS = 960.0

log = structlog.get_logger(__name__)


class CoordinatorActors(Protocol):
    """What the reconciler does with coordinators, by name."""

    async def ensure(self, names: Sequence[str]) -> None:
        """Creates those that do not exist."""

    async def status(self, name: str) -> Mapping[str, Any]:
        """See Coordinator.status. Raises HostUnavailable."""

    async def restart(self, name: str) -> None:
        """Ends the process; Ray starts it again."""

    async def replace(self, name: str, target: str) -> None:
        """Lets it resign and ends it, unless it runs the ``target`` version of the code by now."""


class Reconciler:
    """Compares the coordinators that there should be with those that serve."""

    def __init__(self, actors: CoordinatorActors, clock: Clock = SYSTEM_CLOCK) -> None:
        self._actors = actors
        self._clock = clock
        self._missing: dict[str, tuple[float, float]] = {}
        """Coordinators that do not serve: since when, or since which restart, and how long that may take."""

    async def reconcile(self, names: Sequence[str], target: str = "") -> bool:
        """One comparison. To be called every half a minute or so, and again soon when it returns True: coordinators
        are being replaced by those of the ``target`` version of the code."""
        await self._actors.ensure(names)
        serving: dict[str, Mapping[str, Any]] = {}
        for name in names:
            if (status := await self._serves(name)) is not None:
                serving[name] = status
                self._missing.pop(name, None)
                continue
            now = self._clock.monotonic()
            since, patience = self._missing.setdefault(name, (now, _START_SECONDS))
            if now - since >= patience:
                log.warning("coordinator.replaced", coordinator=name, not_serving_for=round(now - since, 1))
                self._missing[name] = (now, min(2 * patience, _MAX_START_SECONDS))
                await self._actors.restart(name)
        outdated = [name for name, status in serving.items() if target and status.get("code_version") != target]
        if outdated and all(status["phase"] == "serving" for status in serving.values()) and len(serving) == len(names):
            # The leader last, so that the lead changes once.
            chosen = min(outdated, key=lambda name: (bool(serving[name]["leads"]), name))
            log.info(
                "coordinator.outdated", coordinator=chosen, runs=serving[chosen].get("code_version"), target=target
            )
            await self._actors.replace(chosen, target)
        return bool(outdated) or (bool(target) and len(serving) < len(names))

    async def _serves(self, name: str) -> Mapping[str, Any] | None:
        """Its status, if it serves or has just been started."""
        try:
            status = await self._actors.status(name)
        except HostUnavailable as error:
            log.info("coordinator.unavailable", coordinator=name, error=str(error))
            return None
        # Several processes reconcile: one that another has just restarted is given its time.
        phase, up = str(status["phase"]), float(status["up"])
        return status if phase == "serving" or (phase == "starting" and up < _START_SECONDS) else None
