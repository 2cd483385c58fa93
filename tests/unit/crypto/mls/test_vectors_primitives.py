"""Vectors for everything below the group: codec, tree math, suites, key schedule, secret tree, framing."""

from collections.abc import Callable

from crypto.mls import tree_math
from crypto.mls.codec import Reader, decode_exactly, length_header
from crypto.mls.framing import AuthenticatedContent, Content, FramedContent, Sender, WireFormat
from crypto.mls.group_context import GroupContext
from crypto.mls.hpke import Ciphertext
from crypto.mls.key_package import KeyPackage
from crypto.mls.key_schedule import JoinerSecrets
from crypto.mls.messages import decode_message, encode_message
from crypto.mls.private_message import (
    PrivateMessage,
    open_sender_data,
    protect_private,
    sender_data_key,
    unprotect_private,
)
from crypto.mls.proposals import (
    Add,
    Commit,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
    decode_proposal,
)
from crypto.mls.psk import ExternalPskId, Psks, psk_secret
from crypto.mls.public_message import PublicMessage, protect_public, unprotect_public
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.secret_tree import RatchetKind, SecretTree
from crypto.mls.transcript import confirmation_tag, confirmed_transcript_hash, interim_transcript_hash
from crypto.mls.welcome import GroupSecrets, Welcome
from crypto.randomness import SeededRandomness
from tests.unit.crypto.mls.vectors import INDEX, Case, crypto_of, each_case, load, unhex

RANDOMNESS = SeededRandomness(b"vectors")


def test_the_index_names_every_case_of_every_file() -> None:
    for name, suites in INDEX.items():
        assert [case.get("cipher_suite", 0) for case in load(name)] == suites


@each_case("deserialization")
def test_length_headers(vector: Case) -> None:
    header = unhex(vector["vlbytes_header"])
    assert decode_exactly(header, Reader.length) == vector["length"]
    assert length_header(vector["length"]) == header


@each_case("tree-math")
def test_tree_math(vector: Case) -> None:
    leaves = vector["n_leaves"]
    assert tree_math.node_width(leaves) == vector["n_nodes"]
    assert tree_math.root(leaves) == vector["root"]
    for node in range(vector["n_nodes"]):
        is_leaf = tree_math.level(node) == 0
        assert vector["left"][node] == (None if is_leaf else tree_math.left(node))
        assert vector["right"][node] == (None if is_leaf else tree_math.right(node))
        is_root = node == vector["root"]
        assert vector["parent"][node] == (None if is_root else tree_math.parent(node))
        assert vector["sibling"][node] == (None if is_root else tree_math.sibling(node))


@each_case("crypto-basics")
def test_crypto_basics(vector: Case) -> None:
    crypto = crypto_of(vector)
    v = vector["ref_hash"]
    assert crypto.ref_hash(v["label"], unhex(v["value"])).hex() == v["out"]
    v = vector["expand_with_label"]
    expanded = crypto.expand_with_label(unhex(v["secret"]), v["label"], unhex(v["context"]), v["length"])
    assert expanded.hex() == v["out"]
    v = vector["derive_secret"]
    assert crypto.derive_secret(unhex(v["secret"]), v["label"]).hex() == v["out"]
    v = vector["derive_tree_secret"]
    derived = crypto.derive_tree_secret(unhex(v["secret"]), v["label"], v["generation"], v["length"])
    assert derived.hex() == v["out"]
    v = vector["sign_with_label"]
    content, public_key = unhex(v["content"]), unhex(v["pub"])
    crypto.verify_with_label(public_key, v["label"], content, unhex(v["signature"]))
    key = crypto.signature.load(unhex(v["priv"]))
    assert key.public_key == public_key
    crypto.verify_with_label(public_key, v["label"], content, crypto.sign_with_label(key, v["label"], content))
    v = vector["encrypt_with_label"]
    context = crypto.encryption_context(v["label"], unhex(v["context"]))
    given = Ciphertext(unhex(v["kem_output"]), unhex(v["ciphertext"]))
    assert crypto.open(unhex(v["priv"]), context, given).hex() == v["plaintext"]
    own = crypto.seal(unhex(v["pub"]), context, unhex(v["plaintext"]), RANDOMNESS)
    assert crypto.open(unhex(v["priv"]), context, own).hex() == v["plaintext"]


