"""One brand in one process, as routers and dependencies see it."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from api.admission import Admissions
from features.feature import Scope


def utc_now() -> datetime:
    """Returns the present time: the clock of a running platform."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform(Scope):
    """Everything a router or a dependency may use: what the slices share, and what only HTTP needs."""

    brand_features: tuple[str, ...]
    """The names of all features of the brand. Where two have routes for a path, the earlier one's is used."""
    served_features: tuple[str, ...]
    """Those that this process serves."""
    admissions: Admissions
    shard_map_is_stale: Callable[[], bool]
    """Whether this process cannot follow where entities are. It calls them all the same: most are where they were."""

    @classmethod
    def of(
        cls,
        scope: Scope,
        *,
        brand_features: tuple[str, ...],
        served_features: tuple[str, ...],
        admissions: Admissions,
        shard_map_is_stale: Callable[[], bool],
    ) -> "Platform":
        """Returns a scope with what HTTP needs."""
        return cls(
            **{field.name: getattr(scope, field.name) for field in fields(scope)},
            brand_features=brand_features,
            served_features=served_features,
            admissions=admissions,
            shard_map_is_stale=shard_map_is_stale,
        )

    async def close(self) -> None:
        await self.database.close()
        await self.admissions.close()
        await self.redis.aclose()
