"""Fields whose length the specification knows: every other length is refused, in messages and in stored state."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from crypto.errors import CryptoError, DecodeError
from crypto.mls import (
    Add,
    CipherSuite,
    DecryptionFailed,
    Group,
    InvalidInput,
    InvalidLeafNode,
    InvalidTree,
    InvalidWelcome,
    KeyPackageBundle,
    SignatureKeyPair,
)
from crypto.mls.cipher_suite import SuiteCrypto, suite_crypto
from crypto.mls.codec import Reader, decode_exactly, opaque
from crypto.mls.epoch import Epoch
from crypto.mls.group_state import GroupState
from crypto.mls.hpke import Ciphertext
from crypto.mls.key_schedule import EpochSecrets
from crypto.mls.messages import decode_message, encode_message
from crypto.mls.parent_hash import verify_parent_hashes
from crypto.mls.psk import ExternalPskId
from crypto.mls.ratchet_tree import ParentNode
from crypto.mls.secret_tree import MessageKey, RatchetKind, SecretTree
from crypto.mls.state import encode_group
from crypto.mls.welcome import GroupInfo, GroupSecrets
from tests.unit.crypto.mls.party import NOW, OPEN, Person, gather, package, people

WRONG = (b"", bytes(31), bytes(33), bytes(64))
wrong_lengths = pytest.mark.parametrize("value", WRONG, ids=lambda value: f"{len(value)} bytes")
ALICE = gather(people(3), force_path=True)[0]
EPOCH = ALICE._state.epoch
CRYPTO = EPOCH.crypto


def test_a_field_of_known_size() -> None:
    assert decode_exactly(opaque(b"ab"), lambda reader: reader.fixed(2)) == b"ab"
    assert decode_exactly(opaque(b""), lambda reader: reader.fixed(0, 2)) == b""
    for value in (b"", b"a", b"abc"):
        with pytest.raises(DecodeError):
            decode_exactly(opaque(value), lambda reader: Reader.fixed(reader, 2))


def refused(**changes: object) -> None:
    epoch: Epoch = replace(EPOCH, **changes)  # type: ignore[arg-type]
    with pytest.raises(DecodeError):
        Group.restore(encode_group(GroupState.begin(epoch)), Person("x").randomness, OPEN)


@wrong_lengths
def test_the_stored_epoch(value: bytes) -> None:
    refused(interim_transcript_hash=value)
    refused(confirmation_tag=value)
    refused(context=replace(EPOCH.context, tree_hash=value))
    refused(context=replace(EPOCH.context, confirmed_transcript_hash=value))
    refused(own=replace(EPOCH.own, private_keys={0: value}))
    if value:  # an empty one was deleted
        refused(secrets=EpochSecrets(*[value] * 9))


@wrong_lengths
def test_the_stored_secret_tree(value: bytes) -> None:
    def tree(change: Callable[[SecretTree], None]) -> SecretTree:
        made = SecretTree(CRYPTO, 4, bytes(32))
        made.consume(made.look_up(0, RatchetKind.APPLICATION, 1))
        change(made)
        return made

    def skip(made: SecretTree, key: MessageKey) -> None:
        made._ratchets[0, RatchetKind.APPLICATION].skipped[0] = key

    refused(secret_tree=tree(lambda made: made._nodes.update({1: value})))
    refused(secret_tree=tree(lambda made: setattr(made._ratchets[0, RatchetKind.APPLICATION], "secret", value)))
    refused(secret_tree=tree(lambda made: skip(made, MessageKey(value, bytes(12)))))
    refused(secret_tree=tree(lambda made: skip(made, MessageKey(bytes(16), value))))


@wrong_lengths
def test_a_stored_key_package(value: bytes) -> None:
    bundle = Person("bob").bundle()
    for changed in (replace(bundle, init_private_key=value), replace(bundle, leaf_private_key=value)):
        with pytest.raises(DecodeError):
            KeyPackageBundle.restore(changed.serialize())


@pytest.mark.parametrize("suite", list(CipherSuite), ids=lambda suite: f"suite{int(suite)}")
def test_private_keys_of_the_wrong_length_are_not_used(suite: CipherSuite) -> None:
    crypto: SuiteCrypto = suite_crypto(suite)
    private_key, public_key = crypto.kem.generate_key_pair(ALICE._randomness)
    sealed = crypto.seal(public_key, crypto.encryption_context("x", b""), b"data", ALICE._randomness)
    for wrong in (private_key[:5], private_key + b"\x01"):
        with pytest.raises((DecryptionFailed, InvalidInput)):
            crypto.open(wrong, crypto.encryption_context("x", b""), sealed)
    with pytest.raises(DecryptionFailed):
        crypto.open(private_key, crypto.encryption_context("x", b""), Ciphertext(b"", sealed.ciphertext))
    with pytest.raises(InvalidInput):
        SignatureKeyPair.from_private(suite, bytes(70))


@wrong_lengths
def test_a_group_info(value: bytes) -> None:
    dave = Person("dave")
    info = decode_message(ALICE.group_info())
    assert isinstance(info, GroupInfo)
    for context, tag in (
        (replace(info.group_context, confirmed_transcript_hash=value), info.confirmation_tag),
        (replace(info.group_context, tree_hash=value), info.confirmation_tag),
        (info.group_context, value),
    ):
        changed = GroupInfo.sign(CRYPTO, context, info.extensions, tag, 0, EPOCH.own.signer)
        with pytest.raises(InvalidWelcome, match="length"):
            Group.external_join(
                encode_message(changed), dave.credential, dave.signer, dave.randomness, now=NOW, policy=OPEN
            )


@wrong_lengths
def test_the_secrets_of_a_welcome(value: bytes) -> None:
    right = bytes(32)
    GroupSecrets(right, right, (ExternalPskId(b"x", right),)).check_sizes(CRYPTO)
    for secrets in (
        GroupSecrets(value, None, ()),
        GroupSecrets(right, value, ()),
        GroupSecrets(right, right, (ExternalPskId(b"x", value),)),
    ):
        with pytest.raises(InvalidWelcome, match="length"):
            secrets.check_sizes(CRYPTO)


@pytest.mark.parametrize("value", WRONG[1:], ids=lambda value: f"{len(value)} bytes")
def test_parent_hashes(value: bytes) -> None:
    tree = EPOCH.tree.copy()
    root = tree.parent(tree.root)
    assert root is not None
    tree._nodes[tree.root] = ParentNode(root.encryption_key, value)
    with pytest.raises(InvalidTree, match="length"):
        verify_parent_hashes(tree)
    leaf = replace(EPOCH.own_leaf, parent_hash=value).signed(CRYPTO, EPOCH.own.signer, ALICE.group_id, 0)
    with pytest.raises(InvalidLeafNode, match="length"):
        EPOCH.leaf_rules(OPEN, None, ()).check(leaf, 0)


def test_a_change_of_length_is_no_other_error() -> None:
    """One byte more or less in any field of a message is refused with a typed error."""
    alice, bob = gather(people(2))
    message = alice.commit([Add(package(Person("carol").bundle()))], now=NOW, force_path=True).message
    for position in range(len(message)):
        for changed in (message[:position] + message[position + 1 :], message[:position] + b"\0" + message[position:]):
            with pytest.raises(CryptoError):
                bob.process(changed, now=NOW)
