"""Has kinds store their effects in a transaction that other kinds' turns share, so that none holds it up for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg

from actors.runtime.store.transaction_errors import WriteFailed

if TYPE_CHECKING:
    from cluster.postgres import UnitOfWork

WriteEffects = Callable[["UnitOfWork", Sequence[Any]], Awaitable[None]]
"""``EffectHandler.write``: stores the effects of many turns of one kind."""

_IDLE_SECONDS = 1.4
"""A little less than the time after which Postgres ends a transaction between whose statements nothing happens."""
_WRITE_SECONDS = 3.5
"""How long kinds' ``write`` may take in all: a little longer than one statement."""
_BRIEF_WRITE_SECONDS = 0.5


async def write_effects(
    transaction: UnitOfWork, kinds: Iterable[tuple[WriteEffects, Sequence[Any]]], *, briefly: bool
) -> None:
    """Has each kind store the effects of its turns.

    Raises what a kind does, and WriteFailed once all take too long: a kind that waits for something else, or computes,
    holds the other turns of the transaction up.
    """
    seconds = _BRIEF_WRITE_SECONDS if briefly else _WRITE_SECONDS
    begun = time.monotonic()
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            for write, turns in kinds:
                await write(transaction, turns)
            if time.monotonic() - begun > _IDLE_SECONDS:
                await transaction.execute("SELECT")  # Raises if Postgres has ended the transaction.
    except OSError as error:
        # asyncpg has its own exceptions for a connection that is lost in the middle of a statement.
        reason = f"it took longer than {seconds} s" if limit.expired() else f"{type(error).__name__}: {error}"
        raise WriteFailed(reason) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError) as error:
        if (elapsed := time.monotonic() - begun) < _IDLE_SECONDS:
            raise
        raise WriteFailed(f"{type(error).__name__}: {error}") from TimeoutError(f"write took {elapsed:.1f} s")
