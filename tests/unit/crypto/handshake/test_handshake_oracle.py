"""The `x3dh` package as the other side: the same secret and associated data, both ways."""

import asyncio
from typing import Any

import pytest
import x3dh as oracle

from crypto import curve25519
from crypto.handshake import (
    ClassicalOnly,
    HandshakeVersion,
    InitialHeader,
    InvalidBundle,
    OneTimePreKey,
    PreKeyBundle,
    PreKeyStore,
    SignedPreKey,
    initiate,
    respond,
)
from crypto.handshake.agreement import INFO
from crypto.identity import IdentityKey, IdentityKeyPair
from crypto.randomness import SystemRandomness

RANDOM = SystemRandomness()
CONTEXT = b"application context"


class Theirs(oracle.BaseState):
    @staticmethod
    def _encode_public_key(key_format: oracle.IdentityKeyFormat, pub: bytes) -> bytes:
        return b"\x05" + pub


def their_state() -> Any:
    state = Theirs.create(
        oracle.IdentityKeyFormat.CURVE_25519,
        oracle.HashFunction.SHA_256,
        INFO[HandshakeVersion.X3DH],
    )
    state.generate_pre_keys(1)
    return state


def our_prekeys() -> tuple[IdentityKeyPair, PreKeyStore, PreKeyBundle]:
    identity = IdentityKeyPair.generate(RANDOM)
    store = PreKeyStore(identity)
    store.rotate(0, RANDOM)
    bundle, _ = store.publish(*store.replenish(1, RANDOM)).take_bundle()
    return identity, store, bundle


@pytest.mark.parametrize("with_one_time", [True, False])
def test_we_initiate(with_one_time: bool) -> None:
    theirs = their_state()
    published = theirs.bundle
    (one_time,) = published.pre_keys
    bundle = PreKeyBundle(
        IdentityKey(published.identity_key),
        SignedPreKey(1, published.signed_pre_key, published.signed_pre_key_sig),
        OneTimePreKey(2, one_time) if with_one_time else None,
        None,
    )
    identity = IdentityKeyPair.generate(RANDOM)
    ours = initiate(identity, bundle, RANDOM, context=CONTEXT, accept_classical=True)
    header = oracle.Header(
        identity.public.public,
        ours.header.ephemeral,
        published.signed_pre_key,
        one_time if with_one_time else None,
    )
    secret, associated_data, _ = asyncio.run(
        theirs.get_shared_secret_passive(header, CONTEXT, require_pre_key=with_one_time)
    )
    assert (ours.shared_secret, ours.associated_data) == (secret, associated_data)


@pytest.mark.parametrize("with_one_time", [True, False])
def test_they_initiate(with_one_time: bool) -> None:
    identity, store, bundle = our_prekeys()
    assert bundle.one_time is not None
    offered = oracle.Bundle(
        identity.public.public,
        bundle.signed.public,
        bundle.signed.signature,
        frozenset({bundle.one_time.public} if with_one_time else ()),
    )
    theirs = their_state()
    secret, associated_data, header = asyncio.run(
        theirs.get_shared_secret_active(offered, CONTEXT, require_pre_key=with_one_time)
    )
    ours = respond(
        identity,
        store,
        InitialHeader(
            HandshakeVersion.X3DH,
            IdentityKey(header.identity_key),
            header.ephemeral_key,
            bundle.signed.id,
            bundle.one_time.id if with_one_time else None,
            None,
            None,
        ),
        context=CONTEXT,
        accept_classical=True,
    )
    assert (ours.shared_secret, ours.associated_data) == (secret, associated_data)
    assert curve25519.public_key(ours.ratchet_key) == bundle.signed.public


def test_both_refuse_a_prekey_signed_by_someone_else() -> None:
    _, _, bundle = our_prekeys()
    mallory = IdentityKeyPair.generate(RANDOM)
    forged = PreKeyBundle(mallory.public, bundle.signed, None, None)
    with pytest.raises(InvalidBundle):
        initiate(IdentityKeyPair.generate(RANDOM), forged, RANDOM, accept_classical=True)
    offered = oracle.Bundle(mallory.public.public, bundle.signed.public, bundle.signed.signature, frozenset())
    with pytest.raises(oracle.KeyAgreementException):
        asyncio.run(their_state().get_shared_secret_active(offered, require_pre_key=False))


def test_x3dh_alone_is_refused_unless_it_was_asked_for() -> None:
    identity, store, bundle = our_prekeys()
    classical = PreKeyBundle(bundle.identity, bundle.signed, bundle.one_time, None)
    initiator = IdentityKeyPair.generate(RANDOM)
    with pytest.raises(ClassicalOnly):
        initiate(initiator, classical, RANDOM)
    agreement = initiate(initiator, classical, RANDOM, accept_classical=True)
    with pytest.raises(ClassicalOnly):
        respond(identity, store, agreement.header)
    answer = respond(identity, store, agreement.header, accept_classical=True)
    assert answer.shared_secret == agreement.shared_secret
