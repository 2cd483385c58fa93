"""Writing in the books of kinds.py as a client does that asks again."""

from __future__ import annotations

from actors.runtime.errors import EntityFailed
from actors.runtime.transport.router import Router

_DATABASE_STALLED = (
    "ConnectionDoesNotExistError",
    "IdleInTransactionSessionTimeoutError",
    "LockNotAvailableError",
    "QueryCanceledError",
    "TimeoutError",
)
"""A host or a server that stalls in a transaction, as one may on a busy machine, is cut off, and the call fails."""


async def append(router: Router, book: str, operation: str, *, slowly: bool = False, timeout: float = 60.0) -> None:
    """Writes an operation that is not there yet, once. Raises CallError; each attempt has ``timeout`` seconds.

    Once a call has failed its transaction has ended: what the book says is final, and what it lacks is written again.
    """
    while True:
        try:
            await router.call("book", book, ["slowly", operation] if slowly else operation, timeout=timeout)
            return
        except EntityFailed as error:
            if not any(name in str(error) for name in _DATABASE_STALLED):
                raise
        if operation in await router.call("book", book, "read", timeout=timeout):
            return
