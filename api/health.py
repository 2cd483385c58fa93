"""Liveness and readiness. Live: the process responds. Ready: Postgres, which every request needs, responds.

Neither counts against a limit: whoever balances the load would take a refusal for an outage. They cost less than
counting would: what readiness asks of Postgres and Redis, it asks once a second at most.
"""

import asyncio
import time
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from api.platform import Platform
from cluster.alarms import Alarm, raised
from cluster.redis import RedisError

_FRESH_S = 1.0

router = APIRouter(tags=["health"])


class HealthModel(BaseModel):
    status: Literal["ok"] = Field(examples=["ok"])


class ReadinessModel(BaseModel):
    """`redis: down` is a degraded mode, not an outage: requests are served without rate limits. So is `shard_map:
    stale`: the process has not been told for a while where entities live, and calls them where they were. `alarms` are
    what will become an outage unless an operator acts; without Redis they are not known."""

    status: Literal["ready", "unready"] = Field(examples=["ready"])
    postgres: Literal["up", "down"] = Field(examples=["up"])
    redis: Literal["up", "down"] = Field(examples=["up"])
    shard_map: Literal["current", "stale"] = Field(examples=["current"])
    alarms: list[Alarm] = Field(max_length=len(Alarm), examples=[[]])


class Readiness:
    """Whether a process can serve requests; found out once a second at most, however often it is asked."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._asking = asyncio.Lock()
        self._found: ReadinessModel | None = None
        self._found_at = 0.0

    async def read(self) -> ReadinessModel:
        """Returns what holds, or did within the last second."""
        async with self._asking:
            if self._found is None or time.monotonic() - self._found_at >= _FRESH_S:
                self._found = await _find_out(self._platform)
                self._found_at = time.monotonic()
            return self._found


async def _find_out(platform: Platform) -> ReadinessModel:
    postgres, redis = True, True
    try:
        async with asyncio.timeout(2):
            await platform.database.ping()
    except Exception:  # noqa: BLE001 - every error of the database makes the process unready
        postgres = False
    alarms: list[Alarm] = []
    try:
        alarms = await raised(platform.redis, platform.brand)
    except RedisError:
        redis = False
    return ReadinessModel(
        status="ready" if postgres else "unready",
        postgres="up" if postgres else "down",
        redis="up" if redis else "down",
        shard_map="stale" if platform.shard_map_is_stale() else "current",
        alarms=alarms,
    )


@router.get("/health/live")
async def live() -> HealthModel:
    """Check that the process responds."""
    return HealthModel(status="ok")


@router.get("/health/ready", responses={503: {"model": ReadinessModel, "description": "Postgres does not respond"}})
async def ready(request: Request) -> JSONResponse:
    """Check whether this replica can serve requests."""
    readiness: Readiness = request.app.state.readiness
    found = await readiness.read()
    return JSONResponse(found.model_dump(), status_code=200 if found.status == "ready" else 503)
