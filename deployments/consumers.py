"""The consumers of one brand on Ray Serve: the outbox relay, every reaction to events, the sweep of old records, the
erasure of deleted accounts, the background work of features, and the supervision of the entity runtime and the realtime
hosts.

Serve restarts a replica that fails; several replicas share the partitions of the event log, and one of them relays.
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict
from ray import serve
from ray.serve import Application

from api.platform import Platform, utc_now
from brands.catalogue import BRANDS
from cluster.alarms import Alarm, raise_alarms
from cluster.events.adoption import adopt_old_log
from cluster.events.load import Load
from cluster.events.redis_log import open_redis_log
from cluster.events.worker import Worker
from cluster.garbage_collection import collect_garbage_rarely
from cluster.logs import configure_logs, logger
from cluster.retention import run_retention
from cluster.settings import load_settings
from deployments.platform import brand_consumers, brand_tables
from deployments.realtime import keep_realtime
from deployments.runtime import ensure_runtime, keep_runtime, open_platform_on_ray
from features.accounts.erasure import run_erasures

log = logger(__name__)


class ConsumersArguments(BaseModel):
    """What an application of serve_config.yaml says under `args`."""

    model_config = ConfigDict(extra="forbid")

    brand: str
    code_version: str = ""
    """Set by `deploy`: new code takes new replicas."""


@serve.deployment(name="consumers")
class Consumers:
    """One replica. It takes no requests; Serve keeps it alive."""

    def __init__(self, brand: str) -> None:
        self._brand = brand
        self._task: asyncio.Task[None] | None = None
        self._worker: Worker | None = None

    async def _run(self) -> None:
        settings = load_settings()
        configure_logs(settings.log_level, brand=self._brand, process="consumers")
        collect_garbage_rarely()
        brand = BRANDS[self._brand]
        await asyncio.to_thread(ensure_runtime, brand, settings)
        platform = await open_platform_on_ray(brand, settings)
        consumers = brand_consumers(platform)
        adopt = partial(adopt_old_log, redis=platform.redis, brand=self._brand, consumers=consumers)
        redis_url = settings.redis_url.get_secret_value()
        try:
            async with (
                open_redis_log(platform.redis, redis_url, self._brand) as event_log,
                asyncio.TaskGroup() as group,
            ):
                report = partial(report_alarms, platform)
                disk_bytes = settings.database_disk_bytes
                self._worker = Worker(consumers, platform.database, event_log, disk_bytes=disk_bytes, report=report)
                group.create_task(self._worker.run_with_relay(adopt))
                group.create_task(run_retention(platform.database, brand_tables(brand)))
                group.create_task(run_erasures(platform))
                for feature in platform.features:
                    if feature.background is not None:
                        group.create_task(feature.background(platform))
                group.create_task(keep_runtime(brand, settings, platform.database))
                group.create_task(keep_realtime(brand, settings, platform.database))
        finally:
            await platform.close()

    async def check_health(self) -> None:
        """Serve calls this every few seconds; an error makes it replace the replica."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        elif self._task.done():
            self._task.result()
            raise RuntimeError("the consumers ended")

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Serve asks every few seconds; deployments/consumer_scaling.py decides by it."""
        load = self._worker.load(utc_now()) if self._worker is not None else Load(0.0, 0.0)
        return {"lag_s": load.lag_s, "busy": load.busy}

    async def __del__(self) -> None:
        """Serve awaits this when it stops a replica: others can have its partitions at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def report_alarms(platform: Platform, alarms: Iterable[Alarm]) -> None:
    """Raises the alarms of the event log, and that of this process. Raises RedisError."""
    found = {*alarms}
    if platform.shard_map_is_stale():
        log.error("no coordinator leads, or none can be reached")
        found.add(Alarm.SHARD_MAP_IS_STALE)
    await raise_alarms(platform.redis, platform.brand, found)


def build(arguments: ConsumersArguments) -> Application:
    """The application builder that serve_config.yaml names as `deployments.consumers:build`."""
    consumers: Any = Consumers
    application: Application = consumers.bind(arguments.brand)
    return application
