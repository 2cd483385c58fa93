"""Encrypted groups and KeyPackages over HTTP (docs/messaging.md)."""

import base64
from typing import Any
from uuid import UUID

from client.api.connection import ApiError, Connection
from client.api.delivery_tags import delivery_tag
from client.api.numbers import number
from client.api.times import milliseconds
from client.messaging.groups.requests import (
    ChangeGroup,
    ClaimKeyPackages,
    CountKeyPackages,
    EpochEnded,
    FetchGroup,
    FetchGroupMessage,
    FetchTree,
    FoundGroup,
    GroupFound,
    GroupItem,
    GroupMessageFound,
    GroupRequest,
    GroupsListed,
    KeyPackagesClaimed,
    KeyPackagesLeft,
    ListGroups,
    SendToGroup,
    TreeFound,
    UploadKeyPackages,
)
from client.messaging.requests import Accepted, Done, Response
from crypto.mls import DEFAULT_SUITE
from crypto.sessions import DeviceAddress

_PAGE = 100
_MAX_GROUPS = 10_000
"""How many groups are listed: pages that bring nothing new, or more, are none."""


class GroupsApi:
    """Requests of a session that acts for a device."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def perform(self, request: GroupRequest) -> Response:
        """Performs a request of the groups. Raises NoResponse, SignedOut, ApiError; KeyError, TypeError or ValueError
        for a response that is none."""
        call = self._connection.request
        match request:
            case FoundGroup():
                await call("POST", "/groups", {"group_info": _encode(request.group_info)})
                return Done()
            case ChangeGroup():
                body = {"client_id": request.client_id, "message": _encode(request.message)}
                for name, value in (("welcome", request.welcome), ("group_info", request.group_info)):
                    if value is not None:
                        body[name] = _encode(value)
                return await self._post("/group-changes", body)
            case SendToGroup(group_id=group_id):
                body = {"client_id": request.client_id, "message": _encode(request.message)}
                expires = {} if request.expires_in_s is None else {"expires_in_s": request.expires_in_s}
                return await self._post(f"/groups/{UUID(group_id)}/messages", {**body, **expires})
            case FetchGroup(group_id):
                path = f"/groups/{UUID(group_id)}"
                info = _decode((await call("GET", f"{path}/group-info"))["group_info"])
                epoch = number((await call("GET", path))["epoch"])
                return GroupFound(info, await self._connection.download(f"{path}/trees/{epoch}"))
            case FetchTree(group_id, epoch):
                return TreeFound(await self._connection.download(f"/groups/{UUID(group_id)}/trees/{epoch}"))
            case FetchGroupMessage(group_id, seq):
                path = f"/groups/{UUID(group_id)}/messages/{seq}"
                return GroupMessageFound(await self._connection.download(path))
            case ListGroups():
                return GroupsListed(await self._list())
            case ClaimKeyPackages(account_ids=account_ids):
                wanted = {"account_ids": [str(UUID(each)) for each in account_ids], "suite": int(DEFAULT_SUITE)}
                items = (await call("POST", "/key-packages/claims", wanted))["items"]
                found = (item["key_package"] for item in items)
                return KeyPackagesClaimed(tuple(_decode(each) for each in found if each is not None))
            case UploadKeyPackages(packages):
                return _left(await call("POST", "/key-packages", {"key_packages": list(map(_encode, packages))}))
            case CountKeyPackages():
                return _left(await call("GET", "/key-packages"))

    async def _post(self, path: str, body: dict[str, Any]) -> Response:
        try:
            posted = await self._connection.request("POST", path, body)
        except ApiError as error:
            if error.code == "epoch_outdated":
                return EpochEnded(number(error.current["epoch"]))
            if error.code != "group_message_id_reused":
                raise
            posted = error.current  # it was stored as it was encrypted before
        return Accepted(number(posted["seq"]), milliseconds(posted["sent_at"]))

    async def _list(self) -> tuple[str, ...]:
        found: dict[str, None] = {}
        params: dict[str, str | int] = {"limit": _PAGE}
        while True:
            page = await self._connection.request("GET", "/groups", params=params)
            before = len(found)
            found |= dict.fromkeys(UUID(item["id"]).hex for item in page["items"])
            if page["next_cursor"] is None or not before < len(found) < _MAX_GROUPS:
                return tuple(found)
            params["cursor"] = page["next_cursor"]


def group_item(item: dict[str, Any]) -> GroupItem:
    """An item of the inbox of the kind `group`. Raises ValueError, TypeError or KeyError."""
    sender, message = item["sender_account_id"], item["envelope"]
    return GroupItem(
        UUID(item["conversation_id"]).hex,
        str(item["content"]),
        number(item["epoch"]),
        number(item["seq"]),
        number(item["previous"]),
        None if sender is None else DeviceAddress(UUID(sender).hex, number(item["sender_device"])),
        milliseconds(item["sent_at"]),
        message if message is None or isinstance(message, bytes) else _decode(message),
        delivery_tag(item),
    )


def pushed_group_item(data: dict[str, Any]) -> GroupItem:
    """The data of a signal `message` of a group. Raises as `group_item`, and ValueError for what has to be fetched."""
    item = group_item(data)
    if item.message is None:
        raise ValueError("the message has to be fetched")
    return item


def _left(counts: dict[str, Any]) -> KeyPackagesLeft:
    own = [item for item in counts["items"] if item["suite"] == int(DEFAULT_SUITE)]
    if not own:
        return KeyPackagesLeft(0, False)
    return KeyPackagesLeft(number(own[0]["one_time"]), bool(own[0]["last_resort"]))


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
