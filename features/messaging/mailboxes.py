"""How much ciphertext waits for the devices of a conversation, as far as its entity knows. Pure.

What is stored is counted when the entity is loaded, before it refuses a message, and after it has added some more:
devices acknowledge, and other conversations store, without its knowledge. So what it knows of a device's other
conversations is as old as the last count, and a limit is passed by what they add meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.messaging.policy import MessagingPolicy
from features.messaging.records import Address, Payload, Waiting

_EMPTY = Waiting()


class Mailboxes:
    """What waits for each device of one conversation."""

    __slots__ = ("_added", "_counted_at", "_policy", "_waiting")

    def __init__(self, policy: MessagingPolicy) -> None:
        self._policy = policy
        self._waiting: dict[Address, Waiting] = {}
        self._counted_at: int | None = None
        self._added = 0

    def count(self, waiting: Mapping[Address, Waiting], now: int) -> None:
        """Notes what is stored."""
        self._waiting, self._counted_at, self._added = dict(waiting), now, 0

    @property
    def counted(self) -> bool:
        """Whether it was ever counted."""
        return self._counted_at is not None

    @property
    def due(self) -> bool:
        """Whether so much was added since the last count that it is time for the next one."""
        return self._added >= self._policy.recounted_after

    def fresh(self, now: int) -> bool:
        """Whether it was counted just now."""
        pause = self._policy.recount_pause.total_seconds() * 1_000_000
        return self._counted_at is not None and 0 <= now - self._counted_at < pause

    def has_room(self, payload: Payload, *, asks: bool) -> bool:
        """Returns whether a device has room for a message; `asks`: of a conversation that is not accepted. Those leave
        half of a mailbox to the others."""
        policy, waiting = self._policy, self._waiting.get(Address(payload.account, payload.number), _EMPTY)
        share = 2 if asks else 1
        size = len(payload.ciphertext)
        return (
            waiting.messages < policy.max_waiting_of_conversation
            and waiting.bytes + size <= policy.max_waiting_bytes_of_conversation
            and waiting.all_messages < policy.max_waiting // share
            and waiting.all_bytes + size <= policy.max_waiting_bytes // share
        )

    def add(self, payload: Payload) -> None:
        """Notes what is stored now."""
        address, size = Address(payload.account, payload.number), len(payload.ciphertext)
        messages, total, all_messages, all_total = self._waiting.get(address, _EMPTY)
        self._waiting[address] = Waiting(messages + 1, total + size, all_messages + 1, all_total + size)
        self._added += 1

    def save(self) -> list[Any]:
        """Returns what is known, as msgpack types."""
        return [self._counted_at, self._added, [[*address, *waiting] for address, waiting in self._waiting.items()]]

    @classmethod
    def restore(cls, policy: MessagingPolicy, saved: list[Any]) -> Mailboxes:
        """Returns the mailboxes of what `save` returned."""
        mailboxes = cls(policy)
        mailboxes._counted_at, mailboxes._added, known = saved
        mailboxes._waiting = {Address(account, number): Waiting(*waiting) for account, number, *waiting in known}
        return mailboxes
