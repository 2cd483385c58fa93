"""Proposals from outside of a group (RFC 9420 section 12.1.8)."""

from crypto.mls.cipher_suite import CipherSuite, suite_crypto
from crypto.mls.errors import InvalidProposal
from crypto.mls.framing import AuthenticatedContent, FramedContent, Sender, SenderType, WireFormat
from crypto.mls.key_package import KeyPackageBundle, SignatureKeyPair
from crypto.mls.messages import encode_message
from crypto.mls.proposal_list import EXTERNAL_SENDER_TYPES
from crypto.mls.proposals import Add, Proposal
from crypto.mls.public_message import protect_public


def external_proposal(
    suite: CipherSuite,
    group_id: bytes,
    epoch: int,
    proposal: Proposal,
    sender_index: int,
    signer: SignatureKeyPair,
    authenticated_data: bytes = b"",
) -> bytes:
    """A proposal of the external sender at ``sender_index`` in the group's extension, as an MLSMessage."""
    if proposal.proposal_type not in EXTERNAL_SENDER_TYPES:
        raise InvalidProposal("an external sender may not send this")
    sender = Sender(SenderType.EXTERNAL, sender_index)
    return _message(suite, FramedContent(group_id, epoch, sender, authenticated_data, proposal), signer)


def join_request(
    suite: CipherSuite, group_id: bytes, epoch: int, bundle: KeyPackageBundle, authenticated_data: bytes = b""
) -> bytes:
    """A client's proposal to add itself with its own KeyPackage, as an MLSMessage."""
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    framed = FramedContent(group_id, epoch, sender, authenticated_data, Add(bundle.key_package))
    return _message(suite, framed, bundle.signer)


def _message(suite: CipherSuite, framed: FramedContent, signer: SignatureKeyPair) -> bytes:
    crypto = suite_crypto(suite)
    signed = AuthenticatedContent.sign(crypto, WireFormat.PUBLIC_MESSAGE, framed, None, signer.key)
    return encode_message(protect_public(crypto, signed, None, None))
