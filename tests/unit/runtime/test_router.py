"""A router without a host that answers: how it dials, and how it is closed."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from actors.runtime.errors import EntityFailed, FrameTooLarge, HostUnavailable, UnknownKind
from actors.runtime.shard_map import SHARDS, Endpoint, MapView
from actors.runtime.transport.frames import DONE, MAX_BODY, answers_frame, pack_answer, unpack, unpack_body
from actors.runtime.transport.link import Link
from actors.runtime.transport.router import NoControlPlane, Router
from tests.unit.runtime.network import SteppedLoop

HOST = "host-0.1"


async def test_closing_settles_every_call_and_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    router = Router(NoControlPlane("here"), b"secret", direct=False)
    router.follow(MapView(1, {HOST: Endpoint(HOST, "there", "", "")}, {"kind": [HOST] * SHARDS}))
    under_way = router.call("kind", "entity", 1, timeout=60)
    many_under_way = router.call_all("kind", ["entity", "other"], 1, timeout=60)
    await asyncio.sleep(0.01)
    assert not under_way.done()
    assert not many_under_way.done()
    assert asyncio.all_tasks() > before, "the router tries to send it"

    await router.close()

    for call in (under_way, many_under_way):
        with pytest.raises(HostUnavailable):
            await call
    of_many = router.call_all("kind", ["entity", "other"], 1)
    for late in (router.call("kind", "entity", 1), router.call_host(HOST, "what", None, 60), of_many):
        with pytest.raises(HostUnavailable):
            await late
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before


class Unreachable(Router):
    """A router whose every dial fails at once."""

    def __init__(self, error: Exception) -> None:
        super().__init__(NoControlPlane("here"), b"secret")
        self.error = error
        self.dialled_at: list[float] = []
        self._links._open = self._open  # type: ignore[method-assign]
        self.follow(MapView(1, {HOST: Endpoint(HOST, "there", "", "")}, {"kind": [HOST] * SHARDS}))
        self.waiting = self.call("kind", "entity", 1, timeout=120)

    async def _open(self, host: str, endpoint: Endpoint) -> Link:
        self.dialled_at.append(self._loop.time())
        raise type(self.error)(*self.error.args)  # a traceback grows each time that its error is raised


@pytest.mark.parametrize("error", [ConnectionRefusedError("refused"), ValueError("no port")])
def test_dials_back_off_to_a_bound_and_never_stop(error: Exception) -> None:
    loop = SteppedLoop(())
    routers: list[Unreachable] = []
    try:
        loop.do(lambda: routers.append(Unreachable(error)))
        step, seconds = 0.01, 20.0
        for _ in range(int(seconds / step)):
            loop.now += step
            loop.settle()
        times = routers[0].dialled_at
        loop.do(lambda: loop.create_task(routers[0].close()))
    finally:
        loop.end()
    assert isinstance(routers[0].waiting.exception(), HostUnavailable)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    bounds = [min(2.0, 0.02 * 2 ** (failures + 1)) for failures in range(len(pauses))]
    assert len(pauses) >= 10
    assert all(bound / 2 <= pause + step and pause <= bound + step for pause, bound in zip(pauses, bounds, strict=True))
    assert loop.now - times[-1] <= 2.0 + step, "it still dials"


class Flaky(NoControlPlane):
    """Ray, which fails a batch in a way of its own, then has the calls answered."""

    def __init__(self, error: Exception) -> None:
        super().__init__("here")
        self.error: Exception | None = error

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return answers_frame([pack_answer(call, DONE, "reply") for call, *_ in unpack(frame[4:])[2:]])


@pytest.mark.parametrize("error", [RuntimeError("of Ray's own"), HostUnavailable(HOST)], ids=repr)
async def test_calls_of_a_batch_that_fails_are_sent_again_whatever_it_failed_of(error: Exception) -> None:
    router = Router(Flaky(error), b"secret", direct=False)
    router.follow(MapView(1, {HOST: Endpoint(HOST, "there", "", "")}, {"kind": [HOST] * SHARDS}))
    assert await router.call("kind", "entity", 1, timeout=60) == "reply"
    await router.close()


class Choosy(NoControlPlane):
    """Ray, which has the calls of each entity answered as the test says, with DONE where it says nothing."""

    def __init__(self, errors: dict[str, int]) -> None:
        super().__init__("here")
        self.errors = errors
        self.delivered: list[tuple[str, Any]] = []

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        calls = unpack(frame[4:])[2:]
        self.delivered += [(entity, unpack_body(message)) for _, _, entity, _, message, *_ in calls]
        return answers_frame(
            [pack_answer(call, self.errors.get(entity, DONE), "value") for call, _, entity, *_ in calls]
        )


async def test_a_message_to_many_reaches_each_and_is_answered_once_all_have_answered() -> None:
    ray = Choosy({})
    router = Router(ray, b"secret", direct=False)
    router.follow(MapView(1, {HOST: Endpoint(HOST, "there", "", "")}, {"kind": [HOST] * SHARDS}))
    entities = [f"entity-{number}" for number in range(300)]
    await router.call_all("kind", entities, ["put", 1], timeout=60)
    assert ray.delivered == [(entity, ["put", 1]) for entity in entities]
    await router.call_all("kind", [], 1, timeout=60)
    assert not router.in_flight
    await router.close()


async def test_a_message_to_many_tells_what_failed_after_the_others_have_it() -> None:
    ray = Choosy({"entity-1": EntityFailed.status})
    router = Router(ray, b"secret", direct=False)
    router.follow(MapView(1, {HOST: Endpoint(HOST, "there", "", "")}, {"kind": [HOST] * SHARDS}))
    with pytest.raises(EntityFailed):
        await router.call_all("kind", ["entity-0", "entity-1", "entity-2"], 1, timeout=60)
    assert [entity for entity, _ in ray.delivered] == ["entity-0", "entity-1", "entity-2"]
    with pytest.raises(UnknownKind):
        await router.call_all("other", ["entity-0", "entity-1"], 1, timeout=60)
    with pytest.raises(FrameTooLarge):
        await router.call_all("kind", ["entity-0"], bytes(MAX_BODY + 1), timeout=60)
    assert not router.in_flight
    await router.close()


async def test_who_no_longer_waits_for_many_disturbs_no_other_call() -> None:
    router = Router(Choosy({}), b"secret", direct=False)
    router.follow(MapView(1, {HOST: Endpoint(HOST, "there", "", "")}, {"kind": [HOST] * SHARDS}))
    given_up = router.call_all("kind", ["entity-0", "entity-1"], 1, timeout=60)
    given_up.cancel()
    assert await router.call("kind", "entity-0", 1, timeout=60) == "value"
    assert not router.in_flight
    await router.close()
