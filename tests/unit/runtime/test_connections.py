"""What becomes of the connections of statements that take too long."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from actors.runtime.store.connections import Connections


class Pool:
    """A pool that knows whether it was cut."""

    def __init__(self) -> None:
        self.cut = False

    def terminate(self) -> None:
        self.cut = True


class Pools(Connections):
    """Connections that keep all their pools."""

    def __init__(self) -> None:
        super().__init__("", "test", 1)
        self.made: list[Pool] = []

    async def _new_pool(self, min_connections: int) -> Any:
        await asyncio.sleep(0)
        self.made.append(Pool())
        return self.made[-1]


async def test_several_statements_that_take_too_long_leave_one_pool() -> None:
    pools = Pools()
    pools._pool = await pools._new_pool(1)
    late = await asyncio.gather(
        *(pools.with_timeout(0.01, asyncio.sleep(1000)) for _ in range(3)), return_exceptions=True
    )
    assert [type(error) for error in late] == [TimeoutError] * 3
    assert [pool for pool in pools.made if not pool.cut] == [cast(Any, pools._pool)]


async def test_a_statement_in_time_cuts_nothing() -> None:
    pools = Pools()
    pools._pool = await pools._new_pool(1)
    assert await pools.with_timeout(60, asyncio.sleep(0, "result")) == "result"
    with pytest.raises(ZeroDivisionError):
        await pools.with_timeout(60, _fail())
    assert [pool.cut for pool in pools.made] == [False]


async def _fail() -> None:
    raise ZeroDivisionError
