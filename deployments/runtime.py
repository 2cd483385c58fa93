"""The entity runtime of a brand: started by whoever comes first, reached through one router per process."""

import asyncio
from dataclasses import replace
from importlib import import_module

import ray
from ray.exceptions import RayError

from actors.runtime.start import RuntimeOptions, RuntimeReconciler, ScalingPolicy, start_runtime
from actors.runtime.store.code_versions import target_version
from actors.runtime.transport.ray_control import RayControl
from actors.runtime.transport.router import Router
from api.platform import Platform
from brands import Brand
from cluster.code_version import CODE_VERSION
from cluster.logs import logger
from cluster.postgres import Database
from cluster.settings import Settings
from cluster.storage_errors import DATABASE_ERRORS
from deployments.platform import open_platform
from deployments.video_jobs import RayJobs
from features.ports import Ports
from features.videos.jobs import JOBS

_RECONCILE_S = 30.0
_UPDATE_S = 2.0
"""The same pause while coordinators are replaced."""

log = logger(__name__)


def entity_kinds(brand: Brand) -> dict[str, object]:
    """The kinds of entities that the brand's features declare, each with the policy of its feature."""
    return {
        entities.kind: brand.policy(feature.policy) if feature.policy else None
        for feature in brand.features
        for entities in feature.entities
    }


def entity_timers(brand: Brand) -> dict[str, frozenset[str]]:
    """The names of the durable timers that the brand's features declare, by the kinds of their entities."""
    return {
        entities.kind: frozenset(timer.name for timer in entities.timers)
        for feature in brand.features
        for entities in feature.entities
    }


def options(brand: Brand, settings: Settings) -> RuntimeOptions:
    """The brand's runtime. A small host, or as many as the settings say, to begin with: it grows with its load."""
    return RuntimeOptions(
        name=brand.name,
        kinds=entity_kinds(brand),
        database=settings.databases[brand.name].get_secret_value(),
        redis=settings.redis_url.get_secret_value(),
        secret=settings.cluster_secret.get_secret_value(),
        timers=entity_timers(brand),
        scaling=ScalingPolicy(
            min_hosts=settings.entity_hosts, max_hosts=max(settings.entity_hosts, settings.entity_hosts_max)
        ),
        lease=settings.entity_lease_s,
        host_cpus=settings.entity_host_cpus,
        log_level=settings.log_level,
    )


def options_here(brand: Brand, settings: Settings) -> RuntimeOptions:
    """`options` with as many coordinators as the cluster has nodes for: the second stands by for the loss of the first
    one's node."""
    nodes = sum(node["Alive"] for node in ray.nodes())  # type: ignore[no-untyped-call]
    return replace(options(brand, settings), coordinators=min(2, nodes))


def ensure_runtime(brand: Brand, settings: Settings) -> None:
    """Starts the brand's entity runtime if it does not run. Blocks for the time of a few Ray calls; idempotent."""
    start_runtime(options_here(brand, settings))


async def keep_runtime(brand: Brand, settings: Settings, database: Database) -> None:
    """Until cancelled, every half a minute: `ensure_runtime`, and the replacement of coordinators that do not serve, or
    that run another version of the code than the one deployed, if this process runs that. A node that joins later gives
    the second coordinator a place."""
    reconciler = RuntimeReconciler()
    updating = True  # perhaps: this process itself may have come with an update
    while True:
        await asyncio.sleep(_UPDATE_S if updating else _RECONCILE_S)
        try:
            async with database.unit_of_work(read_only=True) as unit:
                target = await target_version(unit)
            await asyncio.to_thread(ensure_runtime, brand, settings)
            options = await asyncio.to_thread(options_here, brand, settings)
            updating = await reconciler.reconcile(options, target if target == CODE_VERSION else "")
        except (RayError, *DATABASE_ERRORS) as error:
            log.warning("runtime not reconciled", error=type(error).__name__)


async def open_platform_on_ray(brand: Brand, settings: Settings, *, features: frozenset[str] = frozenset()) -> Platform:
    """`open_platform` with the brand's entities, which are there as soon as the runtime has a map, and with jobs as Ray
    tasks. For a process of the Ray cluster."""
    router = Router(RayControl(brand.name), settings.cluster_secret.get_secret_value().encode())
    router.follow_map()

    def connect(database: Database) -> Ports:
        ports = Ports().connect(JOBS, RayJobs(brand.name))
        for feature in brand.features:
            for entities in feature.entities:
                module, _, function = entities.calls.partition(":")
                ports = ports.connect(entities.port, getattr(import_module(module), function)(router, database))
        return ports

    return await open_platform(
        brand, settings, features=features, connect=connect, shard_map_is_stale=lambda: router.map_is_stale
    )
