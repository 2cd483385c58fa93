"""Work that must not be interrupted ends before its caller is told of a cancellation."""

import asyncio

import pytest

from cluster.cancellation import run_to_completion


async def test_a_result_and_an_exception_are_passed_on() -> None:
    async def work(error: Exception | None) -> int:
        await asyncio.sleep(0)
        if error is not None:
            raise error
        return 7

    assert await run_to_completion(work(None)) == 7
    with pytest.raises(ValueError, match="broken"):
        await run_to_completion(work(ValueError("broken")))


@pytest.mark.parametrize("error", [None, ValueError("broken")])
async def test_a_cancelled_caller_waits_for_the_end(error: Exception | None) -> None:
    proceed, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await proceed.wait()
        ended.set()
        if error is not None:
            raise error

    caller = asyncio.create_task(run_to_completion(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    proceed.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()
