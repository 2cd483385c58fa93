"""The protocol on a real socket: admission, bad input, slow clients, heartbeat, revocation."""

import asyncio
import contextlib
import socket as sockets
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from features.realtime.errors import SessionsUnavailable
from features.realtime.policy import RealtimePolicy
from tests.support.realtime_harness import RealtimeHarness, open_harness
from tests.support.servers import Servers
from tests.support.websocket import LAPTOP, PHONE, USER, closed, dialed, receive, send, welcomed


async def test_subprotocols_are_negotiated_and_json_is_the_default(harness: RealtimeHarness) -> None:
    names = ("realtime.v1.json", "realtime.v1.msgpack")
    for name in names:
        async with dialed(harness, subprotocols=[Subprotocol(name)]) as websocket:
            assert websocket.subprotocol == name
    async with dialed(harness, subprotocols=[Subprotocol("other"), *map(Subprotocol, names)]) as websocket:
        assert websocket.subprotocol == "realtime.v1.msgpack"
    async with welcomed(harness) as websocket:
        await send(websocket, {"t": "ping", "n": 7})
        assert await receive(websocket) == {"t": "pong", "n": 7}
    with pytest.raises(InvalidStatus) as refused:
        async with dialed(harness, subprotocols=[Subprotocol("other")]):
            pass
    assert refused.value.response.status_code == 400


async def test_other_paths_are_not_found(harness: RealtimeHarness) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(harness.url + "/elsewhere"):
            pass
    assert refused.value.response.status_code == 404


async def test_a_ticket_opens_one_socket(harness: RealtimeHarness) -> None:
    ticket = (await harness.ticket(USER, PHONE)).ticket
    expectations = [(ticket, None), (ticket, 4002), ("never issued", 4001)]
    for value, code in expectations:
        async with dialed(harness) as websocket:
            await send(websocket, {"t": "hello", "ticket": value})
            if code is None:
                assert (await receive(websocket))["t"] == "welcome"
            else:
                frames, actual = await closed(websocket)
                assert actual == code
                assert frames[-1]["fatal"] is True


async def test_two_sockets_racing_for_a_ticket_share_nothing(harness: RealtimeHarness) -> None:
    ticket = (await harness.ticket(USER, PHONE)).ticket

    async def attempt() -> str:
        async with dialed(harness) as websocket:
            await send(websocket, {"t": "hello", "ticket": ticket})
            answer = await receive(websocket)
            return str(answer.get("code", answer["t"]))

    assert sorted(await asyncio.gather(*(attempt() for _ in range(5)))) == ["ticket_replayed"] * 4 + ["welcome"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('{"t": "ack"', 4000),
        ("[]", 4000),
        (b"\x81", 1003),
        ('{"t": "ack", "seq": 1}', 4007),
        ("x" * (RealtimePolicy().max_frame_bytes + 1), 1009),
        ('{"t": "hello", "ticket": "again"}', 4000),
    ],
    ids=["bad json", "no map", "binary", "future ack", "oversized", "second hello"],
)
async def test_bad_input_is_a_typed_close(harness: RealtimeHarness, message: str | bytes, code: int) -> None:
    async with welcomed(harness) as websocket:
        await websocket.send(message)
        assert (await closed(websocket))[1] == code


async def test_unknown_frames_are_errors_that_the_connection_survives(harness: RealtimeHarness) -> None:
    async with welcomed(harness) as websocket:
        await send(websocket, {"t": "teleport"})
        error = await receive(websocket)
        assert (error["t"], error["code"], error["fatal"]) == ("error", "unknown_frame", False)
        await send(websocket, {"t": "ping"})
        assert (await receive(websocket))["t"] == "pong"


async def test_fragmented_messages_are_put_together(harness: RealtimeHarness) -> None:
    async with welcomed(harness) as websocket:
        await websocket.send(iter(['{"t":', '"ping",', '"n":3}']))
        assert await receive(websocket) == {"t": "pong", "n": 3}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\x81\x82\0\0\0\0\xff\xfe", 1007),
        (b"\x81\x02{}", 1002),
        (b"\xf1\x80\0\0\0\0", 1002),
        (b"\x80\x80\0\0\0\0", 1002),
    ],
    ids=["bad utf-8", "unmasked", "reserved bits", "continuation of nothing"],
)
async def test_broken_websocket_frames_are_a_typed_close(harness: RealtimeHarness, raw: bytes, code: int) -> None:
    async with welcomed(harness) as websocket:
        websocket.transport.write(raw)
        assert (await closed(websocket))[1] == code


