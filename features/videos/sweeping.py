"""Hands objects of videos that are gone to media, to be deleted, and deletes copies of files that no job uses."""

import asyncio

from cluster.cancellation import raise_if_cancelled
from cluster.logs import logger
from cluster.storage_errors import DATABASE_ERRORS
from features.feature import Scope
from features.media.service import MediaService
from features.videos import store
from features.videos.source_files import SourceFiles

_PAUSE_S = 30.0
_AT_ONCE = 1000

log = logger(__name__)


async def sweep_videos(scope: Scope) -> int:
    """Hands over the objects of videos that are gone. Returns how many. Several processes may do this at once."""
    media, handed = scope.service(MediaService), 0
    while True:
        async with scope.database.unit_of_work() as uow:
            keys = await store.take_released(uow, _AT_ONCE)
            if keys:
                await media.discard(uow, keys, scope.now())
            await uow.commit()
        handed += len(keys)
        if len(keys) < _AT_ONCE:
            return handed


async def run_video_sweeps(scope: Scope) -> None:
    """Sweeps until cancelled; survives outages of Postgres."""
    sources = SourceFiles.of(scope.settings, scope.brand, scope.service(MediaService).objects)
    while True:
        try:
            await asyncio.to_thread(sources.sweep)
            await sweep_videos(scope)
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            log.warning("sweep of videos interrupted", error=type(error).__name__)
        await asyncio.sleep(_PAUSE_S)
