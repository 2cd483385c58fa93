"""Vectors of whole clients: join by Welcome, then follow other implementations' commits."""

from crypto.mls import (
    CipherSuite,
    Group,
    GroupPolicy,
    KeyPackage,
    KeyPackageBundle,
    ProposalReceived,
    Psks,
    SignatureKeyPair,
    TrustOnPresentation,
)
from crypto.randomness import SeededRandomness
from tests.unit.crypto.mls.party import follow
from tests.unit.crypto.mls.vectors import Case, crypto_of, each_case, unhex

POLICY = GroupPolicy(TrustOnPresentation(), max_lifetime=None)  # the vectors' leaves are valid forever


@each_case("passive-client-welcome")
def test_passive_client_welcome(vector: Case) -> None:
    run(vector)


@each_case("passive-client-handling-commit")
def test_passive_client_handling_commit(vector: Case) -> None:
    run(vector)


def run(vector: Case) -> None:
    crypto, package = crypto_of(vector), KeyPackage.from_message(unhex(vector["key_package"]))
    signer = SignatureKeyPair.from_private(CipherSuite(vector["cipher_suite"]), unhex(vector["signature_priv"]))
    # Some of the vectors' scalars come without their leading zeros.
    init, leaf = (
        unhex(vector[name]).rjust(crypto.kem.private_size, b"\0") for name in ("init_priv", "encryption_priv")
    )
    bundle = KeyPackageBundle(package, init, leaf, signer)
    assert crypto.kem.public_key(bundle.init_private_key) == package.init_key
    assert crypto.kem.public_key(bundle.leaf_private_key) == package.leaf_node.encryption_key
    assert signer.public_key == package.leaf_node.signature_key
    psks = Psks({unhex(psk["psk_id"]): unhex(psk["psk"]) for psk in vector["external_psks"]})
    tree = None if vector["ratchet_tree"] is None else unhex(vector["ratchet_tree"])
    randomness = SeededRandomness(b"passive client")
    group = Group.join(unhex(vector["welcome"]), bundle, randomness, now=0, ratchet_tree=tree, psks=psks, policy=POLICY)
    assert group.epoch_authenticator.hex() == vector["initial_epoch_authenticator"]
    for epoch in vector["epochs"]:
        for proposal in epoch["proposals"]:
            assert isinstance(group.process(unhex(proposal), now=0, psks=psks), ProposalReceived)
        group = Group.restore(group.serialize(), randomness, POLICY)
        follow(group, unhex(epoch["commit"]), now=0, psks=psks)
        assert group.epoch_authenticator.hex() == epoch["epoch_authenticator"]
