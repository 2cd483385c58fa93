"""The realtime hosts of a brand, which every node has."""

import asyncio

from ray.exceptions import RayError

from actors.realtime.actor import RealtimeOptions
from actors.realtime.reconciler import RealtimeReconciler
from actors.runtime.store.code_versions import target_version
from brands import Brand
from brands.catalogue import BRANDS
from cluster.cancellation import raise_if_cancelled
from cluster.code_version import CODE_VERSION
from cluster.logs import logger
from cluster.postgres import Database
from cluster.settings import Settings
from cluster.storage_errors import DATABASE_ERRORS
from features.realtime.policy import RealtimePolicy

_PAUSE_S = 5.0

log = logger(__name__)


def realtime_options(brand: Brand, settings: Settings) -> RealtimeOptions:
    """What the brand's realtime hosts are started with."""
    return RealtimeOptions(
        brand=brand.name,
        runtime=brand.name,
        database=settings.databases[brand.name].get_secret_value(),
        redis_url=settings.redis_url.get_secret_value(),
        secret=settings.cluster_secret.get_secret_value(),
        listen=settings.realtime_listen,
        # Ten ports a brand.
        port=settings.realtime_port and settings.realtime_port + 10 * sorted(BRANDS).index(brand.name),
        url=settings.realtime_url,
        policy=brand.policy(RealtimePolicy),
        log_level=settings.log_level,
    )


async def keep_realtime(brand: Brand, settings: Settings, database: Database) -> None:
    """Until cancelled, every few seconds: hosts on nodes that have come, drains on those that are to go, and the
    replacement of hosts that do not serve, or that run another version of the code than the one deployed, if this
    process runs that."""
    if "realtime" not in brand.feature_names:
        return
    reconciler = RealtimeReconciler(realtime_options(brand, settings))
    while True:
        try:
            async with database.unit_of_work(read_only=True) as unit:
                target = await target_version(unit)
            await reconciler.reconcile(target if target == CODE_VERSION else "")
        except (RayError, *DATABASE_ERRORS) as error:
            raise_if_cancelled()
            log.warning("realtime hosts not reconciled", error=type(error).__name__)
        await asyncio.sleep(_PAUSE_S)
