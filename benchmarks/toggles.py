"""How soon the counts of a post are exact again after hosts, Redis and Postgres were killed, on a whole platform.

People change their reactions to one post over HTTP, each one reaction after the other, and repeat what was not
acknowledged. Meanwhile all entity hosts are killed, then Redis, then Postgres (at once, with recovery at its next
start). With the kill of the hosts, or the restart of a server, everybody finishes the reaction at hand. The figure is
the longest time from there until everybody was answered, and the post shows the reactions that were acknowledged last,
from memory and by its rows. In the end everybody's own reaction is compared, too. Counts that never become exact are an
error, not a figure.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psutil

from benchmarks.figure import Extra, Figure
from benchmarks.size import sized

if TYPE_CHECKING:
    import httpx

    from cluster.local.installation import Installation
    from cluster.local.processes import Processes

FIGURES = ("content.counts_exact_after_s",)

_TOGGLES = sized(10_000, 60)
_FAILURES = ("hosts", "redis", "postgres")
_ATTEMPT_S = 15.0
"""Longer than a reaction may wait at the platform: what was given up could be stored after the next one."""
_PAUSE_S = 0.05
_PATIENCE_S = 60.0
_DEADLINE_S = sized(800.0, 240.0)
_BRAND = "entativa"

_WRONG = """
with reacted as (select kind as name, count(*) as count from reactions where target_id = $1 group by 1),
counted as (select name, sum(count) as count from target_counts where target_id = $1 group by 1 having sum(count) <> 0)
select count(*) from reacted full join counted using (name) where reacted.count is distinct from counted.count
"""


def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Starts the platform, breaks it, stops it. Raises TimeoutError if counts do not become exact."""
    os.environ["RAY_AUTH_MODE"] = "token"  # Ray reads it when it is first imported
    from benchmarks.platform.installation import running_platform
    from benchmarks.platform.people import fill_now
    from brands.catalogue import BRANDS

    with running_platform() as installation:
        tokens = fill_now(installation, BRANDS[_BRAND])
        yield asyncio.run(asyncio.wait_for(_measure(installation, tokens), _DEADLINE_S))


async def _measure(installation: Installation, tokens: list[str]) -> Figure:
    import httpx

    base = f"{installation.addresses()[_BRAND]['api']}/v1"
    async with contextlib.AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=_ATTEMPT_S)
            )
            for token in tokens
        ]
        post = await people[0].post("/posts", json={"text": "Look at this", "audience": "public"})
        crowd = _Crowd(installation, people, post.raise_for_status().json()["id"])
        after: dict[str, Extra] = {}
        for number, failure in enumerate(_FAILURES, 1):
            toggling = [asyncio.create_task(crowd.toggle(person)) for person in range(len(people))]
            while crowd.acknowledged < number * _TOGGLES // len(_FAILURES):
                await asyncio.sleep(_PAUSE_S)
            await asyncio.to_thread(_break, installation, failure)
            begun = time.monotonic()
            crowd.stopping = True
            await asyncio.gather(*toggling)
            await crowd.await_exact()
            after[f"{failure}_s"] = time.monotonic() - begun
            crowd.stopping = False
        await crowd.check_own()
    longest = max(seconds for seconds in after.values() if isinstance(seconds, float))
    extra = {**after, "toggles": crowd.acknowledged, "people": len(people), "bound_s": 5}
    return Figure("content.counts_exact_after_s", longest, "s", samples=len(_FAILURES), extra=extra)


def _break(installation: Installation, failure: str) -> None:
    """Kills what the failure names. Returns when it is killed, or runs again if it is a server."""
    match failure:
        case "hosts":
            _kill_hosts(installation.processes)
        case "redis":
            installation.processes.stop(installation.redis.NAME, signal_number=signal.SIGKILL)
            installation.redis.start()
        case "postgres":
            installation.processes.stop(installation.postgres.NAME, signal_number=signal.SIGQUIT)
            installation.postgres.start()


def _kill_hosts(processes: Processes, patience_s: float = _PATIENCE_S) -> None:
    """Kills all entity hosts; waits for one if they are just being replaced. Raises RuntimeError if none is found."""
    begun = time.monotonic()
    root = processes.find("ray")
    assert root is not None
    while True:
        killed = 0
        for process in root.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "ray::ShardHost" in " ".join(process.cmdline()):
                    process.kill()
                    killed += 1
        if killed:
            return
        if time.monotonic() - begun > patience_s:
            raise RuntimeError("no entity host was found to be killed")
        time.sleep(_PAUSE_S)


@dataclass(slots=True)
class _Crowd:
    """People who change their reactions to a post."""

    installation: Installation
    people: list[httpx.AsyncClient]
    post: str
    last: dict[int, str | None] = field(default_factory=dict)
    """What each person's last reaction that was acknowledged was."""
    acknowledged: int = 0
    stopping: bool = False

    def expected(self) -> dict[str, int]:
        """Returns how many reactions of each kind there are to be."""
        from features.counters.model import REACTION_KINDS

        return {kind: list(self.last.values()).count(kind) for kind in REACTION_KINDS}

    async def toggle(self, person: int) -> None:
        """Reacts until told to stop; the reaction at hand is acknowledged then."""
        from features.counters.model import REACTION_KINDS

        chance = random.Random(f"{person} {self.acknowledged}")
        while not self.stopping:
            kind = chance.choice((*REACTION_KINDS, None))
            while not await self._react(person, kind):
                await asyncio.sleep(_PAUSE_S)
            self.last[person] = kind
            self.acknowledged += 1

    async def _react(self, person: int, kind: str | None) -> bool:
        """Returns whether a reaction was acknowledged."""
        if kind is None:
            return await self._ask(person, "DELETE", "/reaction") is not None
        return await self._ask(person, "PUT", "/reaction", json={"kind": kind}) is not None

    async def _ask(self, person: int, method: str, path: str, **options: Any) -> httpx.Response | None:
        """Returns the answer; None if something is out of order at the platform."""
        import httpx

        try:
            answer = await self.people[person].request(method, f"/posts/{self.post}{path}", **options)
        except httpx.TransportError:
            return None
        return None if answer.status_code >= 500 else answer.raise_for_status()

    async def await_exact(self) -> None:
        """Waits until the post shows what was acknowledged, and the rows say the same."""
        import asyncpg

        expected = self.expected()
        while (shown := await self._reactions(0)) is None or shown["counts"] != expected:
            await asyncio.sleep(_PAUSE_S)
        # A turn is stored before it is acknowledged, so rows that differ now stay wrong.
        connection = await asyncpg.connect(self.installation.databases()[_BRAND])
        wrong = await connection.fetchval(_WRONG, UUID(self.post))
        stored = await connection.fetchval("select count(*) from reactions where target_id = $1", UUID(self.post))
        await connection.close()
        if wrong or stored != sum(expected.values()):
            raise RuntimeError(f"{stored} reactions are stored, {sum(expected.values())} were acknowledged")

    async def check_own(self) -> None:
        """Compares everybody's own reaction. Raises RuntimeError."""
        for person, kind in self.last.items():
            while (shown := await self._reactions(person)) is None:
                await asyncio.sleep(_PAUSE_S)
            if shown["own"] != kind:
                raise RuntimeError(f"somebody sees {shown['own']} in place of {kind}")

    async def _reactions(self, person: int) -> dict[str, Any] | None:
        """Returns the post's reactions as somebody sees them; None if something is out of order at the platform."""
        answer = await self._ask(person, "GET", "")
        return None if answer is None else answer.json()["reactions"]
