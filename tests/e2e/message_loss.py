"""Messages while parts of the platform are killed at random: `python -m tests.e2e.message_loss --kills 500 --seed 1`"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from random import Random

from tests.e2e.correspondents import Correspondence, correspondence
from tests.e2e.kills import Killer
from tests.e2e.running import RunningPlatform, new_home
from tests.support.message_history import violations

_PAUSE_S = 1.0
"""Kills follow each other by up to so much, once something has been stored since the last one."""
_STALL_S = 180.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened: how many of each kind were killed, acknowledged messages and commits, signals, and epochs."""

    killed: Counter[str]
    messages: int
    signals: int
    epochs: int


async def lose(platform: RunningPlatform, kills: int, seed: int, until: float = float("inf")) -> Outcome:
    """Kills so many parts of a platform on which people write to each other; fewer, if the time `until` (of
    time.monotonic()) comes before. Raises AssertionError with what must not be, and TimeoutError if nothing goes on."""
    killer, random, killed = Killer(platform, Random(seed)), Random(seed), Counter[str]()
    async with correspondence(platform) as people:
        async with people.going_on():
            for kind in killer.kinds(kills):
                if time.monotonic() > until:
                    break
                await _within(people.goes_on(), people, f"no message was acknowledged before a {kind} was to be killed")
                await asyncio.sleep(random.uniform(0, _PAUSE_S))
                await _within(_kill(killer, kind), people, f"no {kind} was there to be killed")
                killed[kind] += 1
            await _within(people.goes_on(), people, "no message was acknowledged after the last kill")
    found = violations(people.history)
    assert found == [], f"{len(found)} violations: " + "; ".join(found[:20])
    epochs = {each.number for each in people.history.epochs}
    signals = sum(map(len, people.history.signalled.values()))
    assert signals > 0, "nobody was told anything over a socket"
    return Outcome(killed, len(people.history.sent), signals, len(epochs))


async def _kill(killer: Killer, kind: str) -> None:
    while not await asyncio.to_thread(killer.kill, kind):
        await asyncio.sleep(0.1)  # the one before has not been replaced yet


async def _within(wait: Awaitable[None], people: Correspondence, missing: str) -> None:
    """Raises TimeoutError that says what was missing, and what each device was answered last."""
    try:
        async with asyncio.timeout(_STALL_S):
            await wait
    except TimeoutError as error:
        raise TimeoutError(f"{missing}, for {_STALL_S:.0f} s; answers: {people.answered()}") from error


def main() -> None:
    """Starts a platform and kills parts of it. Ends with exit code 1 unless everything was killed and nothing lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deadline", type=float, default=5_400, help="seconds, with the start of the platform")
    arguments = parser.parse_args()
    until = time.monotonic() + arguments.deadline
    with new_home() as platform:
        platform.succeed("up")
        outcome = asyncio.run(lose(platform, arguments.kills, arguments.seed, until))
    print(json.dumps({"seed": arguments.seed, **asdict(outcome)}))
    if outcome.killed.total() < arguments.kills:
        sys.exit(f"only {outcome.killed.total()} of {arguments.kills} were killed before the deadline")


if __name__ == "__main__":
    main()
