"""The secrets of a brand's key directory, derived from the cluster's secret. Those of a directory never change."""

import hmac
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.directory import DirectoryKeys
from crypto.directory.vrf import public_key

_LABEL = b"entativa key directory v1\0"


@dataclass(frozen=True, slots=True, repr=False)
class DirectorySecrets:
    """`log` signs heads (Ed25519), `vrf` hides where accounts stand, `opening` keys the commitments: 32 bytes each.
    `public` is what clients pin."""

    log: bytes
    vrf: bytes
    opening: bytes
    public: DirectoryKeys

    @classmethod
    def derive(cls, cluster_secret: bytes, brand: str) -> Self:
        """Returns the secrets of a brand."""
        log, vrf, opening = (
            hmac.digest(cluster_secret, _LABEL + purpose + b"\0" + brand.encode(), "sha256")
            for purpose in (b"log", b"vrf", b"opening")
        )
        log_public = Ed25519PrivateKey.from_private_bytes(log).public_key().public_bytes_raw()
        return cls(log, vrf, opening, DirectoryKeys(log_public, public_key(vrf)))
