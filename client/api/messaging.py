"""Devices, keys and messages over HTTP (docs/messaging.md)."""

import base64
from typing import Any
from urllib.parse import quote
from uuid import UUID

from client.api.connection import ApiError, Connection, NoResponse
from client.api.delivery_tags import delivery_tag
from client.api.groups import GroupsApi, group_item, pushed_group_item
from client.api.numbers import number
from client.api.times import milliseconds
from client.messaging.groups.requests import GroupItem
from client.messaging.requests import (
    Accepted,
    Acknowledge,
    CountPreKeys,
    DevicesChanged,
    Done,
    EpochsFound,
    FetchEpochs,
    FetchInbox,
    InboxItem,
    InboxPage,
    KeysFound,
    LookUpKeys,
    PreKeysLeft,
    PreKeysTaken,
    Refused,
    Request,
    Response,
    Send,
    TakePreKeys,
    UploadPreKeys,
)
from client.realtime import Ticket
from crypto.directory import DirectoryKeys
from crypto.sessions import DeviceAddress

_PAGE = 500
_NOT_STORED = ("devices_changed", "no_devices")


class MessagingApi:
    """Requests of a session that acts for a device."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._groups = GroupsApi(connection)

    async def perform(self, request: Request) -> Response:
        """Performs a request of the messenger. Raises NoResponse, SignedOut, or ApiError with the code
        `not_a_device` if the session acts for no device."""
        call = self._connection.request
        try:
            match request:
                case LookUpKeys(account_id, known_size, seen):
                    params: dict[str, str | int] = {"known_size": known_size, "seen": seen}
                    found = await call("GET", f"/people/{UUID(account_id)}/keys", params=params)
                    return KeysFound(_decode(found["answer"]), bool(found["pending"]))
                case FetchEpochs(first, size):
                    found = await call("GET", "/key-directory/epochs", params={"first": first, "size": size})
                    return EpochsFound(tuple(map(_decode, found["items"])))
                case TakePreKeys(account_id, devices):
                    wanted = {"account_id": str(UUID(account_id)), "devices": list(devices)}
                    taken = await call("POST", "/prekeys/claims", wanted)
                    return PreKeysTaken({item["number"]: _decode(item["bundle"]) for item in taken["items"]})
                case UploadPreKeys(published):
                    return _prekeys_left(await call("PUT", "/prekeys", {"prekeys": _encode(published)}))
                case CountPreKeys():
                    return _prekeys_left(await call("GET", "/prekeys"))
                case Send():
                    return await self._send(request)
                case FetchInbox():
                    page = await call("GET", "/messaging/inbox", params={"limit": _PAGE})
                    return InboxPage(tuple(map(_inbox_item, page["items"])), page["next_cursor"] is not None)
                case Acknowledge(received):
                    items = [{"conversation_id": str(UUID(each)), "seq": seq} for each, seq in received.items()]
                    await call("POST", "/messaging/acknowledgements", {"items": items})
                    return Done()
                case _:
                    return await self._groups.perform(request)
        except ApiError as error:
            if error.code == "not_a_device":
                raise
            return Refused(error.code or str(error.status))
        except (KeyError, TypeError, ValueError) as error:
            raise NoResponse(f"the response to {type(request).__name__} is none") from error

    async def _send(self, request: Send) -> Response:
        payloads = [
            {
                "account_id": str(UUID(payload.address.user)),
                "device": payload.address.device,
                "envelope": _encode(payload.envelope),
            }
            for payload in request.payloads
        ]
        path = f"/conversations/{UUID(request.conversation_id)}/messages"
        body: dict[str, Any] = {"client_id": request.client_id, "payloads": payloads}
        if request.expires_in_s is not None:
            body["expires_in_s"] = request.expires_in_s
        try:
            sent = await self._connection.request("POST", path, body)
        except ApiError as error:
            if error.code in _NOT_STORED:
                return DevicesChanged()
            if error.code != "message_id_reused":
                raise
            sent = error.current  # it was stored as it was encrypted before
        return Accepted(number(sent["seq"]), milliseconds(sent["sent_at"]))

    async def find_account(self, username: str) -> str:
        """The id of an account. Raises ApiError."""
        profile = await self._connection.request("GET", f"/profiles/{quote(username, safe='')}")
        return UUID(profile["id"]).hex

    async def username_of(self, account_id: str) -> str:
        """The username of an account. Raises ApiError."""
        return str((await self._connection.request("GET", f"/people/{UUID(account_id)}"))["username"])

    async def open_conversation(self, account_id: str) -> str:
        """Opens the conversation with an account, or finds it. Returns its id. Raises ApiError."""
        found = await self._connection.request("POST", "/conversations", {"account_id": str(UUID(account_id))})
        return UUID(found["id"]).hex

    async def peer_of(self, conversation_id: str) -> tuple[str, bool]:
        """The username of whom a conversation is with, and whether it is accepted or need not be. Raises ApiError."""
        found = await self._connection.request("GET", f"/conversations/{UUID(conversation_id)}")
        return str(found["person"]["username"]), found["state"] == "active"

    async def devices(self) -> dict[str, Any]:
        """The own devices: the response of GET /v1/devices."""
        found: dict[str, Any] = await self._connection.request("GET", "/devices")
        return found

    async def register_first_device(self, identity_key: bytes, account_keys: bytes, session_binding: bytes) -> int:
        """Returns the number of the device. Raises ApiError."""
        body = {
            "identity_key": _encode(identity_key),
            "account_keys": _encode(account_keys),
            "session_binding": _encode(session_binding),
        }
        return int((await self._connection.request("POST", "/devices", body))["number"])

    async def remove_device(self, number: int) -> None:
        """Removes one of the own devices. Raises ApiError."""
        await self._connection.request("DELETE", f"/devices/{number}")

    async def bind_session(self, number: int, session_binding: bytes) -> None:
        """Lets the session act for a device. Raises ApiError."""
        body = {"session_binding": _encode(session_binding)}
        await self._connection.request("PUT", f"/devices/{number}/session", body)

    async def create_link(self, identity_key: bytes, ephemeral_key: bytes, session_binding: bytes) -> str:
        """Asks for the session's device to become one of the account. Returns the link's id. Raises ApiError."""
        body = {
            "identity_key": _encode(identity_key),
            "ephemeral_key": _encode(ephemeral_key),
            "session_binding": _encode(session_binding),
        }
        return UUID((await self._connection.request("POST", "/device-links", body))["id"]).hex

    async def links(self) -> list[dict[str, Any]]:
        """Devices that want to become ones of the account: the items of GET /v1/device-links."""
        found: list[dict[str, Any]] = (await self._connection.request("GET", "/device-links"))["items"]
        return found

    async def link(self, link_id: str) -> dict[str, Any]:
        """The response of GET /v1/device-links/{id}. Raises ApiError."""
        found: dict[str, Any] = await self._connection.request("GET", f"/device-links/{UUID(link_id)}")
        return found

    async def approve_link(self, link_id: str, account_keys: bytes, sealed_box: bytes) -> None:
        """Makes the device of a link one of the account. Raises ApiError."""
        body = {"account_keys": _encode(account_keys), "sealed_box": _encode(sealed_box)}
        await self._connection.request("POST", f"/device-links/{UUID(link_id)}/approval", body)

    async def refuse_link(self, link_id: str) -> None:
        """Deletes a link. Raises ApiError."""
        await self._connection.request("DELETE", f"/device-links/{UUID(link_id)}")

    async def directory_keys(self) -> DirectoryKeys:
        """The public keys of the key directory: believed once, at the first use."""
        found = await self._connection.request("GET", "/key-directory")
        return DirectoryKeys(_decode(found["log_key"]), _decode(found["vrf_key"]))

    async def ticket(self) -> Ticket:
        """A ticket for the socket. Raises ApiError, NoResponse or SignedOut."""
        found = await self._connection.request("POST", "/realtime/ticket")
        return Ticket(found["ticket"], found["url"])


def pushed_item(data: dict[str, Any]) -> InboxItem | GroupItem:
    """The data of a signal `message`. Raises ValueError, TypeError or KeyError, also if it has to be fetched."""
    return pushed_group_item(data) if data["kind"] == "group" else _pair_item(data)


def _inbox_item(item: dict[str, Any]) -> InboxItem | GroupItem:
    return group_item(item) if item["kind"] == "group" else _pair_item(item)


def _pair_item(item: dict[str, Any]) -> InboxItem:
    """Raises ValueError or KeyError, also for a signal without its envelope."""
    envelope = item["envelope"]
    if envelope is None:
        raise ValueError("the envelope has to be fetched")
    return InboxItem(
        UUID(item["conversation_id"]).hex,
        UUID(item["other_account_id"]).hex,
        number(item["seq"]),
        number(item["previous"]),
        DeviceAddress(UUID(item["sender_account_id"]).hex, number(item["sender_device"])),
        milliseconds(item["sent_at"]),
        envelope if isinstance(envelope, bytes) else _decode(envelope),
        delivery_tag(item),
    )


def _prekeys_left(counts: dict[str, Any]) -> PreKeysLeft:
    return PreKeysLeft(number(counts["one_time"]), number(counts["kem"]))


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
