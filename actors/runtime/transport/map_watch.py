"""How a router learns of a new map: one long question to a coordinator, and checks that it is still there while a doubt
lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from actors.runtime.errors import CallError
from actors.runtime.metrics import MAP_CONFIRMED
from actors.runtime.shard_map import MapPosition, MapView
from cluster.cancellation import raise_if_cancelled

DOUBT_SECONDS = 5.0
"""How long a doubt lasts. Longer than a host's lease: by then the map says who owns a dead host's shards."""
CHECK_SECONDS = 0.5
"""Between two checks while in doubt."""
STALE_SECONDS = 90.0
"""A map that no leader has confirmed for so long is stale. A leader that has no news says so every half a minute."""
_PAUSE_SECONDS = 0.1
"""After a failure, or an answer without news."""

log = structlog.get_logger(__name__)


class MapSource(Protocol):
    """Who tells of maps."""

    async def watch(self, known: MapPosition) -> tuple[MapView, bool]:
        """The map once it is at another position than ``known``, and whether it comes from the leader; may also return
        early with the same one. Raises HostUnavailable."""

    async def check_watch(self) -> None:
        """Raises HostUnavailable if nobody is there who would end the ``watch`` that is under way."""


class MapWatch:
    """Asks for the next map, for as long as ``run`` runs.

    The answer to an idle router's question comes after half a minute. One who cannot be reached any more, on a node
    that lost its power for example, never answers; whoever has reason to fear that says so with ``doubt``.
    """

    def __init__(self, source: MapSource, known: Callable[[], MapPosition], follow: Callable[[MapView], None]) -> None:
        """``known`` is the position of the map that the router has; ``follow`` is called with what comes."""
        self._source = source
        self._known = known
        self._follow = follow
        self._loop = asyncio.get_running_loop()
        self._confirmed_at = self._loop.time()
        self._doubted_at = self._loop.time()
        self._doubted = asyncio.Event()

    @property
    def stale(self) -> bool:
        """Whether no leader has confirmed the map for `STALE_SECONDS`, since the start at the earliest."""
        return self._loop.time() - self._confirmed_at >= STALE_SECONDS

    def doubt(self) -> None:
        """Something is not as the map says: a connection ended, or a call is not answered."""
        self._doubted_at = self._loop.time()
        self._doubted.set()

    async def run(self) -> None:
        """Asks until cancelled."""
        self._confirmed()
        while True:
            known = self._known()
            watch = asyncio.ensure_future(self._source.watch(known))
            try:
                view, leads = await self._outcome(watch)
                self._follow(view)
                if leads:
                    self._confirmed()
                if self._known() == known:
                    # Candidates that are behind, none of which leads, answer at once: all routers would ask them
                    # without a pause, for as long as a slow database keeps any from leading.
                    await asyncio.sleep(_PAUSE_SECONDS)
            except CallError as error:
                log.info("map.unavailable", error=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)
            except Exception:
                # Whatever Ray or a map that cannot be read raises: a router that stays with an old map sends calls to
                # hosts that are gone until their deadlines, and nothing would ever end that.
                raise_if_cancelled()
                log.exception("map.watch_failed")
                await asyncio.sleep(_PAUSE_SECONDS)
            finally:
                watch.cancel()

    def _confirmed(self) -> None:
        self._confirmed_at = self._loop.time()
        MAP_CONFIRMED.set_to_current_time()

    async def _outcome(self, watch: asyncio.Future[tuple[MapView, bool]]) -> tuple[MapView, bool]:
        while not watch.done():
            if self._loop.time() - self._doubted_at >= DOUBT_SECONDS:
                await self._answer_or_doubt(watch)
                continue
            self._doubted.clear()
            await self._source.check_watch()
            await asyncio.wait([watch], timeout=CHECK_SECONDS)
        return watch.result()

    async def _answer_or_doubt(self, watch: asyncio.Future[tuple[MapView, bool]]) -> None:
        doubted: asyncio.Future[Any] = asyncio.ensure_future(self._doubted.wait())
        try:
            await asyncio.wait((watch, doubted), return_when=asyncio.FIRST_COMPLETED)
        finally:
            doubted.cancel()
