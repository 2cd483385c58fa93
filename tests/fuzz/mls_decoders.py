"""What `crypto.mls` reads: messages, trees, stored state, and the parts inside of encrypted or signed messages.

The parts are listed by themselves because a mutated message never gets past its signature, but a member who means
harm signs whatever it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from crypto.errors import CryptoError, DecodeError
from crypto.identity import IdentityKeyPair
from crypto.mls import (
    Add,
    BasicCredential,
    CipherSuite,
    CommitBundle,
    Extension,
    ExternalSender,
    Group,
    GroupPolicy,
    IdentityCredential,
    InvalidCredential,
    KeyPackage,
    KeyPackageBundle,
    KeyPackageStore,
    KnownDevices,
    Lifetime,
    Psks,
    PublishedKeyPackages,
    Remove,
    RequiredCapabilities,
    SignatureKeyPair,
    StagedCommit,
    TrustOnPresentation,
    WireFormat,
    X509Credential,
    external_senders_extension,
)
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.codec import Reader, decode_exactly
from crypto.mls.credentials import decode_credential
from crypto.mls.errors import MlsError
from crypto.mls.extensions import external_pub, external_senders
from crypto.mls.framing import AuthenticatedContent
from crypto.mls.messages import decode_message
from crypto.mls.proposals import Commit, decode_proposal, encode_proposal
from crypto.mls.public_message import PublicMessage
from crypto.mls.public_state import decode_proposal_content
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.state import decode_group
from crypto.mls.welcome import GroupInfo, GroupSecrets, Welcome
from tests.fuzz.decoder import RNG, Decoder

NOW = 1_000_000
SUITE = CipherSuite.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519
LIFETIME = Lifetime(NOW - 1000, NOW + 1000)
POLICY = GroupPolicy(TrustOnPresentation(), allow_external_commits=True)
IDENTITY = IdentityKeyPair.generate(RNG)
SECRETS = Psks(external={b"psk": b"secret"})


def _bundle(name: bytes) -> KeyPackageBundle:
    signer = SignatureKeyPair.generate(SUITE, RNG)
    return KeyPackageBundle.generate(SUITE, BasicCredential(name), signer, LIFETIME, RNG)


def _known_devices() -> bytes:
    known = KnownDevices()
    for number in range(3):
        known.add("alice", number, IDENTITY.public)
    return known.serialize()


def _content(message: bytes) -> bytes:
    public = decode_message(message)
    assert isinstance(public, PublicMessage)
    return public.content.encode()


def _part(decode: Callable[[Reader], object]) -> Callable[[bytes], object]:
    return lambda data: decode_exactly(data, decode)


def mls_decoders() -> Iterator[tuple[str, Decoder]]:
    """All entries, from the life of one small group."""
    crypto = suite_crypto(SUITE)
    signer = SignatureKeyPair.generate(SUITE, RNG)
    sender = ExternalSender(signer.public_key, BasicCredential(b"server"))
    required = RequiredCapabilities(credential_types=(1,))
    alice = Group.create(
        SUITE,
        b"group",
        BasicCredential(b"alice"),
        signer,
        LIFETIME,
        RNG,
        policy=POLICY,
        extensions=(required.extension(), external_senders_extension([sender])),
    )
    bundles = [_bundle(name) for name in (b"bob", b"carol", b"dave")]
    added = alice.commit(
        [Add(bundle.key_package) for bundle in bundles[:2]], now=NOW, tree_in_welcome=False, group_info=True
    )
    alice.apply(added)
    assert added.welcome is not None
    assert added.group_info is not None
    tree = alice.ratchet_tree()
    bob = Group.join(added.welcome, bundles[0], RNG, now=NOW, ratchet_tree=tree, policy=POLICY)
    first = alice.commit(now=NOW)
    alice.apply(first)
    staged = bob.process(first.message, now=NOW)
    assert isinstance(staged, StagedCommit)
    bob.apply(staged)
    application = alice.encrypt(b"content", padding=16)
    skipped = [alice.encrypt(b"another") for _ in range(2)]
    bob.process(skipped[1], now=NOW)
    before_proposals = bob.serialize()
    update = alice.propose_update(now=NOW)
    psk = alice.propose_psk(b"psk", wire_format=WireFormat.PRIVATE_MESSAGE)
    bob.process(update, now=NOW)
    bob.process(psk, now=NOW)
    removal = bob.commit([Add(bundles[2].key_package), Remove(2)], now=NOW, psks=SECRETS)
    waiting = bob.serialize()
    info = alice.group_info()
    joined = Group.external_join(
        info, BasicCredential(b"eve"), SignatureKeyPair.generate(SUITE, RNG), RNG, now=NOW, policy=POLICY
    )

    yield (
        "crypto.mls.messages.decode_message",
        Decoder(
            decode_message,
            (update, psk, removal.message, application, added.welcome, info, bundles[0].message(), joined.message),
        ),
    )
    yield (
        "crypto.mls.key_package.KeyPackage.from_message",
        Decoder(KeyPackage.from_message, (bundles[0].message(),)),
    )
    yield (
        "crypto.mls.ratchet_tree.RatchetTree.decode",
        Decoder(lambda data: RatchetTree.decode(crypto, data), (tree, alice.ratchet_tree())),
    )
    yield (
        "crypto.mls.key_package.KeyPackageBundle.restore",
        Decoder(KeyPackageBundle.restore, (bundles[0].serialize(),)),
    )
    states = (before_proposals, waiting, alice.serialize())
    yield "crypto.mls.group.Group.restore", Decoder(lambda data: Group.restore(data, RNG, POLICY), states)
    yield "crypto.mls.state.decode_group", Decoder(lambda data: decode_group(data, POLICY), states)
    yield (
        "crypto.mls.bundles.CommitBundle.restore",
        Decoder(lambda data: CommitBundle.restore(data, POLICY), (removal.serialize(), added.serialize())),
    )
    keys = KeyPackageStore()
    last_resort = KeyPackageBundle.generate(
        SUITE, BasicCredential(b"bob"), SignatureKeyPair.generate(SUITE, RNG), LIFETIME, RNG, last_resort=True
    )
    published = PublishedKeyPackages.of((keys.add(bundles[0]), keys.add(last_resort)))
    keys.join(added.welcome, RNG, now=NOW, ratchet_tree=tree, policy=POLICY)
    yield (
        "crypto.mls.key_package_store.KeyPackageStore.restore",
        Decoder(KeyPackageStore.restore, (keys.serialize(),)),
    )
    yield (
        "crypto.mls.key_package_store.PublishedKeyPackages.decode",
        Decoder(PublishedKeyPackages.decode, (published.encode(),)),
    )
    yield "crypto.mls.public_state.decode_proposal_content", Decoder(decode_proposal_content, (_content(update),))
    yield "crypto.mls.known_devices.KnownDevices.restore", Decoder(KnownDevices.restore, (_known_devices(),))
    statement = IdentityCredential.issue(IDENTITY, "alice", 1, signer.public_key, LIFETIME, RNG).credential()
    yield (
        "crypto.mls.identity_credential.IdentityCredential.of",
        Decoder(lambda data: IdentityCredential.of(BasicCredential(data)), (statement.identity,), (InvalidCredential,)),
    )
    yield from _parts(added.welcome, info, (update, removal.message), sender, required)
    messages = (update, psk, application, skipped[0], joined.message)
    yield from _receivers(before_proposals, messages, added, bundles[0], info)


def _parts(
    welcome: bytes, info: bytes, public: tuple[bytes, ...], sender: ExternalSender, required: RequiredCapabilities
) -> Iterator[tuple[str, Decoder]]:
    contents: list[Any] = [decode_message(message) for message in public]
    proposal, commit = (message.content.framed.content for message in contents)
    group_info = decode_message(info)
    opened = decode_message(welcome)
    assert isinstance(group_info, GroupInfo)
    assert isinstance(opened, Welcome)
    yield "Commit", Decoder(_part(Commit.decode), (commit.encode(),))
    yield (
        "Proposal",
        Decoder(
            _part(decode_proposal),
            tuple(encode_proposal(item) for item in (proposal, *commit.proposals) if not isinstance(item, bytes)),
        ),
    )
    yield "AuthenticatedContent", Decoder(_part(AuthenticatedContent.decode), (contents[1].content.encode(),))
    yield "GroupInfo", Decoder(_part(GroupInfo.decode), (group_info.encode(),))
    yield "GroupSecrets", Decoder(_part(GroupSecrets.decode), (GroupSecrets(bytes(32), bytes(32), ()).encode(),))
    certificates = X509Credential((b"certificate", b"issuer"))
    yield (
        "Credential",
        Decoder(_part(decode_credential), (BasicCredential(b"name").encode(), certificates.encode())),
    )
    yield (
        "required_capabilities",
        Decoder(_part(RequiredCapabilities.decode), (required.extension().data,)),
    )
    yield (
        "external_senders",
        Decoder(lambda data: external_senders([Extension(5, data)]), (external_senders_extension([sender]).data,)),
    )
    yield "external_pub", Decoder(lambda data: external_pub([Extension(4, data)]), (b"\x20" + bytes(32),))


def _receivers(
    state: bytes, messages: tuple[bytes, ...], added: CommitBundle, bundle: KeyPackageBundle, info: bytes
) -> Iterator[tuple[str, Decoder]]:
    refusals: tuple[type[CryptoError], ...] = (MlsError, DecodeError)
    assert added.welcome is not None
    tree = added.ratchet_tree
    yield (
        "Group.process",
        Decoder(lambda data: Group.restore(state, RNG, POLICY).process(data, now=NOW), messages, refusals),
    )
    yield (
        "Group.join, Welcome",
        Decoder(
            lambda data: Group.join(data, bundle, RNG, now=NOW, ratchet_tree=tree, policy=POLICY),
            (added.welcome,),
            refusals,
        ),
    )
    yield (
        "Group.join, tree",
        Decoder(
            lambda data: Group.join(added.welcome or b"", bundle, RNG, now=NOW, ratchet_tree=data, policy=POLICY),
            (tree,),
            refusals,
        ),
    )
    joiner = SignatureKeyPair.generate(SUITE, RNG)
    yield (
        "Group.external_join",
        Decoder(
            lambda data: Group.external_join(data, BasicCredential(b"frank"), joiner, RNG, now=NOW, policy=POLICY),
            (info,),
            refusals,
        ),
    )
