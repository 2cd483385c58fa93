"""Prekeys: single use, rotation, the last resort, replays, stored state; and the hybrid agreement."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.handshake import (
    HandshakeError,
    HandshakeVersion,
    InitialHeader,
    InvalidBundle,
    KemPreKey,
    OneTimePreKey,
    PreKeyBundle,
    PreKeyStore,
    PublishedPreKeys,
    ReplayedHandshake,
    UnknownPreKey,
    initiate,
    kem,
    prekey_store,
    respond,
)
from crypto.identity import IdentityKeyPair
from crypto.randomness import SeededRandomness, SystemRandomness

RANDOM = SystemRandomness()
GOLDEN = Path(__file__).parents[3] / "vectors" / "handshake" / "prekey-store-1.json"
DAY = 86_400

Device = tuple[IdentityKeyPair, PreKeyStore, PublishedPreKeys]


def device(one_time: int = 2) -> Device:
    identity = IdentityKeyPair.generate(RANDOM)
    store = PreKeyStore(identity)
    store.rotate(0, RANDOM)
    return identity, store, store.publish(*store.replenish(one_time, RANDOM))


ADA = IdentityKeyPair.generate(RANDOM)


def test_both_sides_agree_and_the_default_is_hybrid() -> None:
    identity, store, published = device()
    bundle, _ = published.take_bundle()
    ours = initiate(ADA, bundle, RANDOM, context=b"context")
    theirs = respond(identity, store, InitialHeader.decode(ours.header.encode()), context=b"context")
    assert ours.header.version is HandshakeVersion.HYBRID
    assert ours.shared_secret == theirs.shared_secret
    assert ours.associated_data == theirs.associated_data
    assert ours.associated_data.startswith(ADA.public.encode() + identity.public.encode())
    assert ours.associated_data.endswith(b"context")


def test_no_two_agreements_are_alike() -> None:
    _, _, published = device(0)
    bundle, _ = published.take_bundle()
    assert len({initiate(ADA, bundle, RANDOM).shared_secret for _ in range(5)}) == 5


def test_the_secret_depends_on_the_diffie_hellman_part_and_on_the_kem_part() -> None:
    identity, store, published = device()
    bundle, _ = published.take_bundle()
    agreement = initiate(ADA, bundle, RANDOM)
    assert agreement.header.kem_ciphertext is not None
    ciphertext = bytearray(agreement.header.kem_ciphertext)
    ciphertext[0] ^= 1
    other_ephemeral = initiate(ADA, bundle, RANDOM).header.ephemeral
    for altered in (
        replace(agreement.header, kem_ciphertext=bytes(ciphertext)),
        replace(agreement.header, ephemeral=other_ephemeral),
        replace(agreement.header, one_time_id=None),
    ):
        assert respond(identity, store, altered).shared_secret != agreement.shared_secret


def test_stripping_the_kem_does_not_give_the_same_secret() -> None:
    identity, store, published = device()
    agreement = initiate(ADA, published.take_bundle()[0], RANDOM)
    stripped = replace(agreement.header, version=HandshakeVersion.X3DH, kem_id=None, kem_ciphertext=None)
    answer = respond(identity, store, stripped, accept_classical=True)
    assert answer.shared_secret != agreement.shared_secret


def test_the_kem_is_ml_kem_768() -> None:
    """Against the library's own key generation; its lengths are those of FIPS 203, table 3."""
    private = MLKEM768PrivateKey.generate()
    seed = private.private_bytes_raw()
    assert kem.public_key(seed) == private.public_key().public_bytes_raw()
    secret, ciphertext = kem.encapsulate(kem.public_key(seed))
    assert private.decapsulate(ciphertext) == secret == kem.decapsulate(seed, ciphertext)
    assert (len(kem.public_key(seed)), len(ciphertext), len(secret)) == (1184, 1088, 32)


def test_the_server_hands_out_each_one_time_key_once_and_then_the_last_resort() -> None:
    _, _, published = device(2)
    bundles = []
    for _ in range(4):
        bundle, published = published.take_bundle()
        bundle.verify()
        bundles.append(bundle)
    handed_out = [bundle.one_time for bundle in bundles]
    assert handed_out[2:] == [None, None]
    assert len(set(handed_out[:2])) == 2
    kems = [bundle.kem for bundle in bundles]
    assert [key.last_resort for key in kems if key] == [False, False, True, True]
    assert kems[2] == kems[3]


def test_a_one_time_key_answers_once() -> None:
    identity, store, published = device()
    bundle, _ = published.take_bundle()
    agreement, second = initiate(ADA, bundle, RANDOM), initiate(ADA, bundle, RANDOM)
    respond(identity, store, agreement.header)
    respond(identity, store, agreement.header)  # nothing is used up before a message was read
    store.consume(agreement.header)
    for header in (agreement.header, second.header):
        with pytest.raises(UnknownPreKey):
            respond(identity, store, header)


