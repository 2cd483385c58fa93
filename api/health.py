"""Liveness and readiness. Alive: the process answers. Ready: the storage that no request can do without answers."""

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from api.deps import PlatformDep
from cluster.redis import RedisError

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """`redis: down` is a degraded mode, not an outage: requests are served without rate limits."""

    status: str = Field(examples=["ready"])
    postgres: str = Field(examples=["up"])
    redis: str = Field(examples=["up"])


@router.get("/health/live")
async def live() -> Health:
    """Answers as long as the process can."""
    return Health(status="ok")


@router.get("/health/ready", responses={503: {"model": Readiness, "description": "Postgres does not answer"}})
async def ready(platform: PlatformDep) -> JSONResponse:
    """Whether this replica can serve requests."""
    try:
        async with asyncio.timeout(2):
            await platform.database.ping()
        postgres = "up"
    except Exception:  # noqa: BLE001 - whatever keeps the database from answering makes the replica unready
        postgres = "down"
    try:
        await platform.redis.ping()
        redis = "up"
    except RedisError:
        redis = "down"
    answer = Readiness(status="ready" if postgres == "up" else "unready", postgres=postgres, redis=redis)
    return JSONResponse(answer.model_dump(), status_code=200 if postgres == "up" else 503)
