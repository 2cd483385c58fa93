"""The fixture that fails a test whose tasks end with exceptions notices them."""

import asyncio

import pytest

from tests.support.task_errors import task_errors


@pytest.fixture(autouse=True)
def _tasks_without_errors() -> None:
    """Replaces the fixture of tests/conftest.py, which would fail these tests."""


async def test_an_exception_that_nobody_awaits_is_collected() -> None:
    async def fail() -> None:
        raise AttributeError("nobody awaits this")

    with task_errors() as errors:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        del task
    assert len(errors) == 1
    assert "nobody awaits this" in errors[0]


async def test_an_awaited_exception_and_a_cancellation_are_not() -> None:
    async def fail() -> None:
        raise AttributeError("somebody awaits this")

    with task_errors() as errors:
        await asyncio.gather(asyncio.create_task(fail()), return_exceptions=True)
        endless = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)
        endless.cancel()
        del endless
    assert errors == []
