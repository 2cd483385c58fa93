"""Calls that go as Ray calls: one that hangs is waited for by its own caller only."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from actors.runtime.errors import DeadlineExceeded, HostUnavailable
from actors.runtime.hosting import ray_calls
from actors.runtime.hosting.ray_calls import answer_batch
from actors.runtime.shard_map import SHARDS, Endpoint, MapView
from actors.runtime.transport.frames import CALLS, DONE, NOT_MINE, RUNNING, pack_body, unpack, unpack_answer
from actors.runtime.transport.router import NoControlPlane, Router
from tests.unit.runtime.test_mailboxes import CALLER, Host

HUNG = [f"hung{n}" for n in range(40)]


class ByRay(NoControlPlane):
    """Carries frames to a host as Ray would."""

    def __init__(self, host: Host) -> None:
        super().__init__("node")
        self.host = host
        self.frames = 0
        self.lost = 0
        """How many frames from now on arrive, and whose answers do not."""

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        self.frames += 1
        await asyncio.sleep(0)
        answers = await answer_batch(self.host.mailboxes, caller, unpack(frame[4:]))
        if self.lost:
            self.lost -= 1
            raise HostUnavailable("the answers were lost")
        return answers


def routed(host: Host) -> tuple[Router, ByRay]:
    control = ByRay(host)
    router = Router(control, b"secret", direct=False)
    router.follow(MapView(1, {"host-a": Endpoint("host-a", "", "", "")}, {"notebook": ["host-a"] * SHARDS}))
    return router, control


async def test_a_call_that_hangs_withholds_nobody_else_s_answer() -> None:
    host = Host("a", "b")
    router, _ = routed(host)
    await asyncio.gather(router.call("notebook", "a", "x"), router.call("notebook", "b", "x"))
    host.handler.gate.clear()
    hung = router.call("notebook", "a", ["save", 1], timeout=100)
    assert await router.call("notebook", "b", "y", timeout=60) == 2
    assert not hung.done()
    host.handler.gate.set()
    assert await hung == 2
    assert host.handler.turns == [[1]], "it was asked for again, and ran once"
    await router.close()


async def test_many_batches_of_calls_that_hang_keep_no_other_call_from_its_host() -> None:
    host = Host("b", *HUNG)
    router, _ = routed(host)
    host.handler.gate.clear()
    hung = []
    for entity in HUNG:
        hung.append(router.call("notebook", entity, ["save", entity], timeout=100))
        await asyncio.sleep(0.001)  # a batch each
    assert await router.call("notebook", "b", "y", timeout=60) == 1
    assert not any(call.done() for call in hung)
    host.handler.gate.set()
    assert await asyncio.gather(*hung) == [1] * len(HUNG)
    assert sorted(host.handler.turns) == sorted([entity] for entity in HUNG)
    await router.close()


async def test_a_call_that_hangs_until_its_deadline_is_told_so() -> None:
    host = Host("a")
    router, _ = routed(host)
    host.handler.gate.clear()
    with pytest.raises(DeadlineExceeded):
        await router.call("notebook", "a", ["save", 1], timeout=0.6)
    host.handler.gate.set()
    await router.close()


async def test_deduplication_that_are_lost_on_their_way_are_asked_for_again() -> None:
    host = Host("a")
    router, control = routed(host)
    host.handler.gate.clear()
    hung = router.call("notebook", "a", ["save", 1])
    while not control.frames:
        await asyncio.sleep(0)
    control.lost = 2
    host.handler.gate.set()
    assert await hung == 1
    assert host.handler.turns == [[1]]
    await router.close()


async def test_a_call_may_be_asked_for_any_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_calls, "PATIENCE_SECONDS", 0.0)
    host = Host("a")
    host.handler.gate.clear()
    (call,) = host.send("a", ["save", 1])  # first by a stream
    items = [CALLS, 1, [call, "notebook", "a", 60_000, pack_body(["save", 1])]]
    for _ in range(3000):
        frame = await answer_batch(host.mailboxes, CALLER, items)
        assert unpack_answer(unpack(frame[4:])[1]) == (call, NOT_MINE, RUNNING)
    host.handler.gate.set()
    assert await host.answer(call) == (DONE, 1)
    assert host.handler.turns == [[1]]


async def test_a_host_whose_lease_is_over_sends_the_whole_batch_on() -> None:
    host = Host("a")
    host.mailboxes.serve_until = time.monotonic()
    items: list[Any] = [CALLS, 1, *([n, "notebook", "a", 5000, pack_body("x")] for n in (1, 2))]
    frame = await answer_batch(host.mailboxes, CALLER, items)
    assert list(map(unpack_answer, unpack(frame[4:])[1:])) == [(1, NOT_MINE, None), (2, NOT_MINE, None)]
