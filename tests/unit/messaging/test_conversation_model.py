"""A conversation entity through lost memory, lost responses, moves and changes of devices, beside a model of what is
stored: each message once, in one order for all, for exactly the devices that there were."""

from __future__ import annotations

from itertools import pairwise

import msgpack
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.conversations.entity import ConversationEntity, Reload, SetState, Store
from actors.runtime import Reply
from features.messaging.machine import Conversation
from features.messaging.model import MemberState
from features.messaging.policy import MessagingPolicy
from features.messaging.records import Accepted, Address, Message, Stored

ACCOUNTS = [bytes([number]) * 16 for number in (1, 2)]
POLICY = MessagingPolicy(remembered_per_device=4, max_request_messages=10**6)
NUMBERS = st.integers(1, 3)
CLIENT_IDS = st.integers(0, 40)


def session_of(account: bytes, number: int) -> bytes:
    return account[:8] + bytes([number]) * 8


class ConversationModel(RuleBasedStateMachine):
    """`messages` and `accepted` are what Postgres has; `answers` are what clients were told."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.messages: list[Message] = []
        self.states = dict.fromkeys(ACCOUNTS, MemberState.ACTIVE)
        self.devices = {Address(account, 1): session_of(account, 1) for account in ACCOUNTS}
        self.answers: dict[tuple[Address, bytes], list[object]] = {}
        self.sent: dict[Address, list[bytes]] = {}
        """Client ids of each device, in the order in which they were accepted."""
        self.entity = self.load()

    def load(self) -> ConversationEntity:
        conversation = Conversation(POLICY)
        conversation.load(self.stored(), int(self.now))
        return ConversationEntity(conversation)

    def stored(self) -> Stored:
        """As entity_store.load reads it: the newest messages of each device."""
        sent: dict[Address, list[Accepted]] = {}
        for message in self.messages:
            sent.setdefault(message.accepted.sender, []).append(message.accepted)
        newest = [accepted for each in sent.values() for accepted in each[-POLICY.remembered_per_device :]]
        return Stored(self.states, self.devices, False, sorted(newest), waiting={})

    def call(self, *message: object) -> list[object]:
        """Calls as actors/conversations/calls.py does, and carries out effects as effects.py does."""
        for again in (False, True):
            replies = []
            for effect in self.entity.receive([message[0], again, *message[1:]], self.now):
                match effect:
                    case Store(stored):
                        self.messages.append(stored)
                    case SetState(account, state):
                        self.states[account] = state
                    case Reload():
                        self.entity.conversation.load(self.stored(), int(self.now))
                    case Reply(value):
                        replies.append(value)
            [reply] = replies
            if reply is not None:
                assert isinstance(reply, list)
                return reply
        raise AssertionError("it asked to call again twice")

    @rule(account=st.sampled_from(ACCOUNTS), number=NUMBERS, client_id=CLIENT_IDS, stale=st.booleans())
    def send(self, account: bytes, number: int, client_id: int, stale: bool) -> None:
        sender, id = Address(account, number), client_id.to_bytes(16, "big")
        in_memory, counted = dict(self.entity.conversation.devices), self.entity.conversation.mailboxes.counted
        addressed = sorted(self.devices.keys() - {sender})[: -1 if stale else None]
        payloads = [[*address, b"%d" % client_id] for address in addressed]
        before = len(self.messages)
        code, detail = self.call("send", account, session_of(account, number), id, None, payloads)
        known = id in self.sent.get(sender, [])[-POLICY.remembered_per_device :]
        # A change of devices that the entity has not learnt of comes after the message, unless it reads what is stored,
        # to count what waits.
        accepts = [
            devices
            for devices in ((in_memory, self.devices) if counted else (self.devices,))
            if sender in devices and addressed == sorted(devices.keys() - {sender})
        ]
        if known and (sender in in_memory or sender in self.devices):
            refused = {"id_reused"} if sender in self.devices else {"id_reused", "not_a_device"}
            assert code in refused or self.answers[sender, id] == detail
        elif accepts:
            assert code == "sent"
        elif sender not in self.devices:
            assert code == "not_a_device"
        else:
            assert code == "devices_changed"
            assert [Address(*each) for each in detail] == sorted(self.devices.keys() - {sender})  # type: ignore[attr-defined]
        new = self.messages[before:]
        assert len(new) == (code == "sent" and not known)
        if new:
            assert detail == [new[0].accepted.seq, new[0].accepted.sent_at]
            assert [Address(payload.account, payload.number) for payload in new[0].payloads] == addressed
            self.answers[sender, id] = detail
            self.sent.setdefault(sender, []).append(id)

    @rule(account=st.sampled_from(ACCOUNTS), number=NUMBERS)
    def add_or_remove_a_device(self, account: bytes, number: int) -> None:
        """The entity learns of it late, or by its next refusal."""
        address = Address(account, number)
        if address not in self.devices:
            self.devices[address] = session_of(account, number)
        elif sum(each.account == account for each in self.devices) > 1:
            del self.devices[address]

    @rule()
    def learn(self) -> None:
        assert self.call("reload") == ["done", None]

    @rule()
    def crash(self) -> None:
        self.entity = self.load()

    @rule()
    def move(self) -> None:
        packed = msgpack.packb(self.entity.snapshot())
        self.entity = ConversationEntity.restore(msgpack.unpackb(packed, strict_map_key=False), POLICY)

    @rule()
    def rest(self) -> None:
        """It goes on as if nothing had been."""
        before, counts = self.entity.snapshot(), self.entity.conversation.mailboxes.save()
        self.entity.rest()
        self.entity.rest()
        assert (self.entity.snapshot(), self.entity.conversation.mailboxes.save()) == (before, counts)
        self.entity.rest()

    @rule(seconds=st.integers(-3, 3))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(account=st.sampled_from(ACCOUNTS))
    def decline_or_accept(self, account: bytes) -> None:
        if self.states[account] is MemberState.ACTIVE:
            assert self.call("decline", account)[0] == "not_requested"
        else:
            assert self.call("accept", account) == ["done", None]

    @invariant()
    def one_order_for_all(self) -> None:
        numbers = [message.accepted.seq for message in self.messages]
        assert all(one < other for one, other in pairwise(numbers))

    @invariant()
    def previous_is_the_newest_of_another_device(self) -> None:
        before: list[Accepted] = []
        for message in self.messages:
            for payload, previous in zip(message.payloads, message.previous, strict=True):
                device = (payload.account, payload.number)
                others = [accepted.seq for accepted in before if accepted.sender != device]
                assert previous == max(others, default=0)
            before.append(message.accepted)


ConversationModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestConversationModel = ConversationModel.TestCase
