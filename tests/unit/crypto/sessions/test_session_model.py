"""Two people with two devices each, over a network that loses, repeats, delays and reorders.

The model knows which plaintext is in which envelope. Every envelope is read once with its own plaintext or is
refused without a change; and when the network calms down, each pair of devices settles on one session.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crypto.handshake import PreKeyStore, PublishedPreKeys
from crypto.identity import IdentityKeyPair
from crypto.randomness import SeededRandomness
from crypto.sessions import DecryptionFailed, DeviceAddress, SessionStore

ADDRESSES = [DeviceAddress(user, device) for user in ("ada", "bob") for device in (1, 2)]
DEVICE = st.integers(0, len(ADDRESSES) - 1)


@dataclass
class Device:
    """A client that keeps what it must: every step goes through its stored state."""

    address: DeviceAddress
    identity: IdentityKeyPair
    prekeys: bytes
    published: PublishedPreKeys
    states: dict[DeviceAddress, bytes] = field(default_factory=dict)

    def open(self) -> tuple[SessionStore, PreKeyStore]:
        prekeys = PreKeyStore.restore(self.prekeys, self.identity)
        return SessionStore(self.address, self.identity, prekeys, self.states.values()), prekeys

    def save(self, store: SessionStore, prekeys: PreKeyStore, *peers: DeviceAddress) -> None:
        self.prekeys = prekeys.serialize()
        self.states |= {peer: store.state_of(peer) for peer in peers}


@dataclass
class Envelope:
    sender: int
    receiver: int
    message: bytes = field(repr=False)
    plaintext: bytes
    read: bool = False


class Conversation(RuleBasedStateMachine):
    @initialize(one_time=st.integers(0, 3), seed=st.binary(min_size=4, max_size=4))
    def begin(self, one_time: int, seed: bytes) -> None:
        self.random = SeededRandomness(seed)
        self.devices: list[Device] = []
        self.envelopes: list[Envelope] = []
        self.lost_state = False
        for address in ADDRESSES:
            identity = IdentityKeyPair.generate(self.random)
            prekeys = PreKeyStore(identity)
            prekeys.rotate(0, self.random)
            published = prekeys.publish(*prekeys.replenish(one_time, self.random))
            self.devices.append(Device(address, identity, prekeys.serialize(), published))
        for device in self.devices:
            self.learn_rosters(device)

    def learn_rosters(self, device: Device) -> None:
        store, prekeys = device.open()
        for user in ("ada", "bob"):
            roster = {
                other.address.device: other.identity.public for other in self.devices if other.address.user == user
            }
            store.update_roster(user, roster, now=0)
        device.save(store, prekeys, *(a for a in ADDRESSES if a != device.address))

    def send(self, sender: int, receiver: int) -> None:
        device, peer = self.devices[sender], self.devices[receiver]
        store, prekeys = device.open()
        if peer.address in store.without_session(peer.address.user):
            bundle, peer.published = peer.published.take_bundle()
            store.start(peer.address, bundle, self.random)
        plaintext = f"{len(self.envelopes)} from {sender} to {receiver}".encode()
        message = store.encrypt(peer.address, plaintext, self.random)
        device.save(store, prekeys, peer.address)
        self.envelopes.append(Envelope(sender, receiver, message, plaintext))

    def deliver(self, envelope: Envelope) -> None:
        device, peer = self.devices[envelope.receiver], self.devices[envelope.sender]
        store, prekeys = device.open()
        try:
            plaintext = store.decrypt(peer.address, envelope.message)
        except DecryptionFailed:
            assert store.state_of(peer.address) == device.states[peer.address]
            assert prekeys.serialize() == device.prekeys
            assert envelope.read or self.lost_state, "a message that nobody read was refused"
            return
        assert not envelope.read, "a message was read twice"
        assert plaintext == envelope.plaintext
        envelope.read = True
        device.save(store, prekeys, peer.address)

    @rule(sender=DEVICE, receiver=DEVICE)
    def somebody_sends(self, sender: int, receiver: int) -> None:
        if sender != receiver:
            self.send(sender, receiver)

    @rule(one=DEVICE, other=DEVICE)
    def both_send_at_once(self, one: int, other: int) -> None:
        if one != other:
            self.send(one, other)
            self.send(other, one)

    @precondition(lambda self: self.envelopes)
    @rule(data=st.data())
    def the_network_delivers_any_envelope_again_or_for_the_first_time(self, data: st.DataObject) -> None:
        self.deliver(data.draw(st.sampled_from(self.envelopes)))

    @precondition(lambda self: self.envelopes)
    @rule()
    def the_network_delivers_the_newest_envelope(self) -> None:
        self.deliver(self.envelopes[-1])

    @precondition(lambda self: self.envelopes)
    @rule(data=st.data(), position=st.integers(0), bit=st.integers(0, 7))
    def the_network_alters_an_envelope(self, data: st.DataObject, position: int, bit: int) -> None:
        envelope = data.draw(st.sampled_from(self.envelopes))
        altered = bytearray(envelope.message)
        altered[position % len(altered)] ^= 1 << bit
        device, peer = self.devices[envelope.receiver], self.devices[envelope.sender]
        store, prekeys = device.open()
        try:
            plaintext = store.decrypt(peer.address, bytes(altered))
        except DecryptionFailed:
            assert store.state_of(peer.address) == device.states[peer.address]
            assert prekeys.serialize() == device.prekeys
        else:
            # The handshake's header in front is not part of the message once the session is known.
            assert plaintext == envelope.plaintext
            assert not envelope.read
            envelope.read = True
            device.save(store, prekeys, peer.address)

    @rule(device=DEVICE, peer=DEVICE)
    def a_device_forgets_its_sessions_with_another(self, device: int, peer: int) -> None:
        if device != peer:
            mine = self.devices[device]
            store, prekeys = mine.open()
            store.reset(ADDRESSES[peer])
            mine.save(store, prekeys, ADDRESSES[peer])
            self.lost_state = True

    @invariant()
    def nobody_keeps_more_than_six_sessions_with_a_device(self) -> None:
        for device in getattr(self, "devices", []):
            store, _ = device.open()
            for address in device.states:
                assert len(store._record(address).sessions) <= 6

    def teardown(self) -> None:
        """The network calms down: everything still underway arrives, then everybody talks in turn."""
        if not hasattr(self, "devices"):
            return
        for envelope in self.envelopes:
            if not envelope.read:
                self.deliver(envelope)
        for one in range(len(ADDRESSES)):
            for other in range(one):
                for sender, receiver in ((one, other), (other, one), (one, other)):
                    self.send(sender, receiver)
                    self.deliver(self.envelopes[-1])
                if self.lost_state:
                    self.settle_after_a_loss(one, other)
                else:
                    assert self.envelopes[-1].read
                    assert self.envelopes[-2].read
                self.check_settled(one, other)

    def settle_after_a_loss(self, one: int, other: int) -> None:
        """Whoever cannot read says so, and the sender starts again: what a client does with a refusal."""
        for sender, receiver in ((one, other), (other, one), (one, other)):
            self.send(sender, receiver)
            self.deliver(self.envelopes[-1])
            if not self.envelopes[-1].read:
                device = self.devices[sender]
                store, prekeys = device.open()
                store.reset(ADDRESSES[receiver])
                device.save(store, prekeys, ADDRESSES[receiver])
                self.send(sender, receiver)
                self.deliver(self.envelopes[-1])
                assert self.envelopes[-1].read

    def check_settled(self, one: int, other: int) -> None:
        mine, theirs = self.devices[one].open()[0], self.devices[other].open()[0]
        active, their_active = (
            mine._record(ADDRESSES[other]).active,
            theirs._record(ADDRESSES[one]).active,
        )
        assert active is not None
        assert their_active is not None
        assert active.id == their_active.id, "the two devices use different sessions"
        assert active.initiated != their_active.initiated


Conversation.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestConversation = Conversation.TestCase
