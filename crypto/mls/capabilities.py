"""What a client supports (RFC 9420 section 7.2), and the rules for comparing it (sections 7.3, 11.1 and 13.4)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from crypto.mls.cipher_suite import RFC_SUITES
from crypto.mls.codec import Reader, u16, vector
from crypto.mls.credentials import CredentialType
from crypto.mls.extensions import DEFAULT_EXTENSIONS, Extension, ExtensionType, RequiredCapabilities

MLS10 = 1
"""The protocol version of RFC 9420."""

DEFAULT_PROPOSALS = frozenset(range(0x0001, 0x0008))
"""Proposal types that everybody supports and nobody lists."""

_SUPPORTED = (int(ExtensionType.ROLES),)

GREASE = tuple(0x0A0A + 0x1010 * step for step in range(15))
"""Values that mean nothing, to keep others tolerant (section 13.5)."""


@dataclass(frozen=True)
class Capabilities:
    """Versions, suites, extension, proposal and credential types, as 16-bit numbers; unknown ones are ignored."""

    versions: tuple[int, ...]
    cipher_suites: tuple[int, ...]
    extensions: tuple[int, ...]
    proposals: tuple[int, ...]
    credentials: tuple[int, ...]

    @classmethod
    def default(
        cls, extensions: Iterable[int] = (), proposals: Iterable[int] = (), suites: Iterable[int] = ()
    ) -> "Capabilities":
        """Everything this package supports, plus the application's own ``extensions``, ``proposals`` and ``suites``.

        A GREASE value is among the suites, extensions, proposals and credentials.
        """
        known = DEFAULT_EXTENSIONS.union(_SUPPORTED)
        return cls(
            versions=(MLS10,),
            cipher_suites=(*sorted(RFC_SUITES.union(suites)), GREASE[0]),
            extensions=(*_SUPPORTED, *(e for e in extensions if e not in known), GREASE[1]),
            proposals=(*(p for p in proposals if p not in DEFAULT_PROPOSALS), GREASE[2]),
            credentials=(*map(int, CredentialType), GREASE[3]),
        )

    def encode(self) -> bytes:
        return b"".join(
            vector(u16(value) for value in values)
            for values in (
                self.versions,
                self.cipher_suites,
                self.extensions,
                self.proposals,
                self.credentials,
            )
        )

    @classmethod
    def decode(cls, reader: Reader) -> "Capabilities":
        return cls(
            reader.u16s(),
            reader.u16s(),
            reader.u16s(),
            reader.u16s(),
            reader.u16s(),
        )

    @cached_property
    def credential_set(self) -> frozenset[int]:
        return frozenset(self.credentials)

    def supports_extensions(self, extensions: Iterable[Extension]) -> bool:
        """Whether every extension's type is a default one or listed here."""
        return all(
            extension.extension_type in DEFAULT_EXTENSIONS or extension.extension_type in self.extensions
            for extension in extensions
        )

    def supports_proposal(self, proposal_type: int) -> bool:
        return proposal_type in DEFAULT_PROPOSALS or proposal_type in self.proposals

    def satisfies(self, required: RequiredCapabilities) -> bool:
        """Whether all of ``required`` is listed (default types count as listed, credential types do not)."""
        return (
            all(e in DEFAULT_EXTENSIONS or e in self.extensions for e in required.extension_types)
            and all(self.supports_proposal(p) for p in required.proposal_types)
            and all(c in self.credential_set for c in required.credential_types)
        )