def test_used_keys_are_gone_from_the_stored_state() -> None:
    _, store, published = device(1)
    agreement = initiate(ADA, published.take_bundle()[0], RANDOM)
    private = store.find(agreement.header)
    assert private.one_time is not None
    assert private.kem_seed is not None
    assert private.one_time in store.serialize()
    assert private.kem_seed in store.serialize()
    store.consume(agreement.header)
    assert private.one_time not in store.serialize()
    assert private.kem_seed not in store.serialize()
    store.rotate(DAY, RANDOM)
    store.expire(40 * DAY, 30 * DAY)
    assert private.signed not in store.serialize()


def test_a_handshake_without_one_time_keys_is_answered_once_even_after_a_restart() -> None:
    identity, store, published = device(0)
    agreement = initiate(ADA, published.take_bundle()[0], RANDOM)
    respond(identity, store, agreement.header)
    store.consume(agreement.header)
    store = PreKeyStore.restore(store.serialize(), identity)
    with pytest.raises(ReplayedHandshake):
        respond(identity, store, agreement.header)
    another = initiate(ADA, published.take_bundle()[0], RANDOM)
    assert respond(identity, store, another.header).shared_secret == another.shared_secret


def test_another_encoding_of_the_ephemeral_key_is_no_new_handshake() -> None:
    """X25519 ignores the top bit of a key: with it set, the agreement would be the same under another name."""
    _, _, published = device(0)
    encoded = bytearray(initiate(ADA, published.take_bundle()[0], RANDOM).header.encode())
    encoded[1 + 33 + 31] |= 0x80
    with pytest.raises(DecodeError):
        InitialHeader.decode(bytes(encoded))


def test_a_replaced_signed_prekey_answers_until_it_expires() -> None:
    identity, store, published = device(0)
    late = initiate(ADA, published.take_bundle()[0], RANDOM)
    assert not store.rotation_due(2 * DAY - 1, 2 * DAY)
    assert store.rotation_due(2 * DAY, 2 * DAY)
    store.rotate(2 * DAY, RANDOM)
    assert store.publish().signed != published.signed
    assert store.publish().last_resort != published.last_resort
    store.expire(32 * DAY, 30 * DAY)
    assert respond(identity, store, late.header).shared_secret == late.shared_secret
    store.expire(32 * DAY + 1, 30 * DAY)
    with pytest.raises(UnknownPreKey):
        respond(identity, store, late.header)


def test_the_newest_signed_prekey_does_not_expire() -> None:
    identity, store, published = device(0)
    store.expire(1000 * DAY, 0)
    agreement = initiate(ADA, published.take_bundle()[0], RANDOM)
    assert respond(identity, store, agreement.header).shared_secret == agreement.shared_secret


def test_an_empty_store_is_due_and_publishes_nothing() -> None:
    store = PreKeyStore(ADA)
    assert store.rotation_due(0, DAY)
    with pytest.raises(UnknownPreKey):
        store.publish()


def test_ids_are_not_used_twice() -> None:
    _, store, _ = device(0)
    seen: list[int] = []
    for now in range(3):
        store.rotate(now, RANDOM)
        seen.append(store.publish().signed.id)
        one_time, one_time_kem = store.replenish(2, RANDOM)
        keys: list[OneTimePreKey | KemPreKey] = [*one_time, *one_time_kem]
        seen += [key.id for key in keys]
    assert len(set(seen)) == len(seen)


def test_a_bundle_with_an_altered_or_small_order_key_is_refused() -> None:
    _, _, published = device(1)
    bundle, _ = published.take_bundle()
    assert bundle.kem is not None
    assert bundle.one_time is not None
    for altered in (
        replace(bundle, signed=replace(bundle.signed, public=bytes(32))),
        replace(bundle, signed=replace(bundle.signed, signature=bytes(64))),
        replace(bundle, kem=replace(bundle.kem, public=bundle.kem.public[::-1])),
        replace(bundle, one_time=replace(bundle.one_time, public=bytes(32))),
    ):
        with pytest.raises(InvalidBundle):
            initiate(ADA, altered, RANDOM)


def test_an_upload_with_the_mark_on_the_wrong_key_is_refused() -> None:
    _, _, published = device(1)
    published.verify()
    (one_time,) = published.one_time_kem
    for altered in (
        replace(published, last_resort=replace(published.last_resort, last_resort=False)),
        replace(published, one_time_kem=(replace(one_time, last_resort=True),)),
        replace(published, one_time_kem=(replace(one_time, public=published.last_resort.public),)),
    ):
        with pytest.raises(InvalidBundle):
            altered.verify()


def test_a_signed_kem_key_that_is_none_is_refused() -> None:
    identity, _, published = device(0)
    bundle, _ = published.take_bundle()
    assert bundle.kem is not None
    nonsense = b"\xff" * 1184  # coefficients beyond the modulus (FIPS 203 §7.2)
    signature = identity.sign(kem.encode_public(nonsense), RANDOM)
    with pytest.raises(InvalidBundle):
        initiate(ADA, replace(bundle, kem=replace(bundle.kem, public=nonsense, signature=signature)), RANDOM)


