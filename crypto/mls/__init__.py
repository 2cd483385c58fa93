"""Messaging Layer Security (RFC 9420): end-to-end encrypted groups, sans-IO.

One :class:`Group` is one member's view of one group. Everything on the wire is ``bytes`` (an encoded MLSMessage,
section 6); randomness is a ``crypto.randomness.Randomness`` given once; the time is an argument ``now``, in seconds
since the Unix epoch, wherever a lifetime is checked. Every failure is a ``crypto.errors.CryptoError`` (bad encodings:
``DecodeError``, stored state of a newer version: ``UnsupportedStateVersion``, the rest: :class:`MlsError` and what
derives from it) and leaves the group as it was.

- Become a member: :meth:`Group.create`, :meth:`KeyPackageStore.join` (with the KeyPackage that a Welcome is for, which
  is then gone), :meth:`Group.external_join`.
- Change the group: ``Group.propose_*`` send a proposal for somebody to commit; :meth:`Group.commit` commits proposals
  by value (:class:`Add`, :class:`Remove`, ``group.psk(...)``, :class:`ReInit`, :class:`GroupContextExtensions`) and the
  pending ones by reference, and returns a :class:`CommitBundle`. It takes effect with :meth:`Group.apply` once the
  delivery service accepted it; drop the bundle and :meth:`Group.process` the other commit if that one won.
- Talk: :meth:`Group.encrypt`, :meth:`Group.decrypt`; :meth:`Group.process` takes any message to the group and returns
  :class:`ProposalReceived`, :class:`StagedCommit` or :class:`ApplicationMessage`. A staged commit shows what it does
  and takes effect with :meth:`Group.apply`.
- Continue a group: :meth:`Group.branch`, :meth:`Group.reinitialize`; the others join with ``previous``.
- From outside: :func:`external_proposal`, :func:`join_request`.
- Store: ``changes`` and ``restore_parts`` of :class:`Group` write little for a message; ``serialize`` and ``restore``
  of :class:`Group`, :class:`CommitBundle`, :class:`KeyPackageStore` and :class:`KnownDevices` write all at once.
- Deliver: :class:`PublicGroup`, :func:`inspect_message`, :func:`check_key_package`, :class:`PublishedKeyPackages`.
- Decide: :class:`GroupPolicy` has the limits, and the :class:`AuthenticationService` that says whose key is whose. It
  is a mandatory argument, and what lets strangers in is off in it unless it is asked for. Its :class:`Authorization`
  says which member may make which change; :class:`RoleAuthorization` knows owners, admins and members.

All seven cipher suites of the RFC are supported, and a post-quantum one of a draft if the policy allows it. Not
supported: proposal types beyond the RFC's seven, credential types other than basic and X.509, and what the RFC leaves
to the application: that a group id is unique among a client's groups, which suite is the best that all invited clients
have in common.
"""

from crypto.mls.authorization import AnyMember, Authorization, Roster
from crypto.mls.bundles import CommitBundle, ExternalJoin
from crypto.mls.capabilities import Capabilities
from crypto.mls.cipher_suite import DEFAULT_SUITE, RFC_SUITES, CipherSuite
from crypto.mls.credentials import (
    AuthenticationService,
    BasicCredential,
    Credential,
    TrustOnPresentation,
    X509Credential,
)
from crypto.mls.errors import (
    DecryptionFailed,
    FutureEpoch,
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
    KeyPackageUsed,
    KeyUnavailable,
    MissingPsk,
    MlsError,
    NotAuthorized,
    OwnCommit,
    OwnMessage,
    PastEpoch,
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
from crypto.mls.framing import ContentType, Sender, SenderType, WireFormat
from crypto.mls.group import Group
from crypto.mls.identity_authentication import IdentityAuthentication
from crypto.mls.identity_credential import IdentityCredential
from crypto.mls.inspection import (
    MessageInfo,
    WelcomeParts,
    check_key_package,
    inspect_message,
    presented_credentials,
    proposed_credentials,
    welcome_for,
    welcome_parts,
    welcome_recipients,
)
from crypto.mls.key_package import KeyPackage, KeyPackageBundle, SignatureKeyPair
from crypto.mls.key_package_store import KeyPackageStore, PublishedKeyPackages
from crypto.mls.known_devices import DeviceDirectory, KnownDevice, KnownDevices
from crypto.mls.leaf_node import LeafNode, LeafNodeSource, Lifetime
from crypto.mls.outside import external_proposal, join_request
from crypto.mls.parts import Changes, Parts
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
from crypto.mls.public_group import PublicCommit, PublicGroup
from crypto.mls.results import (
    ApplicationMessage,
    CommitApplied,
    CommitEffect,
    Member,
    MemberChange,
    ProposalReceived,
)
from crypto.mls.roles import Role, RoleAuthorization, Roles
from crypto.mls.staged_commit import StagedCommit

__all__ = [
    "DEFAULT_SUITE",
    "RFC_SUITES",
    "Add",
    "AnyMember",
    "ApplicationMessage",
    "AuthenticationService",
    "Authorization",
    "BasicCredential",
    "Capabilities",
    "Changes",
    "CipherSuite",
    "CommitApplied",
    "CommitBundle",
    "CommitEffect",
    "ContentType",
    "Credential",
    "DecryptionFailed",
    "DeviceDirectory",
    "Extension",
    "ExtensionType",
    "ExternalInit",
    "ExternalJoin",
    "ExternalSender",
    "FutureEpoch",
    "Group",
    "GroupContextExtensions",
    "GroupInactive",
    "GroupPolicy",
    "IdentityAuthentication",
    "IdentityCredential",
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
    "KeyPackageStore",
    "KeyPackageUsed",
    "KeyUnavailable",
    "KnownDevice",
    "KnownDevices",
    "LeafNode",
    "LeafNodeSource",
    "Lifetime",
    "Member",
    "MemberChange",
    "MessageInfo",
    "MissingPsk",
    "MlsError",
    "NotAuthorized",
    "OwnCommit",
    "OwnMessage",
    "Parts",
    "PastEpoch",
    "PreSharedKey",
    "Proposal",
    "ProposalReceived",
    "ProposalsPending",
    "Psks",
    "PublicCommit",
    "PublicGroup",
    "PublishedKeyPackages",
    "ReInit",
    "Remove",
    "RequiredCapabilities",
    "Role",
    "RoleAuthorization",
    "Roles",
    "Roster",
    "Sender",
    "SenderType",
    "SignatureKeyPair",
    "StagedCommit",
    "TrustOnPresentation",
    "UnknownProposal",
    "UnsupportedCipherSuite",
    "Update",
    "WelcomeParts",
    "WireFormat",
    "WrongEpoch",
    "WrongGroup",
    "X509Credential",
    "check_key_package",
    "external_proposal",
    "external_senders_extension",
    "inspect_message",
    "join_request",
    "presented_credentials",
    "proposed_credentials",
    "welcome_for",
    "welcome_parts",
    "welcome_recipients",
]
