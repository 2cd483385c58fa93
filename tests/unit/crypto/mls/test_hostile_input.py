"""Damaged, truncated, oversized, repeated and reordered input: the right result or one typed error, state unchanged."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import CryptoError, DecodeError, UnsupportedStateVersion
from crypto.mls import (
    Add,
    ApplicationMessage,
    CommitBundle,
    Group,
    KeyPackage,
    KeyPackageBundle,
    KeyUnavailable,
    Remove,
    WireFormat,
    join_request,
)
from crypto.mls.codec import Reader, decode_exactly
from crypto.mls.credentials import decode_credential
from crypto.mls.extensions import ExternalSender, RequiredCapabilities, decode_extensions
from crypto.mls.framing import AuthenticatedContent, FramedContent
from crypto.mls.group_context import GroupContext
from crypto.mls.leaf_node import LeafNode
from crypto.mls.messages import decode_message, encode_message
from crypto.mls.proposals import Commit, decode_proposal
from crypto.mls.psk import decode_psk_id
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.update_path import UpdatePath
from crypto.mls.welcome import GroupInfo, GroupSecrets, Welcome
from tests.unit.crypto.mls.party import NOW, OPEN, Person, gather, package, people
from tests.unit.crypto.mls.vectors import crypto_of, load, unhex

CRYPTO = crypto_of({"cipher_suite": 1})
RANDOMNESS = Person("hostile").randomness

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "message": decode_message,
    "tree": lambda data: RatchetTree.decode(CRYPTO, data),
    "group": lambda data: Group.restore(data, RANDOMNESS, OPEN),
    "commit bundle": lambda data: CommitBundle.restore(data, OPEN),
    "key package bundle": KeyPackageBundle.restore,
    "key package": KeyPackage.from_message,
    **{
        decode.__qualname__: partial(decode_exactly, decode=decode)
        for decode in (
            decode_credential,
            decode_extensions,
            decode_proposal,
            decode_psk_id,
            ExternalSender.decode,
            RequiredCapabilities.decode,
            AuthenticatedContent.decode,
            FramedContent.decode,
            GroupContext.decode,
            GroupInfo.decode,
            GroupSecrets.decode,
            LeafNode.decode,
            Commit.decode,
            UpdatePath.decode,
            Welcome.decode,
            Reader.length,
        )
    },
}


def decodes(decode: Callable[[bytes], Any], data: bytes) -> bool:
    try:
        decode(data)
    except DecodeError:
        return False
    return True


@pytest.mark.parametrize("name", DECODERS)
@given(data=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_decoders_raise_one_error(name: str, data: bytes) -> None:
    decodes(DECODERS[name], data)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_changed_messages_decode_to_what_they_encode_or_not_at_all(data: st.DataObject) -> None:
    samples = [unhex(text) for name, text in load("messages")[0].items() if name.startswith(("mls", "pu", "pr"))]
    sample = bytearray(data.draw(st.sampled_from([s for s in samples if s[:2] == b"\0\1"])))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(sample) - 1))
        sample[position] = data.draw(st.integers(0, 255))
    cut = bytes(sample[: data.draw(st.integers(0, len(sample)))]) if data.draw(st.booleans()) else bytes(sample)
    try:
        message = decode_message(cut)
    except DecodeError:
        return
    assert encode_message(message) == cut


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_state_is_read_or_refused(data: st.DataObject) -> None:
    persons = people(2)
    alice = gather(persons)[0]
    stored = [
        (alice.serialize(), DECODERS["group"]),
        (alice.commit(now=NOW).serialize(), DECODERS["commit bundle"]),
        (persons[0].bundle().serialize(), KeyPackageBundle.restore),
    ]
    state, restore = data.draw(st.sampled_from(stored))
    position = data.draw(st.integers(0, len(state) - 1))
    damaged = bytearray(state)
    damaged[position] ^= data.draw(st.integers(1, 255))
    for attempt in (bytes(damaged), state[:position], state + b"\0"):
        with contextlib.suppress(DecodeError, UnsupportedStateVersion):
            restore(attempt)


def exchange() -> tuple[Group, dict[str, bytes]]:
    """A member, and one message of each kind that it could receive now."""
    persons = people(5)
    alice, bob, carol = gather(persons[:3], force_path=True)
    private = WireFormat.PRIVATE_MESSAGE
    stranger = persons[3]
    joined = Group.external_join(
        alice.group_info(), stranger.credential, stranger.signer, stranger.randomness, now=NOW, policy=OPEN
    )
    add = Add(package(persons[4].bundle()))
    messages = {
        "application": alice.encrypt(b"a message", b"header", padding=5),
        "public commit": carol.commit([add], now=NOW, force_path=True).message,
        "private commit": carol.commit([add, Remove(0)], now=NOW, wire_format=private).message,
        "external commit": joined.message,
        "join request": join_request(alice.suite, b"group", alice.epoch, persons[4].bundle()),
        "public update": alice.propose_update(now=NOW),
        "private removal": alice.propose_remove(2, wire_format=private),
    }
    return bob, messages


BOB, MESSAGES = exchange()
STATE = BOB.serialize()


def refuses(message: bytes) -> None:
    with pytest.raises(CryptoError):
        BOB.process(message, now=NOW)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_change_of_any_byte_is_noticed(name: str) -> None:
    message = MESSAGES[name]
    for position in range(len(message)):
        damaged = bytearray(message)
        damaged[position] ^= 1 << (position % 8)
        refuses(bytes(damaged))
    assert BOB.serialize() == STATE
    Group.restore(STATE, RANDOMNESS, OPEN).process(message, now=NOW)


@pytest.mark.parametrize("name", MESSAGES)
def test_truncated_and_oversized_messages(name: str) -> None:
    message = MESSAGES[name]
    for length in range(len(message)):
        refuses(message[:length])
    for extra in (b"\0", b"\xff", message, bytes(1 << 20)):
        refuses(message + extra)
    assert BOB.serialize() == STATE


@given(name=st.sampled_from(sorted(MESSAGES)), data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_damage_is_noticed(name: str, data: st.DataObject) -> None:
    message = bytearray(MESSAGES[name])
    start = data.draw(st.integers(0, len(message)))
    stop = data.draw(st.integers(start, min(start + 40, len(message))))
    message[start:stop] = data.draw(st.binary(max_size=40))
    if bytes(message) != MESSAGES[name]:
        refuses(bytes(message))
        assert BOB.serialize() == STATE


def test_a_damaged_welcome_leads_into_the_group_or_nowhere() -> None:
    persons = people(3)
    founder, bundles = persons[0].found(), [person.bundle() for person in persons[1:]]
    commit = founder.commit([Add(package(bundle)) for bundle in bundles], now=NOW)
    founder.apply(commit)
    assert commit.welcome is not None
    for position in range(0, len(commit.welcome), 3):
        damaged = bytearray(commit.welcome)
        damaged[position] ^= 1 << (position % 8)
        try:
            group = persons[1].join(bytes(damaged), bundles[0])
        except CryptoError:
            continue
        assert group.epoch_authenticator == founder.epoch_authenticator  # the change hit the other's secrets


def test_a_damaged_group_info_or_key_package_is_noticed() -> None:
    persons = people(2)
    group, stranger = persons[0].found(), persons[1]
    info, offer = group.group_info(), stranger.bundle().message()
    for position in range(len(info)):
        damaged = bytearray(info)
        damaged[position] ^= 1 << (position % 8)
        with pytest.raises(CryptoError):
            Group.external_join(
                bytes(damaged), stranger.credential, stranger.signer, stranger.randomness, now=NOW, policy=OPEN
            )
    state = group.serialize()
    for position in range(len(offer)):
        damaged = bytearray(offer)
        damaged[position] ^= 1 << (position % 8)
        with pytest.raises(CryptoError):
            group.commit([Add(KeyPackage.from_message(bytes(damaged)))], now=NOW)
    assert group.serialize() == state


@settings(deadline=None)
@given(schedule=st.lists(st.integers(0, 9), max_size=40))
def test_lost_repeated_and_reordered_messages(schedule: list[int]) -> None:
    receiver = Group.restore(LISTENER, RANDOMNESS, OPEN)
    heard: set[int] = set()
    for number in schedule:
        if number in heard:
            state = receiver.serialize()
            with pytest.raises(KeyUnavailable):
                receiver.decrypt(SPOKEN[number])
            assert receiver.serialize() == state
        else:
            heard.add(number)
            result = receiver.process(SPOKEN[number], now=NOW)
            assert isinstance(result, ApplicationMessage)
            assert (result.data, result.generation) == (b"number %d" % number, number)


def _speech() -> tuple[bytes, list[bytes]]:
    alice, bob = gather(people(2))
    return bob.serialize(), [alice.encrypt(b"number %d" % number) for number in range(10)]


LISTENER, SPOKEN = _speech()
