"""Jobs of transcoding as Ray tasks, on whichever nodes have a CPU for them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from cluster.code_version import CODE_VERSION
from cluster.logs import configure_logs
from cluster.node.ray_command import TRANSCODING
from cluster.objects import ObjectStorageUnavailable, open_objects
from cluster.settings import load_settings
from features.videos.jobs import Job, JobLost, JobResult
from features.videos.model import Unplayable
from features.videos.performing import perform
from features.videos.source_files import SourceFiles

_THIS_CODE = {"env_vars": {"ENTATIVA_VIDEO_JOBS": CODE_VERSION}}
"""Ray keeps processes for further tasks of the same environment: after an update there are new ones."""

_Outcome = JobResult | Unplayable | JobLost | ObjectStorageUnavailable


@ray.remote(num_cpus=0, max_retries=0)
def _perform(brand: str, job: Job) -> _Outcome:
    """Returns the result of a job or, so that nothing of Ray's is around it, the error that it ended with."""
    settings = load_settings()
    configure_logs(settings.log_level, brand=brand, process="video_job")
    objects = open_objects(settings, brand)
    try:
        return asyncio.run(perform(job, objects, SourceFiles.of(settings, brand, objects)))
    except (Unplayable, JobLost, ObjectStorageUnavailable) as error:
        return error


@dataclass(frozen=True, slots=True)
class RayJobs:
    """Implements features.videos.jobs.Jobs. Each job takes one of the node's units of TRANSCODING; on a cluster whose
    nodes were started without them, a CPU."""

    brand: str

    async def run(self, job: Job) -> JobResult:
        """See Jobs.run."""
        offered = await asyncio.to_thread(ray.cluster_resources)
        unit: dict[str, Any] = {"resources": {TRANSCODING: 1}} if TRANSCODING in offered else {"num_cpus": 1}
        reference = _perform.options(**unit, runtime_env=_THIS_CODE).remote(self.brand, job)
        try:
            outcome: _Outcome = await reference
        except RayError as error:
            raise JobLost(type(error).__name__) from error
        except asyncio.CancelledError:
            ray.cancel(reference, force=True)
            raise
        if isinstance(outcome, JobResult):
            return outcome
        raise outcome