async def test_a_resume_from_the_future_is_refused(harness: RealtimeHarness) -> None:
    async with dialed(harness) as websocket:
        await send(websocket, {"t": "hello", "ticket": (await harness.ticket(USER, PHONE)).ticket})
        stream = (await receive(websocket))["stream"]
    async with dialed(harness) as websocket:
        hello = {"t": "hello", "ticket": (await harness.ticket(USER, PHONE)).ticket}
        await send(websocket, {**hello, "resume": {"stream": stream, "seq": 5}})
        assert (await closed(websocket))[1] == 4007


async def test_the_number_of_sockets_of_a_user_is_limited(harness: RealtimeHarness) -> None:
    async with welcomed(harness), dialed(harness) as last:
        for _ in range(19):
            await harness.sessions.attach(str(USER), str(uuid4()), "h|n|127.0.0.1:1|", str(PHONE), None)
        await send(last, {"t": "hello", "ticket": (await harness.ticket(USER, PHONE)).ticket})
        assert (await closed(last))[1] == 4009


async def test_revoking_a_device_closes_its_sockets_at_once_and_only_those(harness: RealtimeHarness) -> None:
    async with welcomed(harness) as phone, welcomed(harness, device=LAPTOP) as laptop:
        await harness.sessions.revoke(USER, PHONE)
        frames, code = await closed(phone)
        assert (frames[-1]["code"], code) == ("session_revoked", 4005)
        await harness.sessions.push(USER, "note", {"still": "here"})
        assert (await receive(laptop))["items"][0]["data"] == {"still": "here"}
        assert await harness.sessions.devices(USER) == {LAPTOP: 1}
    async with dialed(harness) as again:
        await send(again, {"t": "hello", "ticket": (await harness.ticket(USER, PHONE)).ticket})
        assert (await closed(again))[1] == 4005


async def test_closed_sockets_leave_the_session(harness: RealtimeHarness) -> None:
    async with welcomed(harness):
        assert await harness.sessions.devices(USER) == {PHONE: 1}
    async with asyncio.timeout(60):
        while await harness.sessions.devices(USER):
            await asyncio.sleep(0.01)


async def test_unread_counters_reach_every_device(harness: RealtimeHarness) -> None:
    async with welcomed(harness) as phone, welcomed(harness, device=LAPTOP) as laptop:
        assert await harness.sessions.count_unread(USER, "notifications", 2) == 2
        for websocket in (phone, laptop):
            event = (await receive(websocket))["items"][0]
            assert (event["kind"], event["data"]) == ("unread", {"counter": "notifications", "count": 2})
        await harness.crash_shards()
        assert await harness.sessions.unread(USER) == {"notifications": 2}


@pytest.fixture
async def strict(servers: Servers, database_address: str) -> AsyncIterator[RealtimeHarness]:
    """Small windows."""
    policy = RealtimePolicy(window_events=4, write_high_bytes=2048, drain_spread_s=5.0)
    async with open_harness(servers, database_address, policy) as opened:
        yield opened


async def test_a_silent_newcomer_is_let_go(servers: Servers, database_address: str) -> None:
    async with open_harness(servers, database_address, RealtimePolicy(hello_timeout_s=0.1)) as harness:
        async with dialed(harness) as newcomer:
            assert (await closed(newcomer))[1] == 4003


async def test_a_silent_client_is_let_go_and_one_that_answers_pings_is_kept(
    servers: Servers, database_address: str
) -> None:
    async with open_harness(servers, database_address, RealtimePolicy(heartbeat_s=1.0)) as harness:
        # Where this process stalls for as long as two heartbeats, the host hears nothing of either.
        for _attempt in range(5):
            with contextlib.suppress(ConnectionClosed):
                async with welcomed(harness) as client, welcomed(harness, device=LAPTOP) as mute:
                    mute.transport.pause_reading()
                    async with asyncio.timeout(60):
                        while LAPTOP in await harness.sessions.devices(USER):
                            await asyncio.sleep(0.1)
                    mute.transport.abort()
                    await send(client, {"t": "ping"})  # it has answered the pings that the mute one left unread
                    assert (await receive(client))["t"] == "pong"
                    return
        raise AssertionError("a client that answered pings was let go five times")


async def test_a_client_that_does_not_keep_up_is_told_and_can_catch_up(strict: RealtimeHarness) -> None:
    async with welcomed(strict) as websocket:
        for number in range(1, 7):
            await strict.sessions.push(USER, "note", {"n": number})
        numbers: list[int] = []
        while (frame := await receive(websocket))["t"] == "events":
            numbers += [item["data"]["n"] for item in frame["items"]]
        assert (frame, numbers) == ({"t": "slow", "seq": 4}, [1, 2, 3, 4])
        await send(websocket, {"t": "ack", "seq": 4})
        frame = await receive(websocket)
        assert [item["data"]["n"] for item in frame["items"]] == [5, 6]


