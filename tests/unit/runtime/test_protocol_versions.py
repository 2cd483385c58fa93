"""Hosts and routers of neighbouring protocol versions understand each other, and those further apart say so.

golden/ has the bytes of each version. Those of a version that was released must not change.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest

from actors.runtime.errors import HandshakeFailed
from actors.runtime.shard_map import SHARDS, Endpoint, MapView
from actors.runtime.transport.calls import CallTable
from actors.runtime.transport.frames import (
    ANSWERS,
    CALLS,
    DONE,
    ERROR,
    HELLO,
    OLDEST_PROTOCOL,
    PROTOCOL,
    PROVE,
    WELCOME,
    FrameBuffer,
    answers_frame,
    calls_frame,
    frame,
    hello,
    pack,
    pack_answer,
    pack_body,
    pack_call,
    proof,
    unpack,
    unpack_answer,
)
from actors.runtime.transport.link import Link
from actors.runtime.transport.stream import HostConnection
from tests.unit.runtime.test_mailboxes import Host
from tests.unit.runtime.test_streams import Pipe, Wired, outcome

SECRET, CALLER, HOST_NONCE, ROUTER_NONCE = b"secret", b"caller-1", bytes(range(16)), bytes(range(16, 32))
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
GOLDEN: dict[int, dict[str, str]] = {
    version: json.loads((Path(__file__).parent / "golden" / f"protocol-{version}.json").read_text())
    for version in (1, 2, 3)
}


def golden(version: int, name: str) -> bytes:
    return bytes.fromhex(GOLDEN[version][name])


def written(version: int) -> dict[str, bytes]:
    """What this code writes to a peer with which it speaks ``version``."""
    nonce = HOST_NONCE if version == 2 else HOST_NONCE + bytes([3])  # a host of version 2 sent no newest version
    mac = proof(SECRET, b"router", nonce, ROUTER_NONCE, CALLER, version)
    message = pack_body({"add": 1, "by": b"\x00"})
    return {
        "prove": frame(pack((PROVE, version, CALLER, ROUTER_NONCE, mac))),
        "welcome": frame(pack((WELCOME, proof(SECRET, b"host", nonce, ROUTER_NONCE, CALLER, version)))),
        "calls": calls_frame(7, [pack_call(version, 9, "counter", "user-é", 1500, message, TRACE)]),
        "answers": answers_frame([pack_answer(9, DONE, [1, None, "x"]), pack_answer(10, 11, ["full", "no room"])]),
    }


@pytest.mark.parametrize("version", [2, 3])
def test_frames_of_each_version_are_what_they_were(version: int) -> None:
    assert {name: data.hex() for name, data in written(version).items()} == {
        name: data for name, data in GOLDEN[version].items() if name != "hello"
    }


def test_the_golden_files_are_of_the_versions_that_are_spoken() -> None:
    assert (OLDEST_PROTOCOL, PROTOCOL) == (2, 3), "a new version needs its golden file, and its neighbours a test here"
    assert hello(HOST_NONCE) == golden(3, "hello")


def _link() -> tuple[Link, Pipe]:
    link = Link(SECRET, CALLER, lambda _: None, lambda: None, lambda _: None)
    link._nonce = ROUTER_NONCE
    pipe = Pipe(asyncio.Protocol(), link)
    link.connection_made(cast(Any, pipe))
    return link, pipe


@pytest.mark.parametrize("version", [2, 3])
async def test_a_router_speaks_the_version_of_the_host(version: int) -> None:
    link, pipe = _link()
    link.data_received(golden(version, "hello"))
    assert pipe.written == [golden(version, "prove")]
    link.data_received(golden(version, "welcome"))
    await link.ready
    assert (link.up, link.version) == (True, version)

    calls = CallTable()
    calls.mapped(MapView(1, {"a": Endpoint("a", "", "", "")}, {"counter": ["a"] * SHARDS}), 0.0)
    calls._next = 9
    calls.add("counter", "user-é", pack_body({"add": 1, "by": b"\x00"}), 1.5, None, TRACE)
    sent = unpack(calls.batch("a", 0.0, version=link.version)[4:])
    assert sent[2] == unpack(golden(version, "calls")[4:])[2]


class RouterOfVersion2:
    """What a router of the release before does, in plain msgpack."""

    def __init__(self, host: Host) -> None:
        self.connection = HostConnection(SECRET, host.mailboxes.deliver, set())
        self.pipe = Pipe(asyncio.Protocol(), self.connection)
        self.connection.connection_made(cast(Any, self.pipe))
        self._buffer, self._read = FrameBuffer(), 0

    def frames(self) -> list[list[Any]]:
        new = b"".join(self.pipe.written[self._read :])
        self._read = len(self.pipe.written)
        return [unpack(payload) for payload in self._buffer.feed(new)]

    def prove(self) -> None:
        ((kind, version, nonce),) = self.frames()
        assert (kind, version, type(nonce)) == (HELLO, 2, bytes), "a router of version 2 refuses all else"
        parts = b"entativa-stream-1" + b"router" + nonce + ROUTER_NONCE + CALLER
        mac = hmac.digest(SECRET, parts, sha256)
        self.connection.data_received(frame(pack((PROVE, 2, CALLER, ROUTER_NONCE, mac))))
        ((kind, mac),) = self.frames()
        parts = b"entativa-stream-1" + b"host" + nonce + ROUTER_NONCE + CALLER
        assert (kind, mac) == (WELCOME, hmac.digest(SECRET, parts, sha256))


async def test_a_router_of_the_version_before_is_served() -> None:
    router = RouterOfVersion2(Host("a"))
    router.prove()
    call = pack((1, "notebook", "a", 5000, pack_body("x")))
    router.connection.data_received(calls_frame(1, [call]))
    async with asyncio.timeout(60):
        while not (frames := router.frames()):
            await asyncio.sleep(0)
    ((kind, packed),) = frames
    assert (kind, unpack_answer(packed)[:2]) == (ANSWERS, (1, DONE))


async def test_a_version_that_somebody_in_between_lowered_is_noticed() -> None:
    link, pipe = _link()
    lowered = HOST_NONCE + bytes([2])
    link.data_received(frame(pack((HELLO, 2, lowered))))
    (prove,) = pipe.written
    connection = HostConnection(SECRET, Host("a").mailboxes.deliver, set())
    connection._nonce = HOST_NONCE + bytes([3])
    back = Pipe(asyncio.Protocol(), connection)
    connection.connection_made(cast(Any, back))
    connection.data_received(prove)
    assert unpack(FrameBuffer().feed(b"".join(back.written))[-1])[:2] == [ERROR, HandshakeFailed.status]
    assert not connection.proven


@pytest.mark.parametrize("version", [1, PROTOCOL + 1])
async def test_a_router_of_no_version_that_is_spoken_here_is_refused_and_told(version: int) -> None:
    connection = HostConnection(SECRET, Host("a").mailboxes.deliver, set())
    pipe = Pipe(asyncio.Protocol(), connection)
    connection.connection_made(cast(Any, pipe))
    mac = proof(SECRET, b"router", connection._nonce, ROUTER_NONCE, CALLER, version)
    connection.data_received(frame(pack((PROVE, version, CALLER, ROUTER_NONCE, mac))))
    *_, last = FrameBuffer().feed(b"".join(pipe.written))
    assert unpack(last)[:2] == [ERROR, HandshakeFailed.status]
    assert "protocols 2 to 3" in str(unpack(last)[2])


async def test_a_host_of_no_version_that_is_spoken_here_is_refused() -> None:
    for oldest, nonce in ((1, HOST_NONCE), (PROTOCOL + 1, HOST_NONCE + bytes([PROTOCOL + 2]))):
        link, _ = _link()
        link.data_received(frame(pack((HELLO, oldest, nonce))))
        with pytest.raises(HandshakeFailed, match=f"protocols {oldest} to"):
            await link.ready


async def test_two_of_the_newest_version_speak_it_and_calls_by_ray_too() -> None:
    router = Wired(Host("a"))
    assert await outcome(router.call("notebook", "a", "x")) == 1
    assert router._links._links["host-a"].version == PROTOCOL
    assert router._links._versions == {"host-a": PROTOCOL}
    await router.close()


def test_a_call_by_ray_to_a_host_that_was_never_connected_is_of_the_oldest_version() -> None:
    calls = CallTable()
    calls.mapped(MapView(1, {"a": Endpoint("a", "", "", "")}, {"k": ["a"] * SHARDS}), 0.0)
    calls.add("k", "x", b"\x01", 5.0, None, TRACE)
    assert len(unpack(calls.batch("a", 0.0)[4:])[2]) == 5


def test_frames_of_version_1_are_none_of_ours() -> None:
    # They may come by Ray, without a handshake.
    assert unpack(golden(1, "calls")[4:])[0] not in (CALLS, ANSWERS)
    assert unpack(golden(1, "answers")[4:])[0] not in (CALLS, ANSWERS)
