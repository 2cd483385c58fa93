"""Messaging Layer Security (RFC 9420): see API.md while the package is being built."""

from crypto.mls.bundles import CommitBundle, ExternalJoin
from crypto.mls.capabilities import Capabilities
from crypto.mls.cipher_suite import CipherSuite
from crypto.mls.credentials import (
    AuthenticationService,
    BasicCredential,
    Credential,
    TrustOnPresentation,
    X509Credential,
)
from crypto.mls.errors import (
    DecryptionFailed,
    GroupInactive,
    InvalidCommit,
    InvalidCredential,
    InvalidInput,
    InvalidKeyPackage,
    InvalidLeafNode,
    InvalidMessage,
    InvalidProposal,
    InvalidSignature,
    InvalidTree,
    InvalidWelcome,
    KeyUnavailable,
    MissingPsk,
    MlsError,
    ProposalsPending,
    UnknownProposal,
    UnsupportedCipherSuite,
    WrongEpoch,
    WrongGroup,
)
from crypto.mls.extensions import (
    Extension,
    ExtensionType,
    ExternalSender,
    RequiredCapabilities,
    external_senders_extension,
)
from crypto.mls.framing import Sender, SenderType, WireFormat
from crypto.mls.group import Group
from crypto.mls.key_package import KeyPackage, KeyPackageBundle, SignatureKeyPair
from crypto.mls.leaf_node import LeafNode, LeafNodeSource, Lifetime
from crypto.mls.outside import external_proposal, join_request
from crypto.mls.policy import GroupPolicy
from crypto.mls.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from crypto.mls.psk import Psks
from crypto.mls.results import ApplicationMessage, CommitApplied, Member, ProposalReceived

__all__ = [
    "Add",
    "ApplicationMessage",
    "AuthenticationService",
    "BasicCredential",
    "Capabilities",
    "CipherSuite",
    "CommitApplied",
    "CommitBundle",
    "Credential",
    "DecryptionFailed",
    "Extension",
    "ExtensionType",
    "ExternalInit",
    "ExternalJoin",
    "ExternalSender",
    "Group",
    "GroupContextExtensions",
    "GroupInactive",
    "GroupPolicy",
    "InvalidCommit",
    "InvalidCredential",
    "InvalidInput",
    "InvalidKeyPackage",
    "InvalidLeafNode",
    "InvalidMessage",
    "InvalidProposal",
    "InvalidSignature",
    "InvalidTree",
    "InvalidWelcome",
    "KeyPackage",
    "KeyPackageBundle",
    "KeyUnavailable",
    "LeafNode",
    "LeafNodeSource",
    "Lifetime",
    "Member",
    "MissingPsk",
    "MlsError",
    "PreSharedKey",
    "Proposal",
    "ProposalReceived",
    "ProposalsPending",
    "Psks",
    "ReInit",
    "Remove",
    "RequiredCapabilities",
    "Sender",
    "SenderType",
    "SignatureKeyPair",
    "TrustOnPresentation",
    "UnknownProposal",
    "UnsupportedCipherSuite",
    "Update",
    "WireFormat",
    "WrongEpoch",
    "WrongGroup",
    "X509Credential",
    "external_proposal",
    "external_senders_extension",
    "join_request",
]
