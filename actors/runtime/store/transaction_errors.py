"""How transactions of turns fail, and whether to blame what they write or the connection."""

from __future__ import annotations

import asyncpg


def is_connection_error(error: BaseException) -> bool:
    """Whether a transaction failed because of the connection or the server, and not because of what it wrote.

    InterfaceError is none: the client raises it before it sends anything, mostly for arguments that do not fit the
    statement.
    """
    return isinstance(
        error,
        OSError  # TimeoutError among them
        | asyncpg.PostgresConnectionError
        | asyncpg.AdminShutdownError
        | asyncpg.CrashShutdownError
        | asyncpg.IdleInTransactionSessionTimeoutError,
    )


class WriteFailed(Exception):
    """A kind's ``write`` raised an OSError of its own: of a file, of another service, a timeout. Or it took too long,
    and the cause is a TimeoutError. Nothing is stored, and the database is as good as before."""


class TransactionLost(Exception):
    """The connection of a transaction was lost, and nothing of it is stored."""

    def __init__(self, cause: Exception, *, by_write: bool = False) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.cause = cause
        """What the connection's user saw of it."""
        self.by_write = by_write
        """Whether that was while kinds stored their effects, and may be due to them."""


def is_timeout(error: BaseException) -> bool:
    """Whether a transaction failed because it, or a kind's ``write``, waited or ran for too long."""
    own = error.__cause__ if isinstance(error, WriteFailed) else None
    return isinstance(error, asyncpg.LockNotAvailableError | asyncpg.QueryCanceledError) or isinstance(
        own, TimeoutError
    )
