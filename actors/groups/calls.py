"""Calls to group entities through the runtime's router."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, NoReturn
from uuid import UUID

import structlog

from actors.groups.entity import KIND_NAME
from actors.runtime import CallError
from actors.runtime.transport.router import Router
from actors.runtime.value import Value
from cluster.postgres import Database
from features.devices.model import DeviceAddress
from features.groups.checking import digest_of
from features.groups.errors import DeviceNotInGroup, GroupMessageIdReused, GroupsUnavailable, NoSuchGroup
from features.groups.handshakes import Change
from features.groups.model import GroupMessage, Posted
from features.groups.outdated import current_message
from features.groups.ports import Stale, WrongEpoch
from features.identity import Identity
from features.microseconds import time_of

log = structlog.get_logger(__name__)

_SEND_S = 10.0
_RELOADS_AT_ONCE = 256


class GroupCalls:
    """Implements features.groups.ports.Groups."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def send(self, group_id: UUID, sender: Identity, message: GroupMessage, epoch: int) -> Posted:
        """See Groups.send."""
        waits = message.expires_in_s
        digest = digest_of(message.message, None if waits is None else waits.to_bytes(4, "big"))
        posted = await self._call(
            *(group_id, "send", sender.account_id.bytes, sender.session_id.bytes),
            *(message.client_id.bytes, digest, epoch, waits, message.message),
        )
        return _posted(posted)

    async def change(
        self, group_id: UUID, sender: Identity, change: Change, sessions: Mapping[DeviceAddress, UUID], staged: UUID
    ) -> Posted:
        """See Groups.change."""
        posted = await self._call(
            *(group_id, "change", sender.account_id.bytes, sender.session_id.bytes),
            *(change.handshake.client_id.bytes, change.digest, change.content.value),
            *(change.version, change.epoch, staged.bytes),
            [[*_address(device), session.bytes] for device, session in sessions.items()],
            [_address(each.device) for each in change.removed],
            None if change.joins is None else _address(change.joins),
        )
        return _posted(posted)

    async def typing(self, group_id: UUID, sender: Identity) -> None:
        """See Groups.typing."""
        await self._call(group_id, "typing", sender.account_id.bytes, sender.session_id.bytes)

    async def reload(self, group_ids: Collection[UUID]) -> None:
        """See Groups.reload."""
        ids = list(group_ids)
        for start in range(0, len(ids), _RELOADS_AT_ONCE):
            await asyncio.gather(*(self._call(id, "reload") for id in ids[start : start + _RELOADS_AT_ONCE]))

    async def _call(self, group_id: UUID, operation: str, *arguments: Value) -> Any:
        """Calls an operation, again if the entity had to read first. Returns its result, or raises the error that it
        replied."""
        if not self._router.view.version:
            raise GroupsUnavailable
        try:
            reply = await self._router.call(
                KIND_NAME, group_id.hex, [operation, False, *arguments], _SEND_S
            ) or await self._router.call(KIND_NAME, group_id.hex, [operation, True, *arguments], _SEND_S)
        except CallError as error:
            log.warning("group not reached", error=type(error).__name__)
            raise GroupsUnavailable from error
        code, detail = reply
        return detail if code == "posted" else _refuse(code, detail)


def _address(device: DeviceAddress) -> list[Value]:
    return [device.account_id.bytes, device.number]


def _posted(value: list[int]) -> Posted:
    seq, sent_at, epoch = value
    return Posted(seq, time_of(sent_at), epoch)


def _refuse(code: str, detail: Any) -> NoReturn:
    """Raises the error that an entity replied."""
    match code:
        case "not_found":
            raise NoSuchGroup
        case "not_in_group":
            raise DeviceNotInGroup
        case "id_reused":
            raise GroupMessageIdReused(current_message(_posted(detail)))
        case "wrong_epoch":
            raise WrongEpoch(detail)
        case "stale":
            raise Stale
        case _:
            raise GroupsUnavailable(f"an answer that this version does not know: {code}")


def open_calls(router: Router, _database: Database) -> GroupCalls:
    """Returns the groups of a process."""
    return GroupCalls(router)
