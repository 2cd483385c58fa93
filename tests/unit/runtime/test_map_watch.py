"""How a router follows the map: it asks seldom, and notices soon that nobody will answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from actors.runtime.errors import HostUnavailable
from actors.runtime.shard_map import SHARDS, Endpoint, MapPosition, MapView
from actors.runtime.transport.frames import DONE, answers_frame, pack_answer, unpack
from actors.runtime.transport.map_watch import CHECK_SECONDS, DOUBT_SECONDS, STALE_SECONDS, MapWatch
from actors.runtime.transport.ray_control import WATCH_SECONDS
from actors.runtime.transport.router import NoControlPlane, Router
from tests.unit.runtime.network import SteppedLoop

STEP = 0.05


class Source:
    """Coordinators, of which the first may be cut off: it takes questions and never answers."""

    def __init__(self) -> None:
        self.view = MapView(1, {}, {})
        self.asked: list[float] = []
        self.checked: list[float] = []
        self.cut_off = False
        self.behind = False
        """None leads, and all know less than the router: they answer at once."""
        self.hold_s: float | None = None
        """How long they have no news before they say so."""
        self.error: Exception | None = None
        """What the next question meets."""
        self._changed = asyncio.Event()

    def change(self, view: MapView) -> None:
        self.view = view
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def watch(self, known: MapPosition) -> tuple[MapView, bool]:
        self.asked.append(asyncio.get_running_loop().time())
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if self.behind:
            await asyncio.sleep(STEP)
            return MapView(), False
        if self.view.position == known:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.hold_s):
                    await self._changed.wait()
        return self.view, True

    async def check_watch(self) -> None:
        self.checked.append(asyncio.get_running_loop().time())
        if self.cut_off:
            self.cut_off = False  # the question after this one goes to another
            raise HostUnavailable("coordinator-0")


class Case:
    """A watch on a loop whose time the test sets."""

    def __init__(self) -> None:
        self.loop = SteppedLoop((HostUnavailable, RuntimeError))
        self.view = MapView()
        self.loop.do(self._begin)

    def _begin(self) -> None:
        self.source = Source()
        self.watch = MapWatch(self.source, lambda: self.view.position, self._follow)
        self.loop.create_task(self.watch.run())

    def _follow(self, view: MapView) -> None:
        if view.version:
            self.view = view

    def run_for(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            self.loop.now += STEP
            self.loop.settle()


@pytest.fixture
def case() -> Iterator[Case]:
    started = Case()
    yield started
    started.loop.end()


def test_a_watch_in_no_doubt_waits_for_its_answer(case: Case) -> None:
    case.run_for(DOUBT_SECONDS + STEP)
    checked = len(case.source.checked)
    case.run_for(600)
    assert len(case.source.asked) == 2, "for the first map, and for the next"
    assert len(case.source.checked) == checked

    case.loop.do(lambda: case.source.change(MapView(2, {}, {})))
    assert case.view.version == 2


def test_a_doubt_finds_within_a_check_that_nobody_will_answer(case: Case) -> None:
    case.run_for(DOUBT_SECONDS + 60)
    case.source.cut_off = True
    case.source.view = MapView(2, {}, {})
    case.run_for(60)
    assert case.view.version == 1, "it has no reason to doubt"

    case.loop.do(case.watch.doubt)
    case.run_for(2 * CHECK_SECONDS)
    assert case.view.version == 2


def test_checks_end_with_the_doubt(case: Case) -> None:
    case.run_for(60)
    before = len(case.source.checked)
    case.loop.do(case.watch.doubt)
    case.run_for(60)
    checks = len(case.source.checked) - before
    assert 1 <= checks <= DOUBT_SECONDS / CHECK_SECONDS + 1


@pytest.mark.parametrize("error", [RuntimeError("of Ray's own"), HostUnavailable("coordinator-0")], ids=repr)
def test_a_watch_goes_on_whatever_a_question_meets(case: Case, error: Exception) -> None:
    case.run_for(DOUBT_SECONDS)
    case.source.error = error
    case.loop.do(lambda: case.source.change(MapView(2, {}, {})))
    case.run_for(STEP)
    case.loop.do(lambda: case.source.change(MapView(3, {}, {})))
    case.run_for(1.0)
    assert case.view.version == 3


class Silent(NoControlPlane):
    """Nobody tells of maps or hosts."""

    def __init__(self) -> None:
        super().__init__("here")
        self.checked = 0

    async def check_watch(self) -> None:
        self.checked += 1

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError


def test_a_call_without_an_answer_raises_a_doubt() -> None:
    loop = SteppedLoop(())
    control, host = Silent(), "host-0.1"
    routers: list[Router] = []

    def begin() -> None:
        router = Router(control, b"secret", direct=False)
        router.follow(MapView(1, {host: Endpoint(host, "there", "", "")}, {"kind": [host] * SHARDS}))
        router.follow_map()
        routers.append(router)

    def run_for(seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            loop.now += STEP
            loop.settle()

    try:
        loop.do(begin)
        run_for(60)
        before = control.checked
        waiting: list[asyncio.Future[object]] = []
        loop.do(lambda: waiting.append(routers[0].call("kind", "entity", 1, timeout=2)))
        run_for(1)
        assert control.checked > before
        run_for(2)
        assert isinstance(waiting[0].exception(), Exception)
        loop.do(lambda: loop.create_task(routers[0].close()))
    finally:
        loop.end()


def test_candidates_without_news_are_asked_again_after_a_pause(case: Case) -> None:
    case.run_for(1)
    case.source.behind = True
    case.source.change(MapView(2, {}, {}))
    before = len(case.source.asked)
    case.run_for(10)
    assert 10 < len(case.source.asked) - before < 0.5 * 10 / STEP
    case.source.behind = False
    case.source.change(MapView(3, {}, {}))
    case.run_for(1)
    assert case.view.version == 3


def test_a_map_is_stale_when_no_leader_has_confirmed_it_for_long(case: Case) -> None:
    def stale() -> bool:
        return case.watch.stale

    case.source.hold_s = WATCH_SECONDS
    case.loop.do(lambda: case.source.change(MapView(2, {}, {})))
    case.run_for(10 * STALE_SECONDS)
    assert not stale(), "a leader without news says so"
    case.source.behind = True
    case.run_for(STALE_SECONDS - WATCH_SECONDS)
    assert not stale(), "until now another may have come to lead"
    case.run_for(STALE_SECONDS)
    assert stale()
    case.source.behind = False
    case.source.view = MapView(3, {}, {})
    case.run_for(1)
    assert not stale()


class Leaderless(NoControlPlane):
    """No coordinator is there; the host is."""

    async def watch(self, known: MapPosition) -> tuple[MapView, bool]:
        raise HostUnavailable("coordinator-0")

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        return answers_frame([pack_answer(call, DONE, "reply") for call, *_ in unpack(frame[4:])[2:]])


def test_calls_go_on_by_a_stale_map() -> None:
    loop = SteppedLoop((HostUnavailable,))
    host = "host-0.1"
    routers: list[Router] = []

    def begin() -> None:
        router = Router(Leaderless("here"), b"secret", direct=False)
        router.follow(MapView(1, {host: Endpoint(host, "there", "", "")}, {"kind": [host] * SHARDS}))
        router.follow_map()
        routers.append(router)

    try:
        loop.do(begin)
        for _ in range(round((STALE_SECONDS + 1) / STEP)):
            loop.now += STEP
            loop.settle()
        assert routers[0].map_is_stale
        waiting: list[asyncio.Future[object]] = []
        loop.do(lambda: waiting.append(routers[0].call("kind", "entity", 1)))
        assert waiting[0].result() == "reply"
        loop.do(lambda: loop.create_task(routers[0].close()))
    finally:
        loop.end()