@each_case("key-schedule")
def test_key_schedule(vector: Case) -> None:
    crypto = crypto_of(vector)
    init_secret = unhex(vector["initial_init_secret"])
    for number, v in enumerate(vector["epochs"]):
        context = GroupContext(
            crypto.suite,
            unhex(vector["group_id"]),
            number,
            unhex(v["tree_hash"]),
            unhex(v["confirmed_transcript_hash"]),
            (),
        )
        assert context.encoded.hex() == v["group_context"]
        joiner = JoinerSecrets.from_commit(
            crypto, init_secret, unhex(v["commit_secret"]), unhex(v["psk_secret"]), context
        )
        assert (joiner.joiner.hex(), joiner.welcome.hex()) == (v["joiner_secret"], v["welcome_secret"])
        secrets = joiner.epoch(crypto, context)
        assert secrets.init.hex() == v["init_secret"]
        assert secrets.sender_data.hex() == v["sender_data_secret"]
        assert secrets.encryption.hex() == v["encryption_secret"]
        assert secrets.exporter.hex() == v["exporter_secret"]
        assert secrets.epoch_authenticator.hex() == v["epoch_authenticator"]
        assert secrets.external.hex() == v["external_secret"]
        assert secrets.confirmation_key.hex() == v["confirmation_key"]
        assert secrets.membership_key.hex() == v["membership_key"]
        assert secrets.resumption_psk.hex() == v["resumption_psk"]
        assert secrets.external_key_pair(crypto)[1].hex() == v["external_pub"]
        export = v["exporter"]
        exported = secrets.export(crypto, export["label"], unhex(export["context"]), export["length"])
        assert exported.hex() == export["secret"]
        init_secret = secrets.init


@each_case("psk_secret")
def test_psk_secret(vector: Case) -> None:
    ids = [ExternalPskId(unhex(psk["psk_id"]), unhex(psk["psk_nonce"])) for psk in vector["psks"]]
    psks = Psks({unhex(psk["psk_id"]): unhex(psk["psk"]) for psk in vector["psks"]})
    assert psk_secret(crypto_of(vector), ids, psks).hex() == vector["psk_secret"]


@each_case("secret-tree")
def test_secret_tree(vector: Case) -> None:
    crypto = crypto_of(vector)
    v = vector["sender_data"]
    key, nonce = sender_data_key(crypto, unhex(v["sender_data_secret"]), unhex(v["ciphertext"]))
    assert (key.hex(), nonce.hex()) == (v["key"], v["nonce"])
    tree = SecretTree(crypto, len(vector["leaves"]), unhex(vector["encryption_secret"]))
    for leaf, generations in enumerate(vector["leaves"]):
        for v in generations:
            for kind, name in ((RatchetKind.HANDSHAKE, "handshake"), (RatchetKind.APPLICATION, "application")):
                lookup = tree.look_up(leaf, kind, v["generation"])
                tree.consume(lookup)
                assert lookup.message_key.key.hex() == v[f"{name}_key"]
                assert lookup.message_key.nonce.hex() == v[f"{name}_nonce"]


