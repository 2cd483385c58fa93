"""What an application decides about its groups."""

from dataclasses import dataclass, field

from crypto.mls.authorization import AnyMember, Authorization
from crypto.mls.cipher_suite import RFC_SUITES, CipherSuite
from crypto.mls.credentials import AuthenticationService
from crypto.mls.errors import UnsupportedCipherSuite

DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """Limits and permissions. What admits strangers is off unless it is asked for.

    ``authentication``: who is believed (RFC 9420 section 5.3.1). There is no default: whoever decides which key
    belongs to whom decides who reads the group.
    ``authorization``: which member may make which change; RFC 9420 itself lets every member do everything.
    ``suites``: the cipher suites in which groups are made, joined and followed.
    ``max_lifetime``: longest acceptable lifetime of a KeyPackage's leaf, in seconds; None for no limit (section 7.2).
    ``check_received_lifetimes``: also refuse received leaves outside of their lifetime. Off by default: a client that
    was offline must accept the commits of that time, and a joiner the members who have not updated since.
    ``past_epochs``: number of former epochs whose application messages can still be decrypted.
    ``resumption_epochs``: number of epochs whose resumption PSK is remembered.
    ``max_forward``, ``max_skipped``: how many generations one message may skip, and how many unused keys each
    ratchet keeps.
    ``max_proposals``: how many proposals may wait for a commit; more are refused.
    ``max_width``: how many leaves a tree may have, blank ones included. Every leaf is hashed, so this bounds what a
    tree that others made can cost.
    ``allow_external_commits``, ``allow_resync``: whether strangers may join by themselves, and whether they may
    replace an old leaf of theirs in doing so (section 12.4.3.2).
    ``allow_join_requests``: whether strangers may propose to be added (section 12.1.8).
    """

    authentication: AuthenticationService
    authorization: Authorization = field(default_factory=AnyMember)
    suites: frozenset[CipherSuite] = RFC_SUITES
    max_lifetime: int | None = 100 * DAY
    check_received_lifetimes: bool = False
    past_epochs: int = 3
    resumption_epochs: int = 8
    max_forward: int = 1000
    max_skipped: int = 1000
    max_proposals: int = 5000
    max_width: int = 1 << 13
    allow_external_commits: bool = False
    allow_resync: bool = False
    allow_join_requests: bool = False

    def check_suite(self, suite: CipherSuite) -> None:
        """Raise UnsupportedCipherSuite unless groups may use ``suite``."""
        if suite not in self.suites:
            raise UnsupportedCipherSuite(f"cipher suite {int(suite)} is not allowed by the policy")
