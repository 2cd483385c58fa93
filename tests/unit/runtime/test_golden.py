"""Bytes that other versions of this code have written and will read: stored snapshots, answers, handoffs.

Frames are in test_protocol_versions.py.

A change that alters a golden file breaks a rolling update; it needs a new version beside the old one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack

from actors.runtime import EffectHandler, EntityKind, KindContext, Persist, Reply, Value
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.handoff import take
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.ownership import Action
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import shard_of
from actors.runtime.store.rows import Answer, ShardRow, Snapshot
from actors.runtime.store.turn_writes import TurnWrite
from actors.runtime.transport.frames import CALLS, DONE, pack_body
from tests.support.kind_context import kind_context

GOLDEN: dict[str, str] = json.loads((Path(__file__).parent / "golden" / "wire.json").read_text())
CALLER = b"caller-1"


class Wallet:
    """Version 2 keeps cents; version 1 kept a list of coins in euros."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def receive(self, message: Value, now: float) -> list[Any]:
        if message == "read":
            return [Reply(self.cents)]
        self.cents += message
        return [Persist(), Reply(self.cents)]

    def snapshot(self) -> Value:
        return {"cents": self.cents}

    @classmethod
    def restore(cls, _entity_id: str, version: int, snapshot: Value, _context: KindContext) -> Wallet:
        return cls(sum(snapshot) * 100) if version == 1 else cls(snapshot["cents"])


WALLET = EntityKind("wallet", create=lambda _id, _context: Wallet(0), restore=Wallet.restore, version=2, durable=True)


class Shelf:
    """A store with one snapshot in it."""

    def __init__(self, version: int, body: bytes) -> None:
        self.stored = Snapshot(version, body)
        self.answers: Sequence[Answer] = ()

    async def snapshots(self, kind: str, entities: Sequence[str]) -> Mapping[str, Snapshot | None]:
        return dict.fromkeys(entities, self.stored)

    async def commit(self, writes: Sequence[TurnWrite], *, briefly: bool = False) -> Mapping[TurnWrite, Exception]:
        (write,) = writes
        assert write.snapshot is not None
        self.stored, self.answers = write.snapshot, write.answers
        return {}


class Mailbox:
    def __init__(self) -> None:
        self.answers: dict[int, Any] = {}

    def answer(self, packed: bytes) -> None:
        call, status, value = msgpack.unpackb(packed)
        self.answers[call] = (status, value)

    async def get(self, call: int) -> Any:
        async with asyncio.timeout(60):
            while call not in self.answers:
                await asyncio.sleep(0)
        return self.answers[call]


def _host(shelf: Shelf | None, *, own: bool) -> Mailboxes:
    mailboxes = Mailboxes("host-a", lambda _kind, _number: "")
    committer = None if shelf is None else Committer(shelf)
    mailboxes.add_kind(TurnRunner(WALLET, EffectHandler(kind_context()), shelf, committer))  # type: ignore[arg-type]
    mailboxes.serve_until = time.monotonic() + 100
    shard = mailboxes.shard("wallet", shard_of("w"))
    if own:
        shard.ownership.mapped(ShardRow("wallet", shard.number, "host-a", 4), "host-a")
        shard.ownership.loaded(4)
        mailboxes.let_in(shard)
    return mailboxes


def _send(mailboxes: Mailboxes, mailbox: Mailbox, call: int, message: Value) -> None:
    mailboxes.deliver(mailbox, CALLER, [CALLS, 1, [call, "wallet", "w", 5000, pack_body(message)]])


async def test_snapshots_of_every_version_are_read_and_the_newest_is_written() -> None:
    for version in (1, 2):
        shelf, mailbox = Shelf(version, bytes.fromhex(GOLDEN[f"snapshot v{version}"])), Mailbox()
        mailboxes = _host(shelf, own=True)
        _send(mailboxes, mailbox, 1, "read")
        assert await mailbox.get(1) == (DONE, 500)
        _send(mailboxes, mailbox, 2, 50)
        assert await mailbox.get(2) == (DONE, 550)
        assert shelf.stored == Snapshot(2, bytes.fromhex(GOLDEN["snapshot written"]))
        assert [(a.caller, a.call, a.answer.hex()) for a in shelf.answers] == [(CALLER, 2, GOLDEN["answer stored"])]


async def test_a_handoff_of_another_version_is_taken() -> None:
    mailboxes, mailbox = _host(None, own=False), Mailbox()
    assert take(mailboxes, msgpack.unpackb(bytes.fromhex(GOLDEN["handoff part"])))
    shard = mailboxes.shard("wallet", shard_of("w"))
    assert shard.ownership.mapped(ShardRow("wallet", shard.number, "host-a", 4), "host-a") is Action.ACTIVATE
    mailboxes.let_in(shard)
    _send(mailboxes, mailbox, 7, 1)
    assert await mailbox.get(7) == (DONE, 550), "call 7 had been answered before the handoff"
    _send(mailboxes, mailbox, 8, "read")
    assert await mailbox.get(8) == (DONE, 500)
