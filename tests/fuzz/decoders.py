"""Everything in `crypto` that reads bytes of others, with valid inputs to start from.

A decoder returns a value, or raises `DecodeError` (or `UnsupportedStateVersion` for the state or format of a newer
version): nothing else, whatever the bytes are. A receiver, which decrypts, raises only its own typed error.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType

import nacl.bindings

import crypto
from crypto import curve25519, wire
from crypto.attachments import AttachmentPointer, AttachmentRejected, open_attachment, seal_attachment
from crypto.backup import (
    Answer,
    ArchiveRejected,
    Argon2Parameters,
    Enrolment,
    GuessLimiter,
    PinAttempt,
    RecoveryKey,
    open_archive,
    seal_archive,
    set_pin,
    version_1,
)
from crypto.directory import AccountKeys, EpochAnswer, KeyDirectory, LookupAnswer, OwnerMonitor, SeenKeys
from crypto.envelope import Envelope, MessageContent, Protocol, open_content, seal
from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.franking import DeliveryContext, FrankedMessage, FrankingInvalid, Report, delivery_tag
from crypto.handshake import InitialHeader, PreKeyBundle, PreKeyStore, PublishedPreKeys, initiate
from crypto.identity import IdentityKey, IdentityKeyPair
from crypto.ratchet import DEFAULT_PARAMETERS, DoubleRatchet, Header, MessageRejected
from crypto.ratchet.state import RatchetState
from crypto.sessions import DecryptionFailed, DeviceAddress, SessionMessage, SessionStore
from crypto.sessions.device_record import DeviceRecord
from crypto.transparency import HeadGossip, IdentityEntry, LogAuditor, MerkleTree, SignedTreeHead, TreeHead, leaf_hash
from tests.fuzz.decoder import RNG, Decoder
from tests.fuzz.mls_decoders import mls_decoders


def _identity() -> Iterator[tuple[str, Decoder]]:
    pair = IdentityKeyPair.generate(RNG)
    yield "crypto.curve25519.decode_public", Decoder(curve25519.decode_public, (pair.public.encode(),))
    yield "crypto.identity.keys.IdentityKey.decode", Decoder(IdentityKey.decode, (pair.public.encode(),))
    yield (
        "crypto.identity.keys.IdentityKeyPair.restore",
        Decoder(IdentityKeyPair.restore, (pair.serialize(),)),
    )


def _handshake() -> Iterator[tuple[str, Decoder]]:
    owner, initiator = IdentityKeyPair.generate(RNG), IdentityKeyPair.generate(RNG)
    store = PreKeyStore(owner)
    store.rotate(1_000, RNG)
    published = store.publish(*store.replenish(2, RNG))
    bundle, _ = published.take_bundle()
    classical = PreKeyBundle(bundle.identity, bundle.signed, None, None)
    hybrid_header = initiate(initiator, bundle, RNG).header
    classical_header = initiate(initiator, classical, RNG, accept_classical=True).header
    store.consume(classical_header)
    yield (
        "crypto.handshake.prekeys.PreKeyBundle.decode",
        Decoder(PreKeyBundle.decode, (bundle.encode(), classical.encode())),
    )
    yield (
        "crypto.handshake.prekeys.PublishedPreKeys.decode",
        Decoder(PublishedPreKeys.decode, (published.encode(),)),
    )
    yield (
        "crypto.handshake.initial_header.InitialHeader.decode",
        Decoder(InitialHeader.decode, (hybrid_header.encode(), classical_header.encode())),
    )
    yield (
        "crypto.handshake.prekey_store.PreKeyStore.restore",
        Decoder(lambda data: PreKeyStore.restore(data, owner), (store.serialize(),)),
    )


def _ratchet() -> Iterator[tuple[str, Decoder]]:
    secret, private = RNG.random_bytes(32), RNG.random_bytes(32)
    alice = DoubleRatchet.initiate(secret, curve25519.public_key(private), b"associated", RNG)
    bob = DoubleRatchet.respond(secret, private, b"associated")
    fresh = bob.serialize()
    messages = [alice.encrypt(b"message %d" % number, RNG) for number in range(4)]
    bob.decrypt(messages[3])
    alice.decrypt(bob.encrypt(b"answer", RNG))
    states = (fresh, alice.serialize(), bob.serialize())
    yield "crypto.ratchet.double_ratchet.DoubleRatchet.restore", Decoder(DoubleRatchet.restore, states)
    yield (
        "crypto.ratchet.state.RatchetState.decode",
        Decoder(lambda data: RatchetState.decode(data, DEFAULT_PARAMETERS), states),
    )
    bob_state, unread = bob.serialize(), alice.encrypt(b"unread", RNG)
    yield (
        "DoubleRatchet.decrypt",
        Decoder(lambda data: DoubleRatchet.restore(bob_state).decrypt(data), (messages[0], unread), (MessageRejected,)),
    )
    yield "crypto.ratchet.header.Header.decode", Decoder(Header.decode, (Header(bytes(32), 1, 2).encode(),))


def _receivers_of_sessions() -> Iterator[tuple[str, Decoder]]:
    alice, bob = DeviceAddress("alice", 1), DeviceAddress("bob", 1)
    keys = {address: IdentityKeyPair.generate(RNG) for address in (alice, bob)}
    prekeys = {address: PreKeyStore(pair) for address, pair in keys.items()}
    stores = {address: SessionStore(address, keys[address], prekeys[address]) for address in keys}
    stores[alice].update_roster("bob", {1: keys[bob].public}, 0)
    stores[bob].update_roster("alice", {1: keys[alice].public}, 0)
    prekeys[bob].rotate(0, RNG)
    bundle, _ = prekeys[bob].publish(*prekeys[bob].replenish(1, RNG)).take_bundle()
    stores[alice].start(bob, bundle, RNG)
    unopened = stores[bob].state_of(alice)
    bobs_prekeys = prekeys[bob].serialize()
    first = stores[alice].encrypt(bob, b"hello", RNG)
    stores[bob].decrypt(alice, first)
    before_answer = stores[alice].state_of(bob)
    answer = stores[bob].encrypt(alice, b"welcome", RNG)
    records = (unopened, before_answer, stores[bob].state_of(alice))

    def bob_receives(message: bytes) -> bytes:
        restored = PreKeyStore.restore(bobs_prekeys, keys[bob])
        return SessionStore(bob, keys[bob], restored, [unopened]).decrypt(alice, message)

    def alice_receives(message: bytes) -> bytes:
        return SessionStore(alice, keys[alice], prekeys[alice], [before_answer]).decrypt(bob, message)

    yield "crypto.sessions.device_record.DeviceRecord.decode", Decoder(DeviceRecord.decode, records)
    yield (
        "crypto.sessions.message.SessionMessage.decode",
        Decoder(SessionMessage.decode, (first, answer), open_ended=True),
    )
    yield "SessionStore.decrypt, first message", Decoder(bob_receives, (first,), (DecryptionFailed,))
    yield "SessionStore.decrypt, answer", Decoder(alice_receives, (answer,), (DecryptionFailed,))


def _attachments() -> Iterator[tuple[str, Decoder]]:
    pointer, ciphertext = seal_attachment(b"content", RNG)
    yield (
        "crypto.attachments.pointer.AttachmentPointer.decode",
        Decoder(AttachmentPointer.decode, (pointer.encode(),)),
    )
    yield (
        "open_attachment",
        Decoder(lambda data: open_attachment(pointer, data), (ciphertext,), (AttachmentRejected,)),
    )


def _transparency() -> Iterator[tuple[str, Decoder]]:
    log_key = RNG.random_bytes(32)
    log_public = nacl.bindings.crypto_sign_seed_keypair(log_key)[0]
    entries = (
        IdentityEntry("alice", 1, IdentityKeyPair.generate(RNG).public, 1_000),
        IdentityEntry("bob", 2, None, 2_000),
    )
    tree = MerkleTree(leaf_hash(entry.encode()) for entry in entries)
    head = SignedTreeHead.sign(TreeHead(3_000, tree.size, tree.root()), log_key)
    auditor = LogAuditor(log_public)
    before = auditor.serialize()
    auditor.advance(head, [])
    yield (
        "crypto.transparency.entry.IdentityEntry.decode",
        Decoder(IdentityEntry.decode, tuple(entry.encode() for entry in entries)),
    )
    yield (
        "crypto.transparency.tree_head.SignedTreeHead.decode",
        Decoder(SignedTreeHead.decode, (head.encode(),)),
    )
    yield (
        "crypto.transparency.auditor.LogAuditor.restore",
        Decoder(lambda data: LogAuditor.restore(data, log_public), (before, auditor.serialize())),
    )


def _directory() -> Iterator[tuple[str, Decoder]]:
    log_key = RNG.random_bytes(32)
    log_public = nacl.bindings.crypto_sign_seed_keypair(log_key)[0]
    served = KeyDirectory(log_key, bytes(32), bytes(32), log_public)
    keys = AccountKeys.first("alice", {1: IdentityKeyPair.generate(RNG).public})
    for user in ("alice", "bob"):
        served.submit(AccountKeys(user, 1, keys.previous, keys.devices))
    served.close_epoch(1_000)
    served.submit(keys.successor({}))
    served.close_epoch(2_000)
    auditor = LogAuditor(log_public)
    monitor = OwnerMonitor(served.index("alice")[0], 0, 0)
    monitor.publish(keys, 0)
    gossip = HeadGossip()
    gossip.hear(auditor, served.head(), 5)
    answers = (served.lookup("alice", 1, 1), served.lookup("nobody", 0, 0))
    yield (
        "crypto.directory.account_keys.AccountKeys.decode",
        Decoder(AccountKeys.decode, (keys.encode(), keys.successor({}).encode())),
    )
    yield (
        "crypto.directory.lookup.LookupAnswer.decode",
        Decoder(LookupAnswer.decode, tuple(answer.encode() for answer in answers)),
    )
    yield "crypto.directory.lookup.SeenKeys.decode", Decoder(SeenKeys.decode, (SeenKeys(1, keys.digest).encode(),))
    yield (
        "crypto.directory.monitor.EpochAnswer.decode",
        Decoder(EpochAnswer.decode, tuple(answer.encode() for answer in served.epochs("alice", 0))),
    )
    yield "crypto.directory.monitor.OwnerMonitor.restore", Decoder(OwnerMonitor.restore, (monitor.serialize(),))
    yield "crypto.transparency.gossip.HeadGossip.restore", Decoder(HeadGossip.restore, (gossip.serialize(),))


def _franking() -> Iterator[tuple[str, Decoder]]:
    message = FrankedMessage.frank(b"content", RNG)
    context = DeliveryContext("conversation", "sender", "recipient", 1_000)
    report = Report(context, message.commitment, delivery_tag(bytes(32), message.commitment, context), message)
    yield (
        "crypto.franking.commitment.FrankedMessage.decode",
        Decoder(
            lambda data: FrankedMessage.decode(data, message.commitment),
            (message.encode(),),
            (DecodeError, FrankingInvalid),
        ),
    )
    yield (
        "crypto.franking.report.Report.decode",
        Decoder(Report.decode, (report.encode(),), open_ended=True),
    )


def _envelope() -> Iterator[tuple[str, Decoder]]:
    head = SignedTreeHead.sign(TreeHead(3_000, 1, bytes(32)), RNG.random_bytes(32))
    pointer, _ = seal_attachment(b"content", RNG)
    content = MessageContent(b"body", (pointer,), head)
    sealed = seal(content, RNG)
    envelope = Envelope(Protocol.SESSION, sealed.commitment, b"ciphertext")
    yield (
        "crypto.envelope.content.MessageContent.decode",
        Decoder(MessageContent.decode, (content.encode(), MessageContent(b"").encode())),
    )
    yield (
        "crypto.envelope.envelope.Envelope.decode",
        Decoder(Envelope.decode, (envelope.encode(),), open_ended=True),
    )
    yield (
        "open_content",
        Decoder(
            lambda data: open_content(data, sealed.commitment),
            (sealed.plaintext,),
            (DecodeError, FrankingInvalid, UnsupportedStateVersion),
        ),
    )


def _backup() -> Iterator[tuple[str, Decoder]]:
    recovery_key = RecoveryKey.generate(RNG)
    attempt = PinAttempt("1234", RNG)
    setup = set_pin("1234", recovery_key, RNG, parameters=Argon2Parameters(memory=8, time=1, lanes=1))
    limiters = [GuessLimiter.enrol("alice", enrolment, anchored=0) for enrolment in setup.enrolments]
    answers = [limiter.guess(attempt.element, anchored=0)[1] for limiter in limiters]
    sealed = seal_archive(recovery_key, b"archive", 1, RNG)
    yield (
        "crypto.backup.guess_limiter.GuessLimiter.restore",
        Decoder(lambda data: GuessLimiter.restore(data, "alice"), tuple(limiter.serialize() for limiter in limiters)),
    )
    yield "crypto.backup.guess_limiter.Enrolment.decode", Decoder(Enrolment.decode, (setup.enrolments[0].encode(),))
    yield "crypto.backup.guess_limiter.Answer.decode", Decoder(Answer.decode, (answers[0].encode(),))
    record = b"".join((b"\x01\x01", b"\x01" + bytes(31), wire.block(bytes(134)), wire.block(bytes(32)), b"\x0a"))
    yield "split_record", Decoder(lambda data: version_1.split_record("alice", data, anchored=0), (record,))
    yield (
        "GuessLimiter.guess",
        Decoder(lambda data: limiters[0].guess(data, anchored=0), (attempt.element, PinAttempt("0000", RNG).element)),
    )
    yield (
        "RecoveryKey.from_words",
        Decoder(lambda data: RecoveryKey.from_words(data.decode("latin-1")), (recovery_key.words().encode(),)),
    )
    yield (
        "open_archive",
        Decoder(
            lambda data: open_archive(recovery_key, data, min_number=0),
            (sealed,),
            (DecodeError, ArchiveRejected, UnsupportedStateVersion),
        ),
    )


DECODERS: Mapping[str, Decoder] = {
    name: decoder
    for entries in (
        _identity(),
        _handshake(),
        _ratchet(),
        _receivers_of_sessions(),
        _attachments(),
        _transparency(),
        _directory(),
        _franking(),
        _envelope(),
        _backup(),
        mls_decoders(),
    )
    for name, decoder in entries
}

_GENERIC = {"crypto.mls.codec.decode_exactly"}  # takes the decoder as an argument
_METHODS = ("decode", "from_message", "restore")


def public_decoders() -> set[str]:
    """The qualified names of all functions of `crypto` that decode `bytes`, found by name and signature."""
    found = set()
    for module in _modules():
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(value) and name.startswith("decode_") and _takes_bytes(value):
                found.add(f"{module.__name__}.{name}")
            if inspect.isclass(value):
                found |= {
                    f"{module.__name__}.{name}.{method}"
                    for method in _METHODS
                    if isinstance(vars(value).get(method), classmethod) and _takes_bytes(getattr(value, method))
                }
    return found - _GENERIC


def _takes_bytes(function: Callable[..., object]) -> bool:
    return any(
        parameter.annotation in (bytes, "bytes") for parameter in inspect.signature(function).parameters.values()
    )


def _modules() -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(crypto.__path__, "crypto."):
        yield importlib.import_module(info.name)
