"""Runs jobs in the calling process's own machine: where there is no Ray."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

from cluster.objects import ObjectStorage
from features.videos.jobs import Job, JobResult
from features.videos.performing import perform
from features.videos.source_files import SourceFiles


def _cpus() -> asyncio.Semaphore:
    return asyncio.Semaphore(os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class LocalJobs:
    """Implements features.videos.jobs.Jobs."""

    objects: ObjectStorage
    sources: SourceFiles
    slots: asyncio.Semaphore = field(default_factory=_cpus)

    async def run(self, job: Job) -> JobResult:
        """See Jobs.run."""
        async with self.slots:
            return await perform(job, self.objects, self.sources)
