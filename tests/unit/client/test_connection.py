"""A session's tokens and the meaning of responses, against a server that says what each test wants."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from client.api import ApiError, Connection, MessagingApi, NoResponse, SignedOut, Tokens
from client.api.messaging import pushed_item
from client.messaging.groups.requests import GroupItem
from client.messaging.requests import (
    Accepted,
    CountPreKeys,
    DevicesChanged,
    FetchInbox,
    InboxPage,
    LookUpKeys,
    Payload,
    PreKeysLeft,
    PreKeysTaken,
    Refused,
    Send,
    TakePreKeys,
    UploadPreKeys,
)
from crypto.sessions import DeviceAddress

ID, OTHER = "0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11", "0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c22"
HEX, OTHER_HEX = ID.replace("-", ""), OTHER.replace("-", "")
SEND = Send(7, HEX, ID, (Payload(DeviceAddress(OTHER_HEX, 2), b"\x01\x02"),))

Answer = tuple[int, Any]


class Server:
    """Answers each path with what is listed for it, the last one again and again."""

    def __init__(self, **paths: list[Answer]) -> None:
        self.answers = {
            f"/b/v1/{path.replace('__', '/').replace('_', '-')}": answers for path, answers in paths.items()
        }
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        answers = self.answers[request.url.path]
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        if status == 0:
            raise httpx.ConnectError("nobody there")
        return httpx.Response(status, json=body) if body is not None else httpx.Response(status)


def tokens(number: int, expires_in: int = 900) -> Answer:
    return 200, {
        "account_id": ID,
        "session_id": OTHER,
        "access_token": f"access {number}",
        "expires_in": expires_in,
        "refresh_token": f"refresh {number}",
    }


def problem(status: int, code: str, current: Any = None) -> Answer:
    return status, {"code": code, "detail": f"about {code}", "current": current}


def connection(server: Server, store: Callable[[Tokens], None] = lambda _: None) -> Connection:
    known = Tokens(HEX, OTHER_HEX, "refresh 0")
    return Connection("http://t/b/", known, store=store, transport=httpx.MockTransport(server))


async def test_tokens_are_stored_before_they_are_used_and_exchanged_in_time() -> None:
    stored: list[Tokens] = []
    server = Server(auth__refresh=[tokens(1, expires_in=10), tokens(2)], x=[(200, {"n": 1})])
    async with connection(server, stored.append) as session:
        for _ in range(3):
            assert await session.request("GET", "/x") == {"n": 1}
    assert [each.refresh_token for each in stored] == ["refresh 1", "refresh 2"]
    used = [request.headers.get("authorization") for request in server.seen]
    assert used == [None, "Bearer access 1", None, "Bearer access 2", "Bearer access 2"]


async def test_a_refused_access_token_is_exchanged_once() -> None:
    server = Server(auth__refresh=[tokens(1), tokens(2)], x=[problem(401, "unauthorized"), (204, None)])
    async with connection(server) as session:
        assert await session.request("DELETE", "/x") is None
    server = Server(auth__refresh=[tokens(1)], x=[problem(401, "unauthorized")])
    async with connection(server) as session:
        with pytest.raises(SignedOut):
            await session.request("DELETE", "/x")
    assert len(server.seen) == 4


@pytest.mark.parametrize("code", ["bad_refresh_token", "refresh_token_reused"])
async def test_an_ended_session_is_said(code: str) -> None:
    async with connection(Server(auth__refresh=[problem(401, code)])) as session:
        with pytest.raises(SignedOut):
            await session.request("GET", "/x")
    async with Connection("http://t/b", transport=httpx.MockTransport(Server())) as session:
        with pytest.raises(SignedOut):
            await session.request("GET", "/x")


@pytest.mark.parametrize("answer", [(0, None), (503, None), problem(429, "too_many_requests"), (502, "<html>")])
async def test_nobody_knows_what_became_of_it(answer: Answer) -> None:
    server = Server(
        auth__refresh=[tokens(1)], x=[answer], **{f"conversations__{ID.replace('-', '_')}__messages": [answer]}
    )
    async with connection(server) as session:
        with pytest.raises(NoResponse):
            await session.request("GET", "/x")
        with pytest.raises(NoResponse):
            await MessagingApi(session).perform(SEND)


async def test_a_wrong_password_has_its_code() -> None:
    server = Server(auth__log_in=[problem(401, "wrong_credentials"), tokens(5)])
    async with Connection("http://t/b", transport=httpx.MockTransport(server)) as session:
        with pytest.raises(ApiError, match="about wrong_credentials") as error:
            await session.log_in("ada", "x")
        assert error.value.code == "wrong_credentials"
        assert await session.log_in("ada", "y") == Tokens(HEX, OTHER_HEX, "refresh 5")


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        ((200, {"seq": 5, "sent_at": "2026-11-26T12:00:00.5Z"}), Accepted(5, 1_795_694_400_500)),
        (problem(409, "devices_changed", {"devices": []}), DevicesChanged()),
        (problem(409, "no_devices"), DevicesChanged()),
        (
            problem(409, "message_id_reused", {"seq": 4, "sent_at": "2026-11-26T12:00:00Z"}),
            Accepted(4, 1_795_694_400_000),
        ),
        (problem(409, "request_not_accepted"), Refused("request_not_accepted")),
        (problem(404, "no_such_conversation"), Refused("no_such_conversation")),
        ((413, None), Refused("413")),
    ],
)
async def test_what_the_server_says_about_a_message(answer: Answer, response: object) -> None:
    server = Server(auth__refresh=[tokens(1)], **{f"conversations__{ID.replace('-', '_')}__messages": [answer]})
    async with connection(server) as session:
        assert await MessagingApi(session).perform(SEND) == response
    sent = httpx.Response(200, content=server.seen[-1].content).json()
    assert sent == {"client_id": ID, "payloads": [{"account_id": OTHER, "device": 2, "envelope": "AQI="}]}


async def test_a_session_without_a_device_is_not_a_refusal() -> None:
    server = Server(auth__refresh=[tokens(1)], messaging__inbox=[problem(409, "not_a_device")])
    async with connection(server) as session:
        with pytest.raises(ApiError):
            await MessagingApi(session).perform(FetchInbox())


async def test_what_is_left_of_prekeys() -> None:
    left = 200, {"published": True, "one_time": 87, "kem": 86}
    server = Server(auth__refresh=[tokens(1)], prekeys=[left, problem(409, "too_many_prekeys"), left, (200, {})])
    async with connection(server) as session:
        api = MessagingApi(session)
        assert await api.perform(UploadPreKeys(b"\x01")) == PreKeysLeft(87, 86)
        assert await api.perform(UploadPreKeys(b"\x01")) == Refused("too_many_prekeys")
        assert await api.perform(CountPreKeys()) == PreKeysLeft(87, 86)
        with pytest.raises(NoResponse):
            await api.perform(CountPreKeys())


async def test_keys_and_inbox() -> None:
    item = {
        "conversation_id": ID,
        "kind": "pair",
        "other_account_id": OTHER,
        "seq": 9,
        "previous": 0,
        "sender_account_id": OTHER,
        "sender_device": 1,
        "sent_at": "2026-11-26T12:00:00Z",
        "envelope": "AQI=",
    }
    server = Server(
        auth__refresh=[tokens(1)],
        prekeys__claims=[(200, {"items": [{"number": 2, "bundle": "AQI="}]})],
        messaging__inbox=[(200, {"items": [item], "next_cursor": "x"})],
        **{f"people__{OTHER.replace('-', '_')}__keys": [problem(404, "no_such_person")]},
    )
    async with connection(server) as session:
        api = MessagingApi(session)
        assert await api.perform(TakePreKeys(OTHER_HEX, (2,))) == PreKeysTaken({2: b"\x01\x02"})
        assert await api.perform(LookUpKeys(OTHER_HEX, 3, 1)) == Refused("no_such_person")
        assert await api.perform(FetchInbox()) == InboxPage((pushed_item(item),), more=True)
    assert pushed_item({**item, "envelope": b"\x01\x02"}) == pushed_item(item)
    for wrong in ({**item, "envelope": None}, {**item, "seq": None, "conversation_id": "x"}):
        with pytest.raises(ValueError):
            pushed_item(wrong)


def test_messages_of_groups_are_pushed_unless_they_have_to_be_fetched() -> None:
    data = {
        "conversation_id": ID,
        "kind": "group",
        "content": "application",
        "epoch": 3,
        "other_account_id": None,
        "seq": 9,
        "previous": 7,
        "sender_account_id": OTHER,
        "sender_device": 1,
        "sent_at": "2026-11-26T12:00:00Z",
        "envelope": b"\x01\x02",
    }
    sender = DeviceAddress(OTHER_HEX, 1)
    group_id = ID.replace("-", "")
    expected = GroupItem(group_id, "application", 3, 9, 7, sender, 1_795_694_400_000, b"\x01\x02")
    assert pushed_item(data) == pushed_item({**data, "envelope": "AQI="}) == expected
    with pytest.raises(ValueError):
        pushed_item({**data, "envelope": None})


@pytest.mark.parametrize("body", [None, [], {"items": 3}, {"items": [{}], "next_cursor": None}, {"seq": 1}])
async def test_nonsense_is_no_response(body: Any) -> None:
    path = f"conversations__{ID.replace('-', '_')}__messages"
    server = Server(auth__refresh=[tokens(1)], messaging__inbox=[(200, body)], **{path: [(200, body)]})
    async with connection(server) as session:
        for request in (FetchInbox(), SEND):
            with pytest.raises(NoResponse):
                await MessagingApi(session).perform(request)
