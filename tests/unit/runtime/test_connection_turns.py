"""Connections of one host take turns, however much each of them has sent."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from actors.runtime.errors import BadFrame
from actors.runtime.transport.frames import CALLS, ERROR, FrameBuffer, frame, pack, unpack
from actors.runtime.transport.stream import SOME_CALLS, HostConnection


@pytest.fixture(autouse=True)
def one_frame_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.runtime.transport.stream._SLICE_SECONDS", 0.0)


class Transport:
    """Reads while it is not told otherwise, and keeps what is written."""

    def __init__(self) -> None:
        self.reading = True
        self.closing = False
        self.written = b""

    def get_extra_info(self, _name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        assert self.reading, "uvloop refuses to be told twice"
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def close(self) -> None:
        self.closing = True

    abort = close


class Host:
    """Receives calls, in order. One that is "bad" is no call, one that is "defect" is not the caller's fault."""

    def __init__(self) -> None:
        self.received: list[Any] = []

    def connection(self) -> tuple[HostConnection, Transport]:
        connection, transport = HostConnection(b"secret", self._receive, set()), Transport()
        connection.connection_made(cast(Any, transport))
        connection.proved()
        return connection, transport

    def _receive(self, origin: HostConnection, caller: bytes, items: list[Any]) -> None:
        if items[2] == "bad":
            raise BadFrame("no call")
        if items[2] == "defect":
            raise ZeroDivisionError
        self.received += items[2:]


def sent(*messages: Any) -> bytes:
    return b"".join(frame(pack((CALLS, 1, message))) for message in messages)


async def quiet() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_connection_with_many_frames_lets_others_have_their_turn_and_is_not_read_meanwhile() -> None:
    host = Host()
    (hot, of_hot), (calm, of_calm) = host.connection(), host.connection()
    hot.data_received(sent(*(f"hot {n}" for n in range(10))))
    calm.data_received(sent("calm"))
    assert host.received == ["hot 0", "calm"]
    assert (of_hot.reading, of_calm.reading) == (False, True)
    await quiet()
    assert host.received == ["hot 0", "calm", *(f"hot {n}" for n in range(1, 10))], "in order, each once"
    assert of_hot.reading


async def test_a_frame_of_many_calls_is_taken_in_parts_between_which_others_have_their_turn() -> None:
    host = Host()
    (hot, of_hot), (calm, _) = host.connection(), host.connection()
    calls = list(range(2 * SOME_CALLS + 1))
    hot.data_received(frame(pack((CALLS, 1, *calls))))
    calm.data_received(sent("calm"))
    assert host.received == [*calls[:SOME_CALLS], "calm"]
    assert not of_hot.reading
    hot.data_received(sent("next"))  # what the transport had read before it was told
    await quiet()
    assert host.received == [*calls[:SOME_CALLS], "calm", *calls[SOME_CALLS:], "next"], "in order, each once"
    assert of_hot.reading


async def test_the_rest_of_a_frame_is_not_taken_once_its_connection_is_lost() -> None:
    host = Host()
    connection, _ = host.connection()
    connection.data_received(frame(pack((CALLS, 1, *range(2 * SOME_CALLS)))))
    connection.connection_lost(None)
    await quiet()
    assert host.received == list(range(SOME_CALLS))


async def test_connections_that_all_have_many_frames_go_round() -> None:
    host = Host()
    for name in "abc":
        host.connection()[0].data_received(sent(*(f"{name}{n}" for n in range(3))))
    await quiet()
    assert host.received == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


async def test_a_peer_that_reads_no_answers_is_not_read_from_until_it_does_and_its_frames_are_taken() -> None:
    host = Host()
    connection, transport = host.connection()
    connection.data_received(sent(1, 2, 3))
    connection.pause_writing()
    await quiet()
    assert host.received == [1, 2, 3]
    assert not transport.reading
    connection.resume_writing()
    assert transport.reading


async def test_a_frame_that_is_none_ends_its_connection_and_nothing_behind_it_is_taken() -> None:
    host = Host()
    (connection, transport), (other, _) = host.connection(), host.connection()
    connection.data_received(sent(1, "bad", 2))
    other.data_received(sent("other"))
    await quiet()
    assert host.received == [1, "other"]
    assert transport.closing
    assert unpack(FrameBuffer().feed(transport.written)[-1])[:2] == [ERROR, BadFrame.status]


async def test_a_defect_ends_its_connection_so_that_its_calls_are_sent_again() -> None:
    host = Host()
    connection, transport = host.connection()
    defects: list[Any] = []
    loop = asyncio.get_running_loop()  # of all tests
    loop.set_exception_handler(lambda _loop, context: defects.append(context.get("exception", context["message"])))
    try:
        connection.data_received(sent(1, "defect", 2))
        await quiet()
    finally:
        loop.set_exception_handler(None)
    assert host.received == [1]
    assert transport.closing
    assert [type(defect) for defect in defects] == [ZeroDivisionError], defects


async def test_what_was_not_taken_of_a_connection_that_is_lost_is_not_taken_any_more() -> None:
    """The router sends it again over another one."""
    host = Host()
    connection, _ = host.connection()
    connection.data_received(sent(1, 2, 3))
    connection.connection_lost(None)
    await quiet()
    assert host.received == [1]
