"""A group entity through lost memory, lost responses, moves and changes of sessions, beside a model of what is stored:
each message once, in one order, each version with one successor, each epoch with one commit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgpack
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.groups.entity import Adopt, GroupEntity, Reload, Store
from actors.runtime import Reply
from features.groups.machine import Group
from features.groups.policy import GroupsPolicy
from features.groups.records import Accepted, Address, Stored

DEVICES = [Address(bytes([account]) * 16, number) for account in (1, 2, 3) for number in (1, 2)]
POLICY = GroupsPolicy(remembered_per_device=4)
DEVICE = st.sampled_from(DEVICES)
CLIENT_IDS = st.integers(0, 30)


class GroupModel(RuleBasedStateMachine):
    """`accepted` and what follows are what Postgres has; `answers` are what clients were told."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.epoch = self.version = 0
        self.sessions = dict.fromkeys(DEVICES, 0)
        """How often another session was bound to each device."""
        self.members = {DEVICES[0]}
        self.accepted: list[Accepted] = []
        self.ended: list[int] = []
        """Epochs that were ended by a commit."""
        self.answers: dict[tuple[Address, bytes], list[Any]] = {}
        self.sent: dict[Address, list[bytes]] = {}
        self.entity = self.load()

    def session(self, device: Address) -> bytes:
        return device.account[:8] + bytes([device.number, self.sessions[device]]) * 4

    def stored(self) -> Stored:
        return Stored(self.epoch, self.version, {each: self.session(each) for each in self.members}, self.accepted)

    def load(self) -> GroupEntity:
        group = Group(POLICY)
        group.load(self.stored())
        return GroupEntity(group)

    def call(self, *message: object) -> list[Any]:
        """Calls as actors/groups/calls.py does, and carries out effects as effects.py does."""
        for again in (False, True):
            replies: list[Any] = []
            for effect in self.entity.receive([message[0], again, *message[1:]], self.now):
                match effect:
                    case Store(accepted):
                        self.accepted.append(accepted)
                    case Adopt(accepted=accepted, content=content, epoch=epoch, added=added, left=left):
                        self.accepted.append(accepted)
                        self.version += 1
                        if content.value == "commit":
                            self.ended.append(epoch)
                            self.epoch += 1
                        self.members -= {address for address, _ in left}
                        self.members |= set(added)
                    case Reload():
                        self.entity.group.load(self.stored())
                    case Reply(value):
                        replies.append(value)
            [reply] = replies
            if reply is not None:
                assert isinstance(reply, list)
                return reply
        raise AssertionError("it asked to call again twice")

    @rule(device=DEVICE, client_id=CLIENT_IDS, behind=st.integers(0, 1))
    def send(self, device: Address, client_id: int, behind: int) -> None:
        id = client_id.to_bytes(16, "big")
        epoch = self.epoch - behind
        reply = self.call("send", *self.from_(device, id), epoch, None, b"")
        self.check(device, id, current=epoch == self.epoch, reply=reply)

    @rule(device=DEVICE, client_id=CLIENT_IDS, stale=st.booleans(), commits=st.booleans(), other=DEVICE)
    def change(self, device: Address, client_id: int, stale: bool, commits: bool, other: Address) -> None:
        """A commit adds the other device, or removes it if it is in the group and not the sender."""
        id, content = client_id.to_bytes(16, "big"), "commit" if commits else "proposal"
        removed = [list(other)] if commits and other in self.members and other != device else []
        added = [[*other, self.session(other)]] if commits and other not in self.members else []
        version = self.version - stale
        arguments = content, version, self.epoch, bytes(16), added, removed, None
        self.check(device, id, current=not stale, reply=self.call("change", *self.from_(device, id), *arguments))

    def from_(self, device: Address, id: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        return device.account, self.session(device), id, b"sent"

    def check(self, device: Address, id: bytes, *, current: bool, reply: list[Any]) -> None:
        code, detail = reply
        known = id in self.sent.get(device, [])[-POLICY.remembered_per_device :]
        if known:
            assert (code, detail) == ("posted", self.answers[device, id]) or code in ("not_found", "not_in_group")
        elif code == "posted":
            assert current
            self.answers[device, id] = detail
            self.sent.setdefault(device, []).append(id)
        else:
            assert code in ("not_found", "not_in_group", "wrong_epoch", "stale")

    @rule(device=DEVICE)
    def another_session(self, device: Address) -> None:
        self.sessions[device] = (self.sessions[device] + 1) % 250

    @rule(seconds=st.floats(-5, 5))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def crash(self) -> None:
        self.entity = self.load()

    @rule()
    def move(self) -> None:
        snapshot = msgpack.unpackb(msgpack.packb(self.entity.snapshot()))
        assert GroupEntity.restore(snapshot, POLICY).snapshot() == self.entity.snapshot()
        self.entity = GroupEntity.restore(snapshot, POLICY)

    @invariant()
    def one_order(self) -> None:
        assert all(one.seq < other.seq for one, other in pairwise(self.accepted))
        assert len({(each.sender, each.client_id) for each in self.accepted[-4:]}) == len(self.accepted[-4:])

    @invariant()
    def one_commit_for_each_epoch(self) -> None:
        assert self.ended == list(range(self.epoch))


GroupModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestGroup = GroupModel.TestCase
