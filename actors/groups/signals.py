"""What live sessions are told of messages to a group, and of who is typing, by the sessions that act for the devices in
it."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from actors.groups.entity import Adopt, Store
from features.delivery_tags import Delivered, DeliveryTags, commitment_of_group_message
from features.groups.model import GroupContent
from features.groups.records import Address
from features.microseconds import timestamp

BySession = dict[str, list[Any]]


def signals_of(
    group_id: UUID, devices: Mapping[Address, bytes], effect: Store | Adopt, max_inline_bytes: int, tags: DeliveryTags
) -> dict[UUID, BySession]:
    """Returns the data of the signals of one message for each account, by the sessions of its devices, without the
    sending one. It has the members of an item of an inbox (api/inbox_items.py); the envelope is None where it is too
    large for a socket or differs by device: they read it from their inbox."""
    accepted, sender = effect.accepted, effect.accepted.sender
    content, envelope, commitment = GroupContent.APPLICATION, None, None
    if isinstance(effect, Adopt):
        content = effect.content
    else:
        commitment = commitment_of_group_message(effect.message)
        envelope = effect.message if len(effect.message) <= max_inline_bytes else None
    delivered = Delivered(group_id, UUID(bytes=sender.account), accepted.seq)
    data = {
        "conversation_id": str(group_id),
        "kind": "group",
        "content": content.value,
        "epoch": effect.epoch if isinstance(effect, Adopt) else accepted.epoch,
        "other_account_id": None,
        "seq": accepted.seq,
        "sender_account_id": str(UUID(bytes=sender.account)),
        "sender_device": sender.number,
        "client_id": str(UUID(bytes=accepted.client_id)),
        "sent_at": timestamp(accepted.sent_at),
        "envelope": envelope,
        "delivery_tag": None,
    }
    added = set(effect.added) if isinstance(effect, Adopt) else set()
    welcome = {**data, "content": GroupContent.WELCOME.value, "epoch": accepted.epoch, "previous": 0}
    by_previous: dict[int, dict[str, Any]] = {}
    signals: dict[UUID, BySession] = {}
    for address, session in _recipients(devices, effect):
        if address == sender:
            continue
        if address in added:
            told = welcome
        else:
            previous = effect.newest.before(address)
            told = by_previous.setdefault(previous, {**data, "previous": previous})
        account_id = UUID(bytes=address.account)
        if commitment is not None:
            told = {**told, "delivery_tag": tags.tag(commitment, delivered, account_id)}
        by_session = signals.setdefault(account_id, {})
        by_session.setdefault(str(UUID(bytes=session)), []).append(told)
    return signals


def _recipients(devices: Mapping[Address, bytes], effect: Store | Adopt) -> Iterable[tuple[Address, bytes]]:
    yield from devices.items()
    if isinstance(effect, Adopt):
        yield from effect.left


def typing_of(group_id: UUID, devices: Mapping[Address, bytes], typist: bytes) -> dict[UUID, BySession]:
    """Returns the data of the signals that a member is typing for each other account, by its devices' sessions."""
    data = {"conversation_id": str(group_id), "account_id": str(UUID(bytes=typist))}
    signals: dict[UUID, BySession] = {}
    for address, session in devices.items():
        if address.account != typist:
            signals.setdefault(UUID(bytes=address.account), {})[str(UUID(bytes=session))] = [data]
    return signals
