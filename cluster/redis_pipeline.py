"""Commands that wait at the same time go to Redis together: one round trip is under way, and those that come meanwhile
share the next (group commit).

redis-py's client takes a connection out of its pool for each command, with a task and timeouts of its own, which costs
several times the CPU of a command among others.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cluster.redis import Redis

MAX_WAITERS = 512
"""Callers whose commands share a round trip."""

Command = tuple[bytes | str | int, ...]
"""A command's name and its arguments."""


@dataclass(frozen=True, slots=True)
class _Waiter:
    commands: Sequence[Command]
    options: dict[str, Any]
    replies: asyncio.Future[list[Any]]


class SharedPipeline:
    """What the parts of one process ask Redis together. Not a transaction: each command is on its own."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[_Waiter] = []
        self._sending: asyncio.Task[None] | None = None

    async def execute(self, *commands: Command, **options: Any) -> list[Any]:
        """Returns the reply to each command; `options` say how redis-py is to read them. Raises the first error among
        them; if Redis is away, RedisError or OSError, and then the commands may have been executed or not."""
        waiter = _Waiter(commands, options, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        return await waiter.replies

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                together, self._waiting = self._waiting[:MAX_WAITERS], self._waiting[MAX_WAITERS:]
                try:
                    await self._send(together)
                except Exception as error:  # noqa: BLE001 - all are told who wait by now: one batch after the other
                    # would wait for as long as Redis does not answer.
                    together, self._waiting = together + self._waiting, []
                    for waiter in together:
                        if not waiter.replies.done():
                            waiter.replies.set_exception(error)
        finally:
            self._sending = None

    async def _send(self, together: Sequence[_Waiter]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for waiter in together:
            for command in waiter.commands:
                pipeline.execute_command(*command, **waiter.options)
        replies = iter(await pipeline.execute(raise_on_error=False))
        for waiter in together:
            own = [next(replies) for _ in waiter.commands]
            if waiter.replies.done():
                continue  # the caller was cancelled
            error = next((reply for reply in own if isinstance(reply, Exception)), None)
            if error is None:
                waiter.replies.set_result(own)
            else:
                waiter.replies.set_exception(error)
