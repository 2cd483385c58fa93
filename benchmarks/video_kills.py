"""Jobs of transcoding as Ray tasks whose workers are killed: how many jobs each kill costs.

The playlists must be those that undisturbed jobs make, and no job may be run again but one whose worker was killed:
otherwise there is an error, not a figure.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.figure import Figure
from benchmarks.size import sized

if TYPE_CHECKING:
    import psutil

FIGURES = ("content.jobs_lost_per_kill",)
FIGURE_TIMEOUT_S = sized(1800.0, 300.0)
_KILLS, _SECONDS = sized(50, 1), sized(20, 2)


def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Measures the figure. Raises RuntimeError if a kill costs more than a job, or changes the stream."""
    with tempfile.TemporaryDirectory(prefix="entativa-bench-") as folder:
        yield _measure(Path(folder))


def _measure(folder: Path) -> Figure:
    os.environ["RAY_AUTH_MODE"] = "disabled"
    import ray

    from tests.cluster.nodes import RayNodes

    settings = {
        "ENTATIVA_OBJECTS_URL": str(folder / "objects"),
        "ENTATIVA_VIDEOS_DIRECTORY": str(folder / "videos"),
        "ENTATIVA_CLUSTER_SECRET": "of the benchmark",
    }
    nodes = RayNodes(settings)
    try:
        node = nodes.start(cpus=os.cpu_count() or 1)
        ray.init(address=nodes.address, namespace="benchmark", log_to_driver=False)
        return asyncio.run(_kill_workers(folder, node.family))
    finally:
        ray.shutdown()
        nodes.stop()


async def _kill_workers(folder: Path, processes: Callable[[], list[psutil.Process]]) -> Figure:
    from obstore.store import LocalStore

    from cluster.objects import ObjectStorage
    from deployments.video_jobs import RayJobs
    from features.media.model import object_key
    from features.videos.jobs import JobResult, Probe, Upload
    from features.videos.local_jobs import LocalJobs
    from features.videos.plan import Plan
    from features.videos.policy import VideoPolicy
    from features.videos.source_files import SourceFiles
    from tests.support.clips import clip
    from tests.support.killed_jobs import run_beside_kills

    policy = VideoPolicy()
    objects = ObjectStorage(lambda: LocalStore(folder / "objects" / "entativa", mkdir=True))
    data = clip(seconds=_SECONDS, size="640x360")
    digest = sha256(data).digest()
    await objects.put(object_key(digest), data)
    local, jobs = LocalJobs(objects, SourceFiles(folder / "others", objects)), RayJobs("entativa")

    async def planned(number: int) -> Plan:
        upload = Upload(UUID(int=number), digest, len(data))
        source = (await local.run(Probe(upload, policy))).source
        assert source is not None
        return Plan.of(upload, source, policy)

    def texts(plan: Plan, results: dict[int, JobResult]) -> list[object]:
        return [plan.rung(rung, results)[1].texts for rung in plan.complete_rungs(results)]

    undisturbed = await planned(0)
    expected = texts(undisturbed, {number: await local.run(job) for number, job in enumerate(undisturbed.jobs)})
    kills = lost = videos = most = 0
    while kills < _KILLS:
        videos += 1
        plan = await planned(videos)
        outcome = await run_beside_kills(jobs, plan, _KILLS - kills, processes, seed=videos)
        kills, lost = kills + outcome.kills, lost + outcome.lost.total()
        most = max(most, *outcome.runs.values())
        if texts(plan, outcome.results) != expected:
            raise RuntimeError("the playlists are not those of undisturbed jobs")
        if any(outcome.runs[job] != 1 + outcome.lost[job] for job in plan.jobs):
            raise RuntimeError("a job was run again that was not lost")
    if lost > kills:
        raise RuntimeError(f"{lost} jobs were lost to {kills} kills")
    return Figure(
        "content.jobs_lost_per_kill", lost / kills, "", samples=kills, extra={"videos": videos, "most_runs": most}
    )
