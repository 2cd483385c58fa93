"""X3DH and the Double Ratchet, live with libsignal-client 0.72.1 in version 3 of its message format.

The handshake and the ratchet are the production code; only the wire format is test code (`tests/peers/signal_v3.py`).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import pytest

from crypto.errors import CryptoError
from crypto.randomness import SystemRandomness
from tests.peers.node import NodePeer, PeerError
from tests.peers.signal_v3 import PREKEY_MESSAGE, SIGNAL_MESSAGE, SignalV3Party

RNG = SystemRandomness()
TURNS = 120
KEPT_CHAINS = 4  # libsignal keeps the keys of five receiving chains

Side = Literal["ours", "theirs"]
Sealed = tuple[int, bytes]


@dataclass
class Conversation:
    """Our party and libsignal's, who know each other as "ours" and "theirs"."""

    peer: NodePeer
    party: str
    ours: SignalV3Party = field(default_factory=lambda: SignalV3Party(RNG))

    def start(self, initiator: Side, prekey_id: int | None) -> None:
        self.peer.call("party", party=self.party)
        if initiator == "ours":
            bundle = self.peer.call("bundle", party=self.party, signed_prekey_id=3, prekey_id=prekey_id)
            self.ours.start("theirs", bundle)
        else:
            self.peer.call("start", party=self.party, peer="ours", bundle=self.ours.bundle(3, prekey_id))

    def send(self, sender: Side, data: bytes) -> Sealed:
        if sender == "ours":
            return self.ours.encrypt("theirs", data)
        sealed = self.peer.call("encrypt", party=self.party, peer="ours", data=data)
        return sealed["type"], sealed["message"]

    def receive(self, receiver: Side, sealed: Sealed) -> bytes:
        kind, message = sealed
        if receiver == "ours":
            return self.ours.decrypt("theirs", kind, message)
        data: bytes = self.peer.call("decrypt", party=self.party, peer="ours", type=kind, message=message)["data"]
        return data


_parties = itertools.count()
OTHER: dict[Side, Side] = {"ours": "theirs", "theirs": "ours"}

initiators = pytest.mark.parametrize("initiator", ["ours", "theirs"])


@pytest.fixture
def converse(libsignal: NodePeer) -> Callable[[Side, int | None], Conversation]:
    def start(initiator: Side, prekey_id: int | None) -> Conversation:
        conversation = Conversation(libsignal, f"party-{next(_parties)}")
        conversation.start(initiator, prekey_id)
        return conversation

    return start


Converse = Callable[[Side, int | None], Conversation]


@initiators
@pytest.mark.parametrize("prekey_id", [77, None], ids=["one-time", "no-one-time"])
def test_a_session_starts_and_is_confirmed(converse: Converse, initiator: Side, prekey_id: int | None) -> None:
    responder = OTHER[initiator]
    conversation = converse(initiator, prekey_id)
    first = conversation.send(initiator, b"hello")
    second = conversation.send(initiator, b"are you there?")
    assert first[0] == second[0] == PREKEY_MESSAGE
    assert conversation.receive(responder, second) == b"are you there?"
    assert conversation.receive(responder, first) == b"hello"
    answer = conversation.send(responder, b"yes")
    assert answer[0] == SIGNAL_MESSAGE
    assert conversation.receive(initiator, answer) == b"yes"
    assert conversation.send(initiator, b"good")[0] == SIGNAL_MESSAGE


@initiators
def test_a_hundred_and_twenty_ratchet_steps_in_order(converse: Converse, initiator: Side) -> None:
    conversation = converse(initiator, 5)
    sender = initiator
    for turn in range(TURNS):
        for number in range(1 + turn % 3):
            data = b"turn %d, message %d" % (turn, number)
            assert conversation.receive(OTHER[sender], conversation.send(sender, data)) == data
        sender = OTHER[sender]


@initiators
@pytest.mark.parametrize("seed", range(3))
def test_ratchet_steps_with_reordered_late_and_lost_messages(converse: Converse, initiator: Side, seed: int) -> None:
    dice = random.Random(seed)
    conversation = converse(initiator, 5)
    sender = initiator
    late: list[tuple[int, Side, bytes, Sealed]] = []  # (turn of arrival, receiver, data, message)
    received = 0
    for turn in range(TURNS):
        receiver = OTHER[sender]
        sent = []
        for number in range(dice.randint(1, 5)):
            data = b"turn %d, message %d" % (turn, number)
            sent.append((data, conversation.send(sender, data)))
        dice.shuffle(sent)
        # One must arrive at once: without it the other side has nothing to ratchet on, and the turns would not differ.
        at_once, rest = sent[:1], sent[1:]
        for data, sealed in rest:
            fate = dice.choice(("now", "late", "lost"))
            if fate == "now":
                at_once.append((data, sealed))
            elif fate == "late":
                late.append((turn + dice.randint(1, KEPT_CHAINS), receiver, data, sealed))
        due = [entry for entry in late if entry[0] <= turn]
        late = [entry for entry in late if entry[0] > turn]
        for _, whom, data, sealed in due:
            assert conversation.receive(whom, sealed) == data
        for data, sealed in at_once:
            assert conversation.receive(receiver, sealed) == data
        received += len(due) + len(at_once)
        sender = receiver
    assert received > 1.5 * TURNS


@initiators
def test_replays_and_forgeries_are_refused_and_change_nothing(converse: Converse, initiator: Side) -> None:
    conversation = converse(initiator, 9)
    responder = OTHER[initiator]
    conversation.receive(responder, conversation.send(initiator, b"open"))
    conversation.receive(initiator, conversation.send(responder, b"confirm"))
    for sender in (initiator, responder):
        receiver = OTHER[sender]
        kind, message = conversation.send(sender, b"once")
        for position in (1, len(message) // 2, len(message) - 1):
            forged = message[:position] + bytes([message[position] ^ 1]) + message[position + 1 :]
            with pytest.raises((CryptoError, PeerError)):
                conversation.receive(receiver, (kind, forged))
        assert conversation.receive(receiver, (kind, message)) == b"once"
        with pytest.raises((CryptoError, PeerError)):
            conversation.receive(receiver, (kind, message))
        assert conversation.receive(receiver, conversation.send(sender, b"twice")) == b"twice"


def test_a_long_chain_arrives_backwards(converse: Converse) -> None:
    conversation = converse("theirs", 1)
    conversation.receive("ours", conversation.send("theirs", b"open"))
    conversation.receive("theirs", conversation.send("ours", b"confirm"))
    for sender, receiver in OTHER.items():
        sent = [conversation.send(sender, b"%d" % number) for number in range(150)]
        for number in reversed(range(150)):
            assert conversation.receive(receiver, sent[number]) == b"%d" % number


def test_one_time_prekeys_are_used_once(converse: Converse, libsignal: NodePeer) -> None:
    conversation = converse("ours", 12)
    assert libsignal.call("prekeys", party=conversation.party)["ids"] == [12]
    first = conversation.send("ours", b"hello")
    conversation.receive("theirs", first)
    assert libsignal.call("prekeys", party=conversation.party)["ids"] == []
