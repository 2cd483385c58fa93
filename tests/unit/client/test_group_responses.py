"""Responses about groups that are none: they count as no response."""

import httpx
import pytest

from client.api.connection import Connection, NoResponse, Tokens
from client.api.messaging import MessagingApi, pushed_item
from client.messaging.groups.requests import GroupsListed, ListGroups, SendToGroup
from client.messaging.requests import FetchInbox

ID = "12345678-1234-4234-8234-123412341234"
ITEM = {
    "kind": "group",
    "conversation_id": ID,
    "content": "application",
    "epoch": 1,
    "seq": 1,
    "previous": 0,
    "sender_account_id": ID,
    "sender_device": 1,
    "sent_at": "2026-01-01T00:00:00Z",
    "envelope": "AAAA",
}
SIGNED_IN = {"account_id": "0" * 32, "session_id": "0" * 32, "refresh_token": "r", "access_token": "a", "expires_in": 9}


def api(*responses: httpx.Response) -> MessagingApi:
    """Of a server that says this."""
    waiting = list(responses)

    async def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/auth/refresh"):
            return httpx.Response(200, json=SIGNED_IN)
        return waiting.pop(0)

    transport = httpx.MockTransport(respond)
    return MessagingApi(Connection("http://server/entativa", Tokens("0" * 32, "0" * 32, "r"), transport=transport))


@pytest.mark.parametrize("field", ["epoch", "seq", "previous", "sender_device"])
@pytest.mark.parametrize("value", [2**63, -1, "1", None, 1.5])
async def test_an_item_with_a_number_that_is_none_is_refused(field: str, value: object) -> None:
    page = {"items": [{**ITEM, field: value}], "next_cursor": None}
    with pytest.raises(NoResponse):
        await api(httpx.Response(200, json=page)).perform(FetchInbox())
    with pytest.raises(ValueError):
        pushed_item({**ITEM, field: value})


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(201, json={"seq": 2**70, "sent_at": "2026-01-01T00:00:00Z"}),
        httpx.Response(409, json={"code": "epoch_outdated", "current": {"epoch": 2**70}}),
    ],
)
async def test_an_answer_with_a_number_that_is_none_is_refused(response: httpx.Response) -> None:
    with pytest.raises(NoResponse):
        await api(response).perform(SendToGroup(1, "1" * 32, ID, b"message"))


async def test_a_list_of_groups_ends_when_a_page_brings_nothing_new() -> None:
    page = httpx.Response(200, json={"items": [{"id": ID}], "next_cursor": "again"})
    assert await api(page, page).perform(ListGroups()) == GroupsListed((ID.replace("-", ""),))
