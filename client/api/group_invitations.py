"""Invitations to groups and requests to join over HTTP (docs/messaging.md)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from client.api.connection import Connection
from client.api.numbers import number
from client.api.pages import items_of, understood
from client.api.times import milliseconds


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation to a group. `uses`: how many people were let in by it, of `max_uses`. `expires_at`: in milliseconds
    since 1970."""

    id: str
    max_uses: int
    uses: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Somebody asks to join a group of which this account is an owner or admin. `asked_at`: in milliseconds since
    1970."""

    id: str
    group_id: str
    account_id: str
    username: str
    asked_at: int


class GroupInvitationsApi:
    """Requests of a session. Methods raise ApiError, NoResponse or SignedOut. Ids are 32 hexadecimal digits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, group_id: str, expires_in_s: int, max_uses: int) -> str:
        """Makes an invitation. Returns its token, which nobody is told again."""
        body = {"expires_in_s": expires_in_s, "max_uses": max_uses}
        made = await self._connection.request("POST", _of_group(group_id), body)
        with understood():
            return str(made["token"])

    async def of_group(self, group_id: str) -> list[Invitation]:
        """The invitations to a group that are good, newest first."""
        items = await items_of(self._connection, _of_group(group_id))
        with understood():
            return [_invitation(item) for item in items]

    async def revoke(self, group_id: str, invitation_id: str) -> None:
        """Ends an invitation."""
        await self._connection.request("DELETE", f"{_of_group(group_id)}/{UUID(invitation_id)}")

    async def ask(self, token: str) -> None:
        """Asks to join the group of an invitation; again without harm."""
        await self._connection.request("POST", "/group-join-requests", {"token": token})

    async def requests(self) -> list[JoinRequest]:
        """The requests that this account can answer, in all its groups, newest first."""
        items = await items_of(self._connection, "/group-join-requests", {"direction": "incoming"})
        with understood():
            return [_request(item) for item in items]

    async def approve(self, request_id: str) -> None:
        """Lets somebody in, who then has to be added; again without harm."""
        await self._connection.request("POST", f"/group-join-requests/{UUID(request_id)}/approve")

    async def decline(self, request_id: str) -> None:
        """Lets somebody not in; again without harm."""
        await self._connection.request("POST", f"/group-join-requests/{UUID(request_id)}/decline")


def _invitation(item: Any) -> Invitation:
    uses, expires_at = number(item["uses"]), milliseconds(item["expires_at"])
    return Invitation(UUID(item["id"]).hex, number(item["max_uses"]), uses, expires_at)


def _request(item: Any) -> JoinRequest:
    id, group_id, account_id = [UUID(each).hex for each in (item["id"], item["group_id"], item["person"]["id"])]
    return JoinRequest(id, group_id, account_id, str(item["person"]["username"]), milliseconds(item["asked_at"]))


def _of_group(group_id: str) -> str:
    return f"/groups/{UUID(group_id)}/invitations"