@each_case("message-protection")
def test_message_protection(vector: Case) -> None:
    crypto = crypto_of(vector)
    context = GroupContext(
        crypto.suite,
        unhex(vector["group_id"]),
        vector["epoch"],
        unhex(vector["tree_hash"]),
        unhex(vector["confirmed_transcript_hash"]),
        (),
    )
    signer = crypto.signature.load(unhex(vector["signature_priv"]))
    membership_key, sender_data = unhex(vector["membership_key"]), unhex(vector["sender_data_secret"])
    contents: dict[str, Content] = {
        "proposal": decode_exactly(unhex(vector["proposal"]), decode_proposal),
        "commit": decode_exactly(unhex(vector["commit"]), Commit.decode),
        "application": unhex(vector["application"]),
    }

    def unprotect(data: bytes) -> AuthenticatedContent:
        message = decode_message(data)
        if isinstance(message, PublicMessage):
            content = unprotect_public(crypto, message, context, membership_key)
        else:
            assert isinstance(message, PrivateMessage)
            secret_tree = SecretTree(crypto, 2, unhex(vector["encryption_secret"]))
            content, _ = unprotect_private(crypto, message, secret_tree, open_sender_data(crypto, message, sender_data))
        content.verify(crypto, context, unhex(vector["signature_pub"]))
        return content

    for name, content in contents.items():
        framed = FramedContent(context.group_id, context.epoch, Sender.member(1), b"data", content)

        def signed(wire_format: WireFormat, framed: FramedContent = framed) -> AuthenticatedContent:
            made = AuthenticatedContent.sign(crypto, wire_format, framed, context, signer)
            return made.confirmed(b"tag") if isinstance(framed.content, Commit) else made

        assert unprotect(unhex(vector[f"{name}_priv"])).framed.content == content
        secret_tree = SecretTree(crypto, 2, unhex(vector["encryption_secret"]))
        private = protect_private(
            crypto, signed(WireFormat.PRIVATE_MESSAGE), secret_tree, sender_data, RANDOMNESS, padding=9
        )
        assert unprotect(encode_message(private)).framed == framed
        if name == "application":
            continue
        assert unprotect(unhex(vector[f"{name}_pub"])).framed.content == content
        public = protect_public(crypto, signed(WireFormat.PUBLIC_MESSAGE), context, membership_key)
        assert unprotect(encode_message(public)).framed == framed


@each_case("transcript-hashes")
def test_transcript_hashes(vector: Case) -> None:
    crypto = crypto_of(vector)
    commit = decode_exactly(unhex(vector["authenticated_content"]), AuthenticatedContent.decode)
    confirmed = confirmed_transcript_hash(crypto, unhex(vector["interim_transcript_hash_before"]), commit)
    assert confirmed.hex() == vector["confirmed_transcript_hash_after"]
    tag = confirmation_tag(crypto, unhex(vector["confirmation_key"]), confirmed)
    assert tag == commit.confirmation_tag
    interim = interim_transcript_hash(crypto, confirmed, tag)
    assert interim.hex() == vector["interim_transcript_hash_after"]


@each_case("welcome")
def test_welcome(vector: Case) -> None:
    crypto = crypto_of(vector)
    package = KeyPackage.from_message(unhex(vector["key_package"]))
    welcome = decode_message(unhex(vector["welcome"]))
    assert isinstance(welcome, Welcome)
    secrets = welcome.open_secrets(crypto, package.reference(), unhex(vector["init_priv"]))
    joiner = JoinerSecrets.from_joiner(crypto, secrets.joiner_secret, psk_secret(crypto, secrets.psks, Psks()))
    info = welcome.open_group_info(crypto, *joiner.welcome_key(crypto))
    info.verify(crypto, unhex(vector["signer_pub"]))
    key = joiner.epoch(crypto, info.group_context).confirmation_key
    assert confirmation_tag(crypto, key, info.group_context.confirmed_transcript_hash) == info.confirmation_tag


@each_case("messages")
def test_messages(vector: Case) -> None:
    bodies: dict[str, Callable[[Reader], Proposal]] = {
        "add_proposal": Add.decode_body,
        "update_proposal": Update.decode_body,
        "remove_proposal": Remove.decode_body,
        "pre_shared_key_proposal": PreSharedKey.decode_body,
        "re_init_proposal": ReInit.decode_body,
        "external_init_proposal": ExternalInit.decode_body,
        "group_context_extensions_proposal": GroupContextExtensions.decode_body,
    }
    any_suite = crypto_of({"cipher_suite": 1})
    for name, text in vector.items():
        data = unhex(text)
        if name in bodies:
            proposal = decode_exactly(data, bodies[name])
            assert proposal.encode_body() == data
        elif name == "ratchet_tree":
            assert RatchetTree.decode(any_suite, data).encode() == data
        elif name == "group_secrets":
            assert decode_exactly(data, GroupSecrets.decode).encode() == data
        elif name == "commit":
            assert decode_exactly(data, Commit.decode).encode() == data
        else:
            assert encode_message(decode_message(data)) == data
