"""The catalogue of storage errors: which exceptions of asyncpg and redis-py mean what."""

import asyncpg

from cluster.redis import RedisError

DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Everything that a statement can raise because Postgres refuses it or cannot be reached (TimeoutError is an OSError;
InternalClientError is what asyncpg raises on a connection whose end it is just reading)."""


class PoolExhausted(TimeoutError):
    """Every connection of the pool stayed in use for as long as a unit of work waits for one."""


POSTGRES_BUSY = (PoolExhausted, asyncpg.LockNotAvailableError)
"""Postgres works, and others are using what this request needs: a retry can succeed."""

POSTGRES_UNAVAILABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""Postgres is down or overloaded, or has chosen this transaction to end a deadlock: a retry can succeed."""

STORAGE_UNAVAILABLE = (RedisError, *POSTGRES_UNAVAILABLE)
"""Redis or Postgres is down or overloaded: a retry can succeed."""

UNSTORABLE_TEXT = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""A text holds characters that Postgres cannot store."""
