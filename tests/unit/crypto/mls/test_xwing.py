"""X-Wing and the suite that uses it: the draft's vectors, another implementation of HPKE, and whole groups."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hpke as oracle
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from crypto.mls import (
    RFC_SUITES,
    Add,
    CipherSuite,
    DecryptionFailed,
    Group,
    GroupPolicy,
    InvalidInput,
    PublicGroup,
    TrustOnPresentation,
    UnsupportedCipherSuite,
    check_key_package,
)
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.hpke import Ciphertext
from crypto.mls.xwing import XWING, _expand
from crypto.randomness import SeededRandomness
from tests.unit.crypto.mls.party import (
    LIFETIME,
    NOW,
    OPEN,
    Person,
    assert_conversation,
    gather,
    package,
    people,
    settle,
)

SUITE = CipherSuite.MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519
VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "xwing" / "test-vectors.json").read_text())
RANDOMNESS = SeededRandomness(b"xwing")
CLOSED = GroupPolicy(TrustOnPresentation())


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_the_drafts_vectors(vector: dict[str, str]) -> None:
    case = {name: bytes.fromhex(text) for name, text in vector.items()}
    assert case["seed"] == case["sk"]
    assert XWING.public_key(case["sk"]) == case["pk"]
    XWING.check_public_key(case["pk"])
    assert XWING.decapsulate(case["ct"], case["sk"]) == case["ss"]


def test_encapsulation_and_decapsulation_agree() -> None:
    private_key, public_key = XWING.generate_key_pair(RANDOMNESS)
    secret, output = XWING.encapsulate(public_key, RANDOMNESS)
    assert (len(secret), len(output), len(public_key)) == (32, 1120, 1216)
    assert XWING.decapsulate(output, private_key) == secret
    for position in (0, 1087, 1088, 1119):
        forged = bytearray(output)
        forged[position] ^= 1
        assert XWING.decapsulate(bytes(forged), private_key) != secret
    for wrong in (output[:-1], output + b"\0", b"", output[:1088] + bytes(32)):
        with pytest.raises(DecryptionFailed):
            XWING.decapsulate(wrong, private_key)
    for wrong in (
        public_key[:-1],
        public_key + b"\0",
        b"\xff" * 1184 + public_key[1184:],
        public_key[:1184] + bytes(32),
    ):
        with pytest.raises(InvalidInput):
            XWING.check_public_key(wrong)
        with pytest.raises(InvalidInput):
            XWING.encapsulate(wrong, RANDOMNESS)
    for wrong in (private_key[:-1], private_key + b"\0"):
        with pytest.raises(InvalidInput):
            XWING.public_key(wrong)


def test_hpke_agrees_with_cryptography() -> None:
    crypto = suite_crypto(SUITE)
    peer = oracle.Suite(oracle.KEM.MLKEM768_X25519, oracle.KDF.HKDF_SHA384, oracle.AEAD.AES_256_GCM)
    private_key, public_key = crypto.kem.generate_key_pair(RANDOMNESS)
    seed, scalar = _expand(private_key)
    theirs = oracle.MLKEM768X25519PrivateKey(seed, x25519.X25519PrivateKey.from_private_bytes(scalar))
    public = oracle.MLKEM768X25519PublicKey(
        mlkem.MLKEM768PublicKey.from_public_bytes(public_key[:1184]),
        x25519.X25519PublicKey.from_public_bytes(public_key[1184:]),
    )
    sealed = peer.encrypt(b"to us", public, b"info")
    split = Ciphertext(sealed[:1120], sealed[1120:])
    assert crypto.hpke.open(private_key, crypto.hpke.context(b"info"), split) == b"to us"
    own = crypto.hpke.seal(public_key, crypto.hpke.context(b"info"), b"to them", RANDOMNESS)
    assert peer.decrypt(own.kem_output + own.ciphertext, theirs, b"info") == b"to them"


def test_the_suite_is_off_unless_a_policy_allows_it() -> None:
    assert SUITE not in RFC_SUITES
    assert len(RFC_SUITES) == 7
    alice, bob = people(2, SUITE)
    assert SUITE not in Person("x").bundle().key_package.leaf_node.capabilities.cipher_suites
    with pytest.raises(UnsupportedCipherSuite):
        Group.create(SUITE, b"group", alice.credential, alice.signer, LIFETIME, alice.randomness, policy=CLOSED)
    group, bundle = alice.found(), bob.bundle()
    commit = group.commit([Add(package(bundle))], now=NOW)
    assert commit.welcome is not None
    with pytest.raises(UnsupportedCipherSuite):
        Group.join(commit.welcome, bundle, bob.randomness, now=NOW, policy=CLOSED)
    with pytest.raises(UnsupportedCipherSuite):
        Group.external_join(group.group_info(), bob.credential, bob.signer, bob.randomness, now=NOW, policy=CLOSED)
    with pytest.raises(UnsupportedCipherSuite):
        PublicGroup.follow(group.group_info(), now=NOW, policy=CLOSED)
    with pytest.raises(UnsupportedCipherSuite):
        check_key_package(bundle.message(), now=NOW, policy=CLOSED)
    check_key_package(bundle.message(), now=NOW, policy=OPEN)


def test_a_group_with_it_lives_as_others_do() -> None:
    persons = people(5, SUITE)
    groups = gather(persons[:4])
    public = PublicGroup.follow(groups[0].group_info(), now=NOW, policy=OPEN)
    for committer in groups:
        commit = committer.commit(now=NOW)
        public.process(commit.message, now=NOW)
        settle(groups, committer, commit)
        public = PublicGroup.follow(groups[0].group_info(), now=NOW, policy=OPEN)
    stored = Group.restore_parts(groups[1].changes().put, persons[1].randomness, OPEN)
    assert_conversation([groups[0], stored, groups[2]])