@pytest.mark.usefixtures("often")
async def test_a_client_that_stays_slow_is_disconnected_and_costs_no_memory(
    servers: Servers, database_address: str
) -> None:
    policy = RealtimePolicy(window_events=4, write_high_bytes=2048, slow_timeout_s=1.0)
    async with open_harness(servers, database_address, policy) as harness, welcomed(harness) as websocket:
        for number in range(1, 40):
            await harness.sessions.push(USER, "note", {"n": number, "pad": "x" * 1000})
        frames, code = await closed(websocket)
        assert code == 4006
        assert sum(len(frame["items"]) for frame in frames if frame["t"] == "events") == 4


async def test_a_full_socket_does_not_hold_up_others(harness: RealtimeHarness) -> None:
    """One reader stops reading altogether; the other gets everything meanwhile."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)  # else the kernel takes megabytes for who does not read
    raw.connect(("127.0.0.1", int(harness.url.split(":")[2].split("/")[0])))
    raw.setblocking(False)
    async with welcomed(harness, sock=raw) as stuck, welcomed(harness, device=LAPTOP) as reader:
        stuck.transport.pause_reading()
        seen = 0
        for _ in range(100):
            await harness.sessions.push(USER, "note", {"pad": "x" * 30_000})
            while seen <= 100:
                frame = await receive(reader)
                seen += len(frame.get("items", ()))
                await send(reader, {"t": "ack", "seq": frame["seq"]})
                if frame["t"] == "events":
                    break
        assert seen == 100
        host = next(iter(harness.hosts.values()))[0]
        waiting = [socket._transport.get_write_buffer_size() for socket in host._sockets.values()]
        assert max(waiting) < harness.policy.write_high_bytes + 40_000


async def test_a_drain_asks_clients_to_come_back_at_different_moments(strict: RealtimeHarness) -> None:
    async with welcomed(strict) as one, welcomed(strict) as two, welcomed(strict) as three:
        leaving = asyncio.create_task(strict.drain_host(strict.url))
        moments = set()
        for websocket in (one, two, three):
            frames, code = await closed(websocket)
            assert (frames[-1]["t"], code) == ("reconnect", 1012)
            assert 0 <= frames[-1]["after_ms"] <= 5000
            moments.add(frames[-1]["after_ms"])
        assert len(moments) > 1
        await leaving


async def test_a_drain_waits_for_a_client_that_has_not_read_yet(strict: RealtimeHarness) -> None:
    host = strict.hosts[strict.url][0]
    async with asyncio.timeout(60):
        async with welcomed(strict):
            pass
        while len(host):  # that the host was without sockets before does not count
            await asyncio.sleep(0.01)
    async with welcomed(strict) as late:
        late.transport.pause_reading()
        leaving = asyncio.create_task(strict.drain_host(strict.url))
        async with asyncio.timeout(60):
            while not host.draining:
                await asyncio.sleep(0)
        for _ in range(100):  # far more turns of the event loop than a drain takes that does not wait
            await asyncio.sleep(0)
        assert len(host) == 1
        assert not leaving.done()
        late.transport.resume_reading()
        frames, code = await closed(late)
        assert (frames[-1]["t"], code) == ("reconnect", 1012)
        await leaving


@pytest.mark.usefixtures("often")
async def test_a_lost_push_is_made_good_by_the_lease(servers: Servers, database_address: str) -> None:
    """The entity forgets the socket (as if its process had died with its journal): the lease brings it back."""
    policy = replace(RealtimePolicy(), lease_s=0.5)
    async with open_harness(servers, database_address, policy) as harness, welcomed(harness) as websocket:
        connections = list(next(iter(harness.hosts.values()))[0]._sockets)
        await harness.sessions.detach(str(USER), connections)
        await harness.sessions.push(USER, "note", {"n": 1})
        frame = await receive(websocket)
        assert frame["items"][0]["data"] == {"n": 1}


async def test_a_socket_whose_registration_was_not_answered_leaves_no_ghost(
    harness: RealtimeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach = harness.sessions.attach

    async def slow(*arguments: Any) -> Any:
        await attach(*arguments)
        raise SessionsUnavailable("the answer did not come")

    monkeypatch.setattr(harness.sessions, "attach", slow)
    async with dialed(harness) as websocket:
        await send(websocket, {"t": "hello", "ticket": (await harness.ticket(USER, PHONE)).ticket})
        assert (await closed(websocket))[1] == 1013
    async with asyncio.timeout(60):
        while await harness.sessions.devices(USER):
            await asyncio.sleep(0.02)
