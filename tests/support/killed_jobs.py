"""Has the jobs of a video run while their workers are killed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import psutil

from features.videos.jobs import Job, JobLost, JobResult, Jobs
from features.videos.plan import Plan

_AT_ONCE = 4
_LONGEST_PAUSE_S = 0.5


@dataclass
class Outcome:
    """What became of the jobs, by their positions in the plan."""

    results: dict[int, JobResult] = field(default_factory=dict)
    runs: Counter[Job] = field(default_factory=Counter)
    lost: Counter[Job] = field(default_factory=Counter)
    kills: int = 0


def busy_workers(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Returns those processes that are workers of Ray and run a job now."""
    found = []
    for process in processes:
        try:
            if process.cmdline()[:1] == ["ray::_perform"]:
                found.append(process)
        except psutil.Error:
            continue
    return found


async def run_beside_kills(
    jobs: Jobs, plan: Plan, kills: int, processes: Callable[[], Iterable[psutil.Process]], seed: int = 1
) -> Outcome:
    """Runs all jobs of a plan, each again when it is lost, while up to so many workers that run one are killed."""
    outcome, waiting, chance = Outcome(), iter(enumerate(plan.jobs)), random.Random(seed)

    async def work() -> None:
        for number, job in waiting:
            while number not in outcome.results:
                outcome.runs[job] += 1
                try:
                    outcome.results[number] = await jobs.run(job)
                except JobLost:
                    outcome.lost[job] += 1

    async def kill() -> None:
        while outcome.kills < kills:
            if workers := busy_workers(await asyncio.to_thread(lambda: list(processes()))):
                chance.choice(workers).kill()
                outcome.kills += 1
            await asyncio.sleep(chance.random() * _LONGEST_PAUSE_S)

    killing = asyncio.create_task(kill())
    try:
        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
    return outcome
