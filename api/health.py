"""Liveness and readiness. Live: the process responds. Ready: Postgres, which every request needs, responds."""

import asyncio
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from api.deps import PlatformDep
from cluster.alarms import Alarm, raised
from cluster.redis import RedisError

router = APIRouter(tags=["health"])


class HealthModel(BaseModel):
    status: Literal["ok"] = Field(examples=["ok"])


class ReadinessModel(BaseModel):
    """`redis: down` is a degraded mode, not an outage: requests are served without rate limits. `alarms` are what will
    become an outage unless an operator acts; without Redis they are not known."""

    status: Literal["ready", "unready"] = Field(examples=["ready"])
    postgres: Literal["up", "down"] = Field(examples=["up"])
    redis: Literal["up", "down"] = Field(examples=["up"])
    alarms: list[Alarm] = Field(max_length=len(Alarm), examples=[[]])


@router.get("/health/live")
async def live() -> HealthModel:
    """Check that the process responds."""
    return HealthModel(status="ok")


@router.get("/health/ready", responses={503: {"model": ReadinessModel, "description": "Postgres does not respond"}})
async def ready(platform: PlatformDep) -> JSONResponse:
    """Check whether this replica can serve requests."""
    try:
        async with asyncio.timeout(2):
            await platform.database.ping()
        postgres = "up"
    except Exception:  # noqa: BLE001 - every error of the database makes the replica unready
        postgres = "down"
    alarms: list[Alarm] = []
    try:
        alarms = await raised(platform.redis, platform.brand)
        redis = "up"
    except RedisError:
        redis = "down"
    readiness = ReadinessModel(
        status="ready" if postgres == "up" else "unready", postgres=postgres, redis=redis, alarms=alarms
    )
    return JSONResponse(readiness.model_dump(), status_code=200 if postgres == "up" else 503)
