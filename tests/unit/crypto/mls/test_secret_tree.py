"""Message keys: each is used once, out-of-order messages are read within limits, and used secrets are gone."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.mls import CipherSuite, Group, KeyUnavailable
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.secret_tree import RatchetKind, SecretTree
from tests.unit.crypto.mls.party import NOW, OPEN, gather, people

CRYPTO = suite_crypto(CipherSuite.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519)
SECRET = bytes(range(32))
APPLICATION = RatchetKind.APPLICATION


def keys(generations: int) -> list[bytes]:
    tree, found = SecretTree(CRYPTO, 4, SECRET), []
    for generation in range(generations):
        lookup = tree.look_up(1, APPLICATION, generation)
        tree.consume(lookup)
        found.append(lookup.message_key.key)
    return found


@settings(deadline=None)
@given(st.permutations(range(12)))
def test_every_order_gives_the_same_keys_once(order: list[int]) -> None:
    expected, tree = keys(12), SecretTree(CRYPTO, 4, SECRET)
    for generation in order:
        lookup = tree.look_up(1, APPLICATION, generation)
        assert lookup.message_key.key == expected[generation]
        tree.consume(lookup)
        with pytest.raises(KeyUnavailable):
            tree.look_up(1, APPLICATION, generation)


def test_a_lookup_alone_changes_nothing() -> None:
    tree = SecretTree(CRYPTO, 4, SECRET)
    before = tree.encode()
    for generation in (5, 0, 3):
        tree.look_up(2, APPLICATION, generation)
        assert tree.encode() == before


def test_a_message_may_not_skip_too_far() -> None:
    tree = SecretTree(CRYPTO, 4, SECRET, max_forward=10)
    with pytest.raises(KeyUnavailable):
        tree.look_up(0, APPLICATION, 11)
    tree.consume(tree.look_up(0, APPLICATION, 10))
    with pytest.raises(KeyUnavailable):
        tree.look_up(0, APPLICATION, 0xFFFF_FFFF)
    tree.consume(tree.look_up(0, APPLICATION, 21))


def test_the_oldest_skipped_keys_are_dropped() -> None:
    tree = SecretTree(CRYPTO, 4, SECRET, max_skipped=3)
    tree.consume(tree.look_up(0, APPLICATION, 5))
    for dropped in (0, 1):
        with pytest.raises(KeyUnavailable):
            tree.look_up(0, APPLICATION, dropped)
    for kept in (2, 3, 4):
        tree.consume(tree.look_up(0, APPLICATION, kept))


def test_there_is_no_key_for_a_leaf_outside_of_the_tree() -> None:
    with pytest.raises(KeyUnavailable):
        SecretTree(CRYPTO, 4, SECRET).look_up(4, APPLICATION, 0)


def test_used_secrets_are_gone_from_the_state() -> None:
    tree, other = SecretTree(CRYPTO, 4, SECRET), SecretTree(CRYPTO, 4, SECRET)
    first = tree.look_up(1, APPLICATION, 0)
    second = tree.look_up(1, APPLICATION, 1)
    tree.consume(second)
    state = tree.encode()
    assert SECRET not in state
    assert second.message_key.key not in state
    assert first.message_key.key in state, "a skipped key is kept for its message"
    tree.consume(tree.look_up(1, APPLICATION, 0))
    assert first.message_key.key not in tree.encode()
    assert tree.look_up(3, APPLICATION, 0).message_key == other.look_up(3, APPLICATION, 0).message_key


def test_a_key_used_in_the_group_is_gone_from_its_state() -> None:
    alice, bob = gather(people(2))
    message = alice.encrypt(b"once")
    assert bob.decrypt(message).data == b"once"
    for group in (alice, bob):
        stored = Group.restore(group.serialize(), people(1)[0].randomness, OPEN)
        with pytest.raises(KeyUnavailable):
            stored.process(message, now=NOW)


def test_the_limits_of_the_policy_hold_after_a_restart() -> None:
    policy = replace(OPEN, max_forward=5, max_skipped=2)
    alice, bob = gather(people(2, policy=policy))
    messages = [alice.encrypt(b"%d" % n) for n in range(8)]
    bob = Group.restore(bob.serialize(), people(1)[0].randomness, policy)
    with pytest.raises(KeyUnavailable):
        bob.decrypt(messages[6])
    assert bob.decrypt(messages[5]).data == b"5"
    with pytest.raises(KeyUnavailable):
        bob.decrypt(messages[2])
    assert bob.decrypt(messages[3]).data == b"3"
