"""The devices of an account: how this one becomes one of them, and what it does about the others."""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nacl.public import PrivateKey

from client.api import ApiError, Connection, MessagingApi, NoResponse
from client.linking import LinkCode, export_history, import_history
from client.messaging import Device
from client.state import State
from client.storage import Database
from crypto.directory import AccountKeys
from crypto.identity import IdentityKey, bind_session
from crypto.randomness import Randomness

_POLL_S = 2.0
_ROOM = 60_000
"""For history, below the 64 KiB of a box."""
_SECRET = 32


class LinkRequired(Exception):
    """The account has other devices: one of them has to approve this one."""

    def __init__(self) -> None:
        super().__init__("this account has another device")


class LinkRefused(Exception):
    """A device of the account has refused this one, or none has approved it in time."""

    def __init__(self) -> None:
        super().__init__("this device was not approved in time, or refused")


class DeviceRemoved(Exception):
    """This device was removed from the account, which it cannot be again by itself: nothing is sent or received."""

    def __init__(self) -> None:
        super().__init__("this device was removed from the account")


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """`registered_at`: RFC 3339."""

    number: int
    registered_at: str
    current: bool


class Devices:
    """Methods raise ApiError, NoResponse and SignedOut."""

    def __init__(self, database: Database, device: Device, connection: Connection, randomness: Randomness) -> None:
        self._database = database
        self._state = State(database)
        self._device = device
        self._connection = connection
        self._api = MessagingApi(connection)
        self._randomness = randomness

    async def register(self) -> None:
        """Registers this device, or lets the session act for it; a repetition does no harm. Once registered it is never
        registered again: whoever removed it wants that. Raises LinkRequired, DeviceRemoved."""
        identity, user = self._device.identity, self._connection.tokens.account_id
        public = identity.public.encode()
        found = await self._api.devices()
        mine = [item for item in found["items"] if base64.b64decode(item["identity_key"]) == public]
        number = mine[0]["number"] if mine else found["next_number"]
        if mine:
            if not mine[0]["current"]:
                await self._api.bind_session(number, self._binding(number))
        elif self._device.is_registered:
            raise DeviceRemoved
        elif found["items"]:
            raise LinkRequired
        else:
            devices = {number: identity.public}
            newest = found["account_keys"]
            if newest is None:
                keys = AccountKeys.first(user, devices)
            else:
                keys = AccountKeys.decode(base64.b64decode(newest)).successor(devices)
            await self._api.register_first_device(public, keys.encode(), self._binding(number))
        if self._state.find("directory_keys") is None:
            directory = await self._api.directory_keys()
            self._state.put("directory_keys", {"log": directory.log.hex(), "vrf": directory.vrf.hex()})
        if self._state.find("link") is not None:
            await self._take_history()
        with self._database.transaction():
            self._device.registered(number)
            self._state.remove("link")

    # --- this device is new -------------------------------------------------------------------------------------

    async def link(self, show: Callable[[LinkCode], None]) -> None:
        """Asks to become a further device, and waits until another one approves. `show`: shows the code. Raises
        LinkRefused."""
        ephemeral, secret = PrivateKey.generate(), self._randomness.random_bytes(_SECRET)
        identity, public = self._device.identity.public.encode(), bytes(ephemeral.public_key)
        link_id = await self._api.create_link(identity, public, self._binding(0))
        kept = {"id": link_id, "ephemeral": bytes(ephemeral).hex(), "secret": secret.hex()}
        self._state.put("link", kept)
        show(LinkCode(link_id, identity, public, secret))
        while True:
            try:
                if (await self._api.link(link_id))["number"] is not None:
                    return await self.register()
            except NoResponse:
                pass
            except ApiError as error:
                if error.code == "no_such_device_link":
                    raise LinkRefused from error
                raise
            await asyncio.sleep(_POLL_S)

    async def _take_history(self) -> None:
        """What the approving device has told, if it has told anything and the link is still there."""
        kept = self._state.get("link")
        try:
            box = base64.b64decode((await self._api.link(kept["id"]))["sealed_box"] or "")
        except ApiError:  # this program was away too long
            return
        code = LinkCode(kept["id"], b"", b"", bytes.fromhex(kept["secret"]))
        try:
            content = code.open(bytes.fromhex(kept["ephemeral"]), box) if box else b""
            with self._database.transaction():
                if content:
                    import_history(self._database, content)
        except ValueError:  # of nobody who has seen the code
            return

    # --- others are -----------------------------------------------------------------------------------------------

    async def all(self) -> list[OwnDevice]:
        """The devices of the account."""
        items = (await self._api.devices())["items"]
        return [OwnDevice(item["number"], item["registered_at"], item["current"]) for item in items]

    async def waiting(self) -> list[LinkCode]:
        """Devices that wait for approval, as the server says: compare the digits. They have no secrets."""
        return [_code(item) for item in await self._api.links() if item["number"] is None]

    async def approve(self, code: LinkCode) -> None:
        """Lets a device into the account whose code was passed on or whose digits were compared. With a secret it is
        told the recent history. Raises ValueError if the server has other keys for the link than the code."""
        seen = _code(await self._api.link(code.link_id))
        if (seen.identity_key, seen.ephemeral_key) != (code.identity_key, code.ephemeral_key):
            raise ValueError("The server shows other keys for this device than its code: do not approve it.")
        found = await self._api.devices()
        newest = AccountKeys.decode(base64.b64decode(found["account_keys"]))
        devices = {**dict(newest.devices), found["next_number"]: IdentityKey.decode(code.identity_key)}
        box = code.seal(export_history(self._database, _ROOM)) if code.secret else b""
        await self._api.approve_link(code.link_id, newest.successor(devices).encode(), box)

    async def refuse(self, code: LinkCode) -> None:
        """Refuses a device that waits."""
        await self._api.refuse_link(code.link_id)

    async def remove(self, number: int) -> None:
        """Removes a device of the account: nobody writes to it any more."""
        await self._api.remove_device(number)

    def _binding(self, number: int) -> bytes:
        """The consent of this device that the session acts for it. 0: it has no number yet."""
        tokens = self._connection.tokens
        session = bytes.fromhex(tokens.session_id)
        return bind_session(self._device.identity, tokens.account_id, number, session, self._randomness)


def _code(item: dict[str, Any]) -> LinkCode:
    keys = (base64.b64decode(item[name]) for name in ("identity_key", "ephemeral_key"))
    return LinkCode(item["id"].replace("-", ""), *keys)
