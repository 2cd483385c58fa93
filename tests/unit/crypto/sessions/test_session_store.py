"""The session store, case by case: rosters, crossings, stale devices, refusals, stored state."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.handshake import HandshakeVersion, InvalidBundle, PreKeyBundle, PreKeyStore, PublishedPreKeys
from crypto.identity import IdentityKeyPair
from crypto.randomness import Randomness, SeededRandomness, SystemRandomness
from crypto.sessions import (
    DecryptionFailed,
    DeviceAddress,
    Failure,
    IdentityMismatch,
    NoSession,
    SessionMessage,
    SessionStore,
    UnknownDevice,
    session_store,
)

RANDOM = SystemRandomness()
GOLDEN = Path(__file__).parents[3] / "vectors" / "sessions" / "device-record-1.json"
DAY = 86_400


@dataclass
class Client:
    address: DeviceAddress
    identity: IdentityKeyPair
    prekeys: PreKeyStore
    published: PublishedPreKeys
    store: SessionStore

    @classmethod
    def new(cls, user: str, device: int = 1, one_time: int = 3, randomness: Randomness = RANDOM) -> "Client":
        identity = IdentityKeyPair.generate(randomness)
        prekeys = PreKeyStore(identity)
        prekeys.rotate(0, randomness)
        published = prekeys.publish(*prekeys.replenish(one_time, randomness))
        address = DeviceAddress(user, device)
        return cls(address, identity, prekeys, published, SessionStore(address, identity, prekeys))

    def bundle(self) -> PreKeyBundle:
        bundle, self.published = self.published.take_bundle()
        return bundle

    def knows(self, *others: "Client") -> None:
        for user in {other.address.user for other in others}:
            roster = {o.address.device: o.identity.public for o in others if o.address.user == user}
            self.store.update_roster(user, roster, now=0)

    def writes(self, other: "Client", text: bytes) -> bytes:
        if self.store.without_session(other.address.user):
            self.store.start(other.address, other.bundle(), RANDOM)
        return self.store.encrypt(other.address, text, RANDOM)

    def reads(self, other: "Client", message: bytes) -> bytes:
        return self.store.decrypt(other.address, message)

    def refuses(self, other: "Client", message: bytes) -> Failure:
        before = self.store.state_of(other.address), self.prekeys.serialize()
        with pytest.raises(DecryptionFailed) as refused:
            self.reads(other, message)
        assert (self.store.state_of(other.address), self.prekeys.serialize()) == before
        return refused.value.failure

    def active_id(self, other: "Client") -> bytes:
        session = self.store._record(other.address).active
        assert session is not None
        return session.id


def acquainted(one_time: int = 3) -> tuple[Client, Client]:
    ada, bob = Client.new("ada", one_time=one_time), Client.new("bob", one_time=one_time)
    ada.knows(bob)
    bob.knows(ada)
    return ada, bob


def test_the_handshake_travels_until_the_first_answer() -> None:
    ada, bob = acquainted()
    for number in range(3):
        message = ada.writes(bob, b"%d" % number)
        assert SessionMessage.decode(message).initiation is not None
        assert bob.reads(ada, message) == b"%d" % number
    ada.reads(bob, bob.writes(ada, b"answer"))
    message = ada.writes(bob, b"short")
    assert SessionMessage.decode(message).initiation is None
    assert bob.reads(ada, message) == b"short"
    assert len(bob.store._record(ada.address).sessions) == 1


def test_the_first_messages_may_arrive_in_any_order() -> None:
    ada, bob = acquainted()
    messages = [ada.writes(bob, b"%d" % number) for number in range(4)]
    assert [bob.reads(ada, messages[number]) for number in (2, 0, 3, 1)] == [b"2", b"0", b"3", b"1"]


def test_sessions_that_cross_settle_at_once_on_both_sides() -> None:
    for _ in range(6):  # either side can be the one that wins
        ada, bob = acquainted()
        from_ada, from_bob = ada.writes(bob, b"hi bob"), bob.writes(ada, b"hi ada")
        assert bob.reads(ada, from_ada) == b"hi bob"
        assert ada.reads(bob, from_bob) == b"hi ada"
        assert ada.active_id(bob) == bob.active_id(ada)
        assert bob.reads(ada, ada.writes(bob, b"and on")) == b"and on"
        assert ada.reads(bob, bob.writes(ada, b"and on")) == b"and on"
        assert ada.active_id(bob) == bob.active_id(ada)


def test_what_was_sent_on_the_losing_session_is_still_read_and_does_not_bring_it_back() -> None:
    ada, bob = acquainted()
    from_ada = [ada.writes(bob, b"a%d" % number) for number in range(3)]
    from_bob = [bob.writes(ada, b"b%d" % number) for number in range(3)]
    for number in range(3):
        assert bob.reads(ada, from_ada[number]) == b"a%d" % number
        assert ada.reads(bob, from_bob[number]) == b"b%d" % number
        assert ada.active_id(bob) == bob.active_id(ada)


def test_a_message_goes_to_every_device_of_both_accounts_but_this_one() -> None:
    ada, tablet = Client.new("ada", 1), Client.new("ada", 2)
    phone, laptop = Client.new("bob", 1), Client.new("bob", 2)
    ada.knows(ada, tablet, phone, laptop)
    with pytest.raises(NoSession) as missing:
        ada.store.encrypt_for(["bob", "ada"], b"hello", RANDOM)
    assert set(missing.value.addresses) == {tablet.address, phone.address, laptop.address}
    for client in (tablet, phone, laptop):
        ada.store.start(client.address, client.bundle(), RANDOM)
    messages = ada.store.encrypt_for(["bob", "ada"], b"hello", RANDOM)
    assert set(messages) == {tablet.address, phone.address, laptop.address}
    for client in (tablet, phone, laptop):
        client.knows(ada)
        assert client.reads(ada, messages[client.address]) == b"hello"
    with pytest.raises(DecryptionFailed):
        Client.reads(phone, ada, messages[laptop.address])


def test_a_device_that_left_the_roster_gets_nothing_and_can_be_read_until_it_expires() -> None:
    ada, bob = acquainted()
    ada.reads(bob, bob.writes(ada, b"hello"))
    late = bob.writes(ada, b"late")
    later = bob.writes(ada, b"later")
    change = ada.store.update_roster("bob", {}, now=DAY)
    assert change.stale == (bob.address,)
    assert ada.store.devices("bob") == ()
    with pytest.raises(UnknownDevice):
        ada.store.encrypt(bob.address, b"secret", RANDOM)
    assert ada.reads(bob, late) == b"late"
    assert ada.store.expire(31 * DAY, 30 * DAY) == ()
    assert ada.store.expire(31 * DAY + 1, 30 * DAY) == (bob.address,)
    with pytest.raises(UnknownDevice):
        ada.reads(bob, later)


def test_a_device_that_comes_back_keeps_its_sessions() -> None:
    ada, bob = acquainted()
    ada.reads(bob, bob.writes(ada, b"hello"))
    ada.store.update_roster("bob", {}, now=DAY)
    change = ada.store.update_roster("bob", {1: bob.identity.public}, now=2 * DAY)
    assert change.added == change.replaced == change.stale == ()
    assert ada.store.expire(100 * DAY, 30 * DAY) == ()
    assert bob.reads(ada, ada.writes(bob, b"welcome back")) == b"welcome back"


def test_a_changed_identity_is_told_and_its_old_sessions_are_gone() -> None:
    ada, bob = acquainted()
    ada.reads(bob, bob.writes(ada, b"hello"))
    old_message = bob.writes(ada, b"from the old key")
    new_bob = Client.new("bob")
    change = ada.store.update_roster("bob", {1: new_bob.identity.public}, now=0)
    assert change.replaced == (bob.address,)
    assert ada.store.without_session("bob") == (bob.address,)
    with pytest.raises(IdentityMismatch):
        ada.store.start(bob.address, bob.bundle(), RANDOM)
    assert ada.refuses(new_bob, old_message) in (Failure.IDENTITY, Failure.UNAUTHENTIC)


def test_a_message_from_an_unknown_device_asks_for_the_roster_first() -> None:
    ada, bob = Client.new("ada"), Client.new("bob")
    ada.knows(bob)
    message = ada.writes(bob, b"hello")
    with pytest.raises(UnknownDevice) as unknown:
        bob.reads(ada, message)
    assert unknown.value.address == ada.address
    bob.knows(ada)
    assert bob.reads(ada, message) == b"hello"


@pytest.mark.parametrize(("user", "device"), [("a" * 257, 1), ("ada", -1), ("ada", 1 << 32)])
def test_a_roster_with_an_impossible_address_is_not_taken(user: str, device: int) -> None:
    _, bob = acquainted()
    with pytest.raises(ValueError, match=r"256|32 bits"):
        bob.store.update_roster(user, {1: ADA.identity.public, device: ADA.identity.public}, now=0)
    assert bob.store.devices(user) in ((), (DeviceAddress("ada", 1),))


def test_an_initiation_under_a_foreign_identity_is_refused() -> None:
    ada, bob = acquainted()
    mallory = Client.new("ada")
    mallory.knows(bob)
    assert bob.refuses(ada, mallory.writes(bob, b"I am ada")) is Failure.IDENTITY


def test_a_message_redirected_to_another_sender_address_is_refused() -> None:
    """The addresses are bound into the associated data, so the server cannot relabel a device."""
    ada, bob = acquainted()
    bob.store.update_roster("ada", {1: ada.identity.public, 2: ada.identity.public}, now=0)
    message = ada.writes(bob, b"from device 1")
    with pytest.raises(DecryptionFailed):
        bob.store.decrypt(DeviceAddress("ada", 2), message)
    assert bob.reads(ada, message) == b"from device 1"


def test_a_replayed_first_message_is_refused_with_and_without_one_time_keys() -> None:
    for one_time in (0, 3):
        ada, bob = acquainted(one_time)
        first = ada.writes(bob, b"pay 10")
        bob.reads(ada, first)
        assert bob.refuses(ada, first) is Failure.DUPLICATE
        bob.store.reset(ada.address)
        assert bob.refuses(ada, first) is (Failure.HANDSHAKE if one_time else Failure.DUPLICATE)


def test_whoever_lost_its_sessions_can_start_again_and_the_other_follows() -> None:
    ada, bob = acquainted()
    bob.reads(ada, ada.writes(bob, b"hello"))
    ada.reads(bob, bob.writes(ada, b"hello"))
    bob.store.reset(ada.address)
    assert bob.refuses(ada, ada.writes(bob, b"unreadable")) is Failure.UNAUTHENTIC
    assert ada.reads(bob, bob.writes(ada, b"anew")) == b"anew"
    assert ada.active_id(bob) == bob.active_id(ada)
    assert bob.reads(ada, ada.writes(bob, b"readable")) == b"readable"


def test_two_that_start_over_in_turn_settle_although_nothing_was_answered() -> None:
    """Whoever starts over outdoes what the other side has underway and it cannot read any more."""
    for _ in range(6):
        ada, bob = acquainted(0)
        bob.reads(ada, ada.writes(bob, b"unanswered"))
        bob.store.reset(ada.address)
        assert ada.reads(bob, bob.writes(ada, b"anew")) == b"anew"
        assert ada.active_id(bob) == bob.active_id(ada)
        ada.store.reset(bob.address)
        assert bob.reads(ada, ada.writes(bob, b"anew, too")) == b"anew, too"
        assert ada.active_id(bob) == bob.active_id(ada)


def test_at_most_five_inactive_sessions_are_kept() -> None:
    ada, bob = acquainted(0)
    first = ada.writes(bob, b"first")
    for number in range(6):
        ada.store.reset(bob.address)
        assert bob.reads(ada, ada.writes(bob, b"%d" % number)) == b"%d" % number
    bob.reads(ada, first)
    assert len(bob.store._record(ada.address).sessions) == 6


def test_a_forged_bundle_starts_nothing() -> None:
    ada, bob = acquainted()
    bundle = bob.bundle()
    forged = replace(bundle, signed=replace(bundle.signed, signature=bytes(64)))
    before = ada.store.state_of(bob.address)
    with pytest.raises(InvalidBundle):
        ada.store.start(bob.address, forged, RANDOM)
    assert ada.store.state_of(bob.address) == before


def test_the_first_message_with_any_byte_altered_is_refused() -> None:
    ada, bob = acquainted()
    message = ada.writes(bob, b"hello")
    header = 1 + 4 + 4 + 1163
    in_ciphertext = range(header - 1088, header)
    for index in range(len(message)):
        if index in in_ciphertext and index % 8:
            continue  # every eighth byte of the KEM ciphertext is enough
        altered = bytearray(message)
        altered[index] ^= 1 << index % 8
        bob.refuses(ada, bytes(altered))
    for length in range(0, len(message), 9):
        bob.refuses(ada, message[:length])
    assert bob.reads(ada, message) == b"hello"


ADA, BOB = acquainted()
BOB.reads(ADA, ADA.writes(BOB, b"hello"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_from_nowhere_are_refused(data: bytes) -> None:
    for message in (data, b"\x01" + data, b"\x01\x01" + data, b"\x02" + data):
        BOB.refuses(ADA, message)


def test_secrets_are_not_shown() -> None:
    ada, bob = acquainted()
    ada.writes(bob, b"hello")
    record = ada.store._record(bob.address)
    assert record.active is not None
    shown = repr(ada.store) + repr(record)
    state = record.active.ratchet._state
    assert state.sending_chain is not None
    for hidden in (state.root_key, state.sending_chain):
        assert repr(hidden) not in shown


def golden_store() -> tuple[SessionStore, dict[str, bytes]]:
    """Bob's record of Ada after a crossing, with two sessions, and a message that was underway then.

    Such a file is not reproducible: a handshake contains a KEM ciphertext, whose randomness is OpenSSL's.
    """
    golden = {name: bytes.fromhex(data) for name, data in json.loads(GOLDEN.read_text()).items()}
    identity = IdentityKeyPair.restore(golden["identity"])
    prekeys = PreKeyStore.restore(golden["prekeys"], identity)
    return SessionStore(DeviceAddress("bob", 1), identity, prekeys, [golden["record"]]), golden


def test_the_golden_record_of_version_1_is_still_read_and_written_back() -> None:
    store, golden = golden_store()
    ada = DeviceAddress("ada", 1)
    assert store.state_of(ada) == golden["record"]
    assert len(store._record(ada).sessions) == 2
    assert store.decrypt(ada, golden["message"]) == b"underway"
    assert store.encrypt(ada, b"answer", SeededRandomness(b"golden"))


def test_a_newer_or_damaged_record_is_refused() -> None:
    _, golden = golden_store()
    record = golden["record"]

    def restore(state: bytes) -> None:
        SessionStore(BOB.address, BOB.identity, BOB.prekeys, [state])

    with pytest.raises(UnsupportedStateVersion, match="newer"):
        restore(b"\x02" + record[1:])
    for length in range(0, len(record), 11):
        with pytest.raises(DecodeError):
            restore(record[:length])
    with pytest.raises(DecodeError):
        restore(record + b"\x00")


# Which ratchet a session has


def rekeys(client: Client, other: Client) -> bool:
    session = client.store._record(other.address).active
    assert session is not None
    return session.ratchet._state.rekeying is not None


def test_a_new_session_rekeys_with_ml_kem_and_stays_so_when_stored() -> None:
    ada, bob = acquainted()
    bob.reads(ada, ada.writes(bob, b"hello"))
    for client, other in ((ada, bob), (bob, ada)):
        again = SessionStore(client.address, client.identity, client.prekeys, [client.store.state_of(other.address)])
        client.store = again
        assert rekeys(client, other)
    for number in range(40):
        assert ada.reads(bob, bob.writes(ada, b"%d" % number)) == b"%d" % number
        assert bob.reads(ada, ada.writes(bob, b"%d" % number)) == b"%d" % number
    session = ada.store._record(bob.address).active
    assert session is not None
    assert session.ratchet._state.rekeying is not None
    assert session.ratchet._state.rekeying.number == 2


def test_an_older_device_that_starts_a_session_without_rekeying_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = acquainted()
    with monkeypatch.context() as older:
        older.setattr(session_store, "HandshakeVersion", SimpleNamespace(HYBRID_REKEYING=HandshakeVersion.HYBRID))
        message = ada.writes(bob, b"hello")
    assert bob.reads(ada, message) == b"hello"
    assert not rekeys(bob, ada)
    assert ada.reads(bob, bob.writes(ada, b"answer")) == b"answer"


def test_nobody_in_between_turns_a_session_into_one_without_rekeying() -> None:
    ada, bob = acquainted()
    initiation, ratchet_message = SessionMessage.decode(ada.writes(bob, b"hello"))
    assert initiation is not None
    assert initiation.header.version is HandshakeVersion.HYBRID_REKEYING
    older = initiation._replace(header=replace(initiation.header, version=HandshakeVersion.HYBRID))
    for message in (ratchet_message, b"\x01" + ratchet_message[1:]):
        failure = bob.refuses(ada, SessionMessage(older, message).encode())
        assert failure in (Failure.UNAUTHENTIC, Failure.MALFORMED)
    unauthentic = SessionMessage(initiation, b"\x01" + ratchet_message[1:])
    assert bob.refuses(ada, unauthentic.encode()) is Failure.MALFORMED