def test_a_store_that_is_only_ever_added_to_can_still_be_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prekey_store, "_MAX_ONE_TIME", 3)
    monkeypatch.setattr(prekey_store, "_MAX_GENERATIONS", 2)
    identity, store, published = device(2)
    oldest = initiate(ADA, published.take_bundle()[0], RANDOM)
    store.replenish(2, RANDOM)
    for now in range(3):
        store.rotate(now, RANDOM)
    store = PreKeyStore.restore(store.serialize(), identity)
    with pytest.raises(UnknownPreKey):
        respond(identity, store, oldest.header)


def test_encodings_are_read_back() -> None:
    _, _, published = device(2)
    assert PublishedPreKeys.decode(published.encode()) == published
    bundle, _ = published.take_bundle()
    for variant in (bundle, replace(bundle, one_time=None), replace(bundle, kem=None)):
        assert PreKeyBundle.decode(variant.encode()) == variant
    for accept in (bundle, replace(bundle, kem=None, one_time=None)):
        header = initiate(ADA, accept, RANDOM, accept_classical=True).header
        assert InitialHeader.decode(header.encode()) == header


DEVICE = device(2)
HEADER = initiate(ADA, DEVICE[2].take_bundle()[0], RANDOM)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_an_altered_header_never_gives_the_secret(data: st.DataObject) -> None:
    identity, store, _ = DEVICE
    altered = bytearray(HEADER.header.encode())
    index = data.draw(st.integers(0, len(altered) - 1))
    altered[index] ^= data.draw(st.integers(1, 255))
    before = store.serialize()
    try:
        answer = respond(identity, store, InitialHeader.decode(bytes(altered)), accept_classical=True)
    except (DecodeError, HandshakeError):
        pass
    else:
        assert answer.shared_secret != HEADER.shared_secret
    assert store.serialize() == before


@pytest.mark.parametrize("kind", [PreKeyBundle, PublishedPreKeys, InitialHeader])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_cut_and_altered_encodings_are_decode_errors_or_valid(
    kind: type[PreKeyBundle | PublishedPreKeys | InitialHeader], data: st.DataObject
) -> None:
    encoded = {
        PreKeyBundle: DEVICE[2].take_bundle()[0].encode(),
        PublishedPreKeys: DEVICE[2].encode(),
        InitialHeader: HEADER.header.encode(),
    }[kind]
    altered = bytearray(encoded)
    altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
    for candidate in (encoded[: data.draw(st.integers(0, len(encoded) - 1))], bytes(altered)):
        try:
            decoded = kind.decode(candidate)
        except DecodeError:
            continue
        assert decoded.encode() == candidate


@cache
def golden_scene() -> dict[str, str]:
    randomness = SeededRandomness(b"prekey store golden file")
    identity = IdentityKeyPair.generate(randomness)
    store = PreKeyStore(identity)
    store.rotate(1_000, randomness)
    published = store.publish()
    store.rotate(2_000, randomness)
    newer = store.publish(*store.replenish(1, randomness))
    without = InitialHeader(
        HandshakeVersion.X3DH, identity.public, bytes(range(32)), published.signed.id, None, None, None
    )
    store.consume(without)
    return {
        "identity": identity.serialize().hex(),
        "store": store.serialize().hex(),
        "published": newer.encode().hex(),
    }


def test_the_golden_state_of_version_1_is_still_written_and_read() -> None:
    golden = json.loads(GOLDEN.read_text())
    secret, header = golden.pop("secret"), InitialHeader.decode(bytes.fromhex(golden.pop("header")))
    assert golden_scene() == golden
    identity = IdentityKeyPair.restore(bytes.fromhex(golden["identity"]))
    store = PreKeyStore.restore(bytes.fromhex(golden["store"]), identity)
    assert store.serialize().hex() == golden["store"]
    assert respond(identity, store, header).shared_secret.hex() == secret


def test_a_newer_or_damaged_store_is_refused() -> None:
    identity, store, _ = device(1)
    state = store.serialize()
    with pytest.raises(UnsupportedStateVersion):
        PreKeyStore.restore(b"\x02" + state[1:], identity)
    for length in range(0, len(state), 7):
        with pytest.raises(DecodeError):
            PreKeyStore.restore(state[:length], identity)
    with pytest.raises(DecodeError):
        PreKeyStore.restore(state + b"\x00", identity)


def test_secrets_are_not_shown() -> None:
    _, store, published = device(1)
    agreement = initiate(ADA, published.take_bundle()[0], RANDOM)
    private = store.find(agreement.header)
    shown = repr(store) + repr(agreement) + repr(private) + repr(store._generations)
    assert private.one_time is not None
    assert private.kem_seed is not None
    for hidden in (agreement.shared_secret, private.signed, private.one_time, private.kem_seed):
        assert repr(hidden) not in shown
        assert hidden.hex() not in shown
