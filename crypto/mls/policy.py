"""What an application decides about its groups."""

from dataclasses import dataclass, field

from crypto.mls.credentials import AuthenticationService, TrustOnPresentation

DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """Limits and permissions; the defaults suit a messenger.

    ``authentication``: who is believed (RFC 9420 section 5.3.1).
    ``max_lifetime``: longest acceptable lifetime of a KeyPackage's leaf, in seconds; None for no limit (section 7.2).
    ``check_received_lifetimes``: also refuse received leaves outside of their lifetime. Off by default: a client that
    was offline must accept the commits of that time, and a joiner the members who have not updated since.
    ``past_epochs``: number of former epochs whose application messages can still be decrypted.
    ``resumption_epochs``: number of epochs whose resumption PSK is remembered.
    ``max_forward``, ``max_skipped``: how many generations one message may skip, and how many unused keys each
    ratchet keeps.
    ``max_proposals``: how many proposals may wait for a commit; more are refused.
    ``allow_external_commits``, ``allow_resync``: whether strangers may join by themselves, and whether they may
    replace an old leaf of theirs in doing so (section 12.4.3.2).
    ``allow_join_requests``: whether strangers may propose to be added (section 12.1.8).
    """

    authentication: AuthenticationService = field(default_factory=TrustOnPresentation)
    max_lifetime: int | None = 100 * DAY
    check_received_lifetimes: bool = False
    past_epochs: int = 3
    resumption_epochs: int = 8
    max_forward: int = 1000
    max_skipped: int = 1000
    max_proposals: int = 5000
    allow_external_commits: bool = True
    allow_resync: bool = True
    allow_join_requests: bool = True
