"""What this slice declares. What its tables say about people is in docs/security/metadata.md."""

from collections.abc import Sequence
from datetime import timedelta

from cluster.events.consumer import Consumer
from cluster.tables import Expiry, Table
from features.accounts.feature import ACCOUNTS
from features.feature import Feature, Scope
from features.group_invitations.announcements import JoinAnnouncements
from features.group_invitations.events import EVENTS
from features.group_invitations.policy import GroupInvitationPolicy
from features.group_invitations.service import GroupInvitationService
from features.groups.feature import GROUPS
from features.groups.queries import in_group
from features.groups.service import GroupService
from features.live_sessions.feature import LIVE_SESSIONS
from features.live_sessions.ports import LIVE_SESSIONS as LIVE
from features.profiles.feature import PROFILES
from features.profiles.service import ProfileService
from features.relationships.feature import RELATIONSHIPS


def _service(scope: Scope) -> GroupInvitationService:
    return GroupInvitationService(
        scope.policy(GroupInvitationPolicy), scope.service(GroupService), scope.service(ProfileService)
    )


def _consumers(scope: Scope) -> Sequence[Consumer]:
    live = scope.ports.get(LIVE)
    return JoinAnnouncements(live, scope.policy(GroupInvitationPolicy)).consumers() if live else ()


GROUP_INVITATIONS = Feature(
    name="group_invitations",
    needs=(ACCOUNTS, GROUPS, LIVE_SESSIONS, PROFILES, RELATIONSHIPS),
    policy=GroupInvitationPolicy,
    service=_service,
    consumers=_consumers,
    events=EVENTS,
    tables=(
        Table(
            "group_invitations",
            "group_id",
            "until they expire or are revoked",
            Expiry("expires_at", timedelta(0)),
            subjects=("account_id",),
            secrets=("token_digest",),
            disclosed=f"account_id = $1 or {in_group('$1', 'group_invitations.group_id')}",
        ),
        Table(
            "group_join_requests",
            "group_id",
            "30 days",
            Expiry("expires_at", timedelta(0)),
            subjects=("account_id",),
            # Who asks does not learn that it was declined.
            secrets=("state",),
            disclosed=f"account_id = $1 or {in_group('$1', 'group_join_requests.group_id')}",
        ),
    ),
)
