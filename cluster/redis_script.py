"""A Redis script that every request waits for, over a connection of its own.

For each command redis-py's client takes a connection out of a pool, and has a task and two timeouts for it, which costs
several times the CPU of the command on a connection that is kept (docs/decisions/rate-limits.md).
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha1
from typing import Any

import hiredis
from redis.exceptions import NoScriptError

from cluster.redis import Redis, RedisConnectionError, RedisTimeoutError

Argument = str | bytes | int


class HotScript:
    """One script. Its caller waits for a reply before it makes the next call."""

    def __init__(self, redis: Redis, script: str) -> None:
        """Uses the address, the credentials and the timeout of a client, and nothing else of it."""
        pool = redis.connection_pool
        self._timeout_s: float = pool.connection_kwargs["socket_timeout"]
        # The connection's own timeout is a task for each command; ours is one for the whole call.
        self._connection = pool.connection_class(**{**pool.connection_kwargs, "socket_timeout": None})
        self._script = script
        self._sha = sha1(script.encode(), usedforsecurity=False).hexdigest()

    async def run(self, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Returns the script's reply. Raises RedisError, after the client's timeout at the latest."""
        try:
            async with asyncio.timeout(self._timeout_s):
                try:
                    return await self._evaluate(keys, arguments)
                except RedisConnectionError:  # Redis may have been started anew since the last call
                    return await self._evaluate(keys, arguments)
        except TimeoutError as error:
            raise RedisTimeoutError("the script's reply did not come in time") from error

    async def close(self) -> None:
        """Ends the connection; another call would open one."""
        await self._connection.disconnect()

    async def _evaluate(self, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        try:
            return await self._command("EVALSHA", self._sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await self._command("EVAL", self._script, len(keys), *keys, *arguments)

    async def _command(self, *parts: Argument) -> Any:
        packed = hiredis.pack_command(parts)  # type: ignore[arg-type] # its stub knows tuples of one part only
        await self._connection.send_packed_command(packed, check_health=False)
        return await self._connection.read_response()
