"""Typed errors of the MLS package. A caller who gets one finds its group exactly as it was before the call."""

from crypto.errors import CryptoError


class MlsError(CryptoError):
    """Base of every error that MLS raises on purpose, apart from ``crypto.errors.DecodeError``."""


class InvalidInput(MlsError):
    """The caller's own argument is out of range (a length, an index, a name)."""


class UnsupportedCipherSuite(MlsError):
    """A cipher suite this package does not know, or another one than the group's."""


class InvalidSignature(MlsError):
    """A signature does not verify under the key that the rules prescribe."""


class InvalidCredential(MlsError):
    """The authentication service refused a credential (RFC 9420 section 5.3.1)."""


class InvalidLeafNode(MlsError):
    """A leaf node breaks RFC 9420 section 7.3."""


class InvalidKeyPackage(MlsError):
    """A KeyPackage breaks RFC 9420 section 10.1."""


class InvalidTree(MlsError):
    """A ratchet tree, an update path or a parent hash is inconsistent (RFC 9420 sections 7.5 to 7.9)."""


class InvalidProposal(MlsError):
    """A proposal, or a list of proposals, breaks RFC 9420 sections 12.1 and 12.2."""


class InvalidCommit(MlsError):
    """A commit breaks RFC 9420 section 12.4."""


class InvalidWelcome(MlsError):
    """A Welcome or GroupInfo breaks RFC 9420 section 12.4.3."""


class KeyPackageUsed(InvalidWelcome):
    """A Welcome asks for a KeyPackage that was used before, or that this device never had."""


class InvalidMessage(MlsError):
    """A message is well encoded but not allowed here, or its authentication tag is wrong (RFC 9420 section 6)."""


class NotAuthorized(MlsError):
    """The policy does not let this member make this change."""


class OwnCommit(InvalidCommit):
    """This member's own commit came back: the delivery service took it, so apply its bundle."""


class WrongGroup(MlsError):
    """The message belongs to another group."""


class WrongEpoch(MlsError):
    """The message belongs to an epoch whose keys this client does not have (any more, or yet)."""


class PastEpoch(WrongEpoch):
    """The message belongs to an epoch that is over: it came too late, or once more."""


class FutureEpoch(WrongEpoch):
    """The message belongs to an epoch to come: commits are missing before it."""


class DecryptionFailed(MlsError):
    """An AEAD or HPKE ciphertext does not open."""


class KeyUnavailable(MlsError):
    """A message key was used already, was dropped, or lies too far ahead in its ratchet."""


class OwnMessage(KeyUnavailable):
    """A message that this member encrypted came back. Other members can provoke this; take it as no confirmation."""


class MissingPsk(MlsError):
    """A pre-shared key that the message needs was not given."""


class UnknownProposal(MlsError):
    """A commit refers to a proposal that this client has not received."""


class GroupInactive(MlsError):
    """The client was removed, or the group was closed by a re-initialisation: nothing can be sent any more."""


class ProposalsPending(MlsError):
    """Application data may not be sent while proposals wait for a commit (RFC 9420 section 12.4)."""
