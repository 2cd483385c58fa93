"""The composition root: one brand in one process, made from what its features declare."""

from collections.abc import Callable
from datetime import datetime

from actors.runtime.store.tables import RUNTIME_TABLES
from api.admission import Admissions
from api.platform import Platform, utc_now
from brands import Brand
from cluster.events.consumer import Consumer
from cluster.migrate import check_compatible, load_migrations
from cluster.postgres import Database, open_database
from cluster.redis import Redis, StreamReader, open_redis
from cluster.settings import Settings
from cluster.tables import PLATFORM_TABLES, Table
from features.feature import Scope, in_order
from features.ports import Ports


def compose(
    brand: Brand, settings: Settings, database: Database, redis: Redis, ports: Ports, now: Callable[[], datetime]
) -> Scope:
    """Makes the services of a brand and registers its immediate reactions."""
    scope = Scope(
        brand=brand.name,
        title=brand.title,
        features=in_order(brand.features),
        policies={type(policy): policy for policy in brand.policies},
        settings=settings,
        database=database,
        redis=redis,
        ports=ports,
        now=now,
    )
    for feature in scope.features:
        if feature.service is not None:
            service = feature.service(scope)
            scope.services[type(service)] = service
    for feature in scope.features:
        if feature.reaction is not None and (reaction := feature.reaction(scope)) is not None:
            database.reactions.append(reaction)
    return scope


_LOCK_TIMEOUT = "3s"
"""A statement that waits for a row holds one of few connections: it gives up, and the request may be repeated."""


def _no_ports(_: Database) -> Ports:
    return Ports()


def _no_shard_map() -> bool:
    return False


async def open_platform(
    brand: Brand,
    settings: Settings,
    *,
    features: frozenset[str] = frozenset(),
    connect: Callable[[Database], Ports] = _no_ports,
    shard_map_is_stale: Callable[[], bool] = _no_shard_map,
    now: Callable[[], datetime] = utc_now,
    limited: bool = True,
) -> Platform:
    """Connects to the brand's storage and makes its services. `features` are the names of those that the process
    serves; empty: all that the brand has. `connect` returns the ways to entities, where there are any, and
    `shard_map_is_stale` whether these cannot follow where entities are. `limited` as in `open_database`. Raises
    MigrationError when the database and this code do not fit together."""
    database = await open_database(
        settings.databases[brand.name].get_secret_value(),
        pool_size=settings.database_pool_size,
        settings={"lock_timeout": _LOCK_TIMEOUT},
        limited=limited,
    )
    try:
        async with database.pool.acquire() as connection:
            await check_compatible(connection, load_migrations())
    except BaseException:
        await database.close()
        raise
    redis = open_redis(settings.redis_url.get_secret_value())
    scope = compose(brand, settings, database, redis, connect(database), now)
    return Platform.of(
        scope,
        brand_features=brand.feature_names,
        served_features=tuple(name for name in brand.feature_names if not features or name in features),
        admissions=Admissions(redis, _stream_reader(scope)),
        shard_map_is_stale=shard_map_is_stale,
    )


def _stream_reader(scope: Scope) -> StreamReader | None:
    declared = [feature.stream_reader(scope) for feature in scope.features if feature.stream_reader]
    if len(declared) > 1:
        raise ValueError("two features have a stream to be read with each admission")
    return declared[0] if declared else None


def brand_consumers(scope: Scope) -> list[Consumer]:
    """Every reaction to events that the brand's features have."""
    return [consumer for feature in scope.features if feature.consumers for consumer in feature.consumers(scope)]


def brand_tables(brand: Brand) -> list[Table]:
    """Every table of the brand's database that somebody owns."""
    owned = [table for feature in brand.features for table in feature.tables]
    return [*PLATFORM_TABLES, *RUNTIME_TABLES, *owned]
