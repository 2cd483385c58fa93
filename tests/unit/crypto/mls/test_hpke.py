"""HPKE against the one of the `cryptography` package, and its exporter and key checks by themselves."""

import pytest
from cryptography.hazmat.primitives import hpke as oracle
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.mls import CipherSuite, DecryptionFailed, InvalidInput
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.hpke import Ciphertext
from crypto.mls.kem import _SMALL_ORDER_X448, _SMALL_ORDER_X25519, X448, X25519, Dhkem
from crypto.randomness import SeededRandomness

RANDOMNESS = SeededRandomness(b"hpke")
ALL_SUITES = pytest.mark.parametrize("suite", list(CipherSuite), ids=lambda suite: f"suite{int(suite)}")

ORACLES = {
    CipherSuite.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519: (
        oracle.Suite(oracle.KEM.X25519, oracle.KDF.HKDF_SHA256, oracle.AEAD.AES_128_GCM),
        None,
    ),
    CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256: (
        oracle.Suite(oracle.KEM.P256, oracle.KDF.HKDF_SHA256, oracle.AEAD.AES_128_GCM),
        ec.SECP256R1(),
    ),
    CipherSuite.MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519: (
        oracle.Suite(oracle.KEM.X25519, oracle.KDF.HKDF_SHA256, oracle.AEAD.CHACHA20_POLY1305),
        None,
    ),
    CipherSuite.MLS_256_DHKEMP521_AES256GCM_SHA512_P521: (
        oracle.Suite(oracle.KEM.P521, oracle.KDF.HKDF_SHA512, oracle.AEAD.AES_256_GCM),
        ec.SECP521R1(),
    ),
    CipherSuite.MLS_256_DHKEMP384_AES256GCM_SHA384_P384: (
        oracle.Suite(oracle.KEM.P384, oracle.KDF.HKDF_SHA384, oracle.AEAD.AES_256_GCM),
        ec.SECP384R1(),
    ),
}


@pytest.mark.parametrize("suite", list(ORACLES), ids=lambda suite: f"suite{int(suite)}")
def test_seal_and_open_agree_with_cryptography(suite: CipherSuite) -> None:
    crypto = suite_crypto(suite)
    private_key, public_key = crypto.kem.generate_key_pair(RANDOMNESS)
    peer, curve = ORACLES[suite]
    theirs: x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey
    if curve is None:
        theirs = x25519.X25519PrivateKey.from_private_bytes(private_key)
    else:
        theirs = ec.derive_private_key(int.from_bytes(private_key, "big"), curve)
    sealed = peer.encrypt(b"to us", theirs.public_key(), b"info")
    split = Ciphertext(sealed[: crypto.kem.public_size], sealed[crypto.kem.public_size :])
    assert crypto.hpke.open(private_key, crypto.hpke.context(b"info"), split) == b"to us"
    own = crypto.hpke.seal(public_key, crypto.hpke.context(b"info"), b"to them", RANDOMNESS)
    assert peer.decrypt(own.kem_output + own.ciphertext, theirs, b"info") == b"to them"


@ALL_SUITES
def test_both_sides_export_the_same_secret(suite: CipherSuite) -> None:
    crypto = suite_crypto(suite)
    private_key, public_key = crypto.kem.generate_key_pair(RANDOMNESS)
    output, secret = crypto.hpke.send_export(public_key, b"label", 40, RANDOMNESS)
    assert len(secret) == 40
    assert crypto.hpke.receive_export(output, private_key, b"label", 40) == secret
    assert crypto.hpke.receive_export(output, private_key, b"other", 40) != secret


@ALL_SUITES
def test_invalid_keys_and_ciphertexts(suite: CipherSuite) -> None:
    crypto = suite_crypto(suite)
    private_key, public_key = crypto.kem.generate_key_pair(RANDOMNESS)
    context = crypto.encryption_context("test", b"")
    sealed = crypto.seal(public_key, context, b"x", RANDOMNESS)
    crypto.kem.check_public_key(public_key)
    for bad in (b"", public_key[:-1], bytes(len(public_key)), public_key + b"\0"):
        with pytest.raises(InvalidInput):
            crypto.kem.check_public_key(bad)
        with pytest.raises(InvalidInput):
            crypto.seal(bad, context, b"x", RANDOMNESS)
        with pytest.raises(DecryptionFailed):
            crypto.open(private_key, context, Ciphertext(bad, sealed.ciphertext))
    for broken in (b"", sealed.ciphertext[:-1], b"\0" * len(sealed.ciphertext)):
        with pytest.raises(DecryptionFailed):
            crypto.open(private_key, context, Ciphertext(sealed.kem_output, broken))
    other, _ = crypto.kem.generate_key_pair(RANDOMNESS)
    with pytest.raises(DecryptionFailed):
        crypto.open(other, context, sealed)
    with pytest.raises(InvalidInput):
        crypto.signature.load(b"\0")


def test_keys_differ_from_call_to_call_and_follow_from_the_seed() -> None:
    crypto = suite_crypto(CipherSuite.MLS_256_DHKEMP521_AES256GCM_SHA512_P521)
    once, again = SeededRandomness(b"seed"), SeededRandomness(b"seed")
    first, second = crypto.kem.generate_key_pair(once), crypto.kem.generate_key_pair(once)
    assert first != second
    assert crypto.kem.generate_key_pair(again) == first
    assert crypto.aead.implementation is AESGCM


@pytest.mark.parametrize(("kem", "points"), [(X25519, _SMALL_ORDER_X25519), (X448, _SMALL_ORDER_X448)])
def test_points_of_small_order_are_refused_as_the_libraries_refuse_them(kem: Dhkem, points: frozenset[bytes]) -> None:
    for point in points:
        with pytest.raises(InvalidInput):
            kem.check_public_key(point)
        with pytest.raises(InvalidInput):
            kem.encapsulate(point, RANDOMNESS)
    with pytest.raises(InvalidInput):
        X25519.check_public_key(bytes(31) + b"\x80")
