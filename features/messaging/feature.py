"""What this slice declares. What its tables say about people is in docs/security/metadata.md."""

from collections.abc import Sequence
from datetime import timedelta

from cluster.events.consumer import Consumer
from cluster.postgres import Reaction
from cluster.tables import Expiry, PartOf, Table
from features.accounts.feature import ACCOUNTS
from features.delivery_tags import DeliveryTags
from features.devices.feature import DEVICES
from features.devices.service import DeviceService
from features.feature import Entities, Feature, Scope
from features.groups.feature import GROUPS
from features.groups.service import GroupService
from features.live_sessions.feature import LIVE_SESSIONS
from features.live_sessions.ports import LIVE_SESSIONS as LIVE
from features.messaging import store
from features.messaging.announcements import DeviceAnnouncements
from features.messaging.consumers import ConversationUpdates
from features.messaging.policy import MessagingPolicy
from features.messaging.ports import CONVERSATIONS
from features.messaging.service import MessagingService
from features.profiles.feature import PROFILES
from features.profiles.service import ProfileService
from features.relationships.feature import RELATIONSHIPS
from features.relationships.service import RelationshipService


def _service(scope: Scope) -> MessagingService:
    return MessagingService(
        scope.policy(MessagingPolicy),
        scope.service(RelationshipService),
        scope.service(ProfileService),
        scope.service(DeviceService),
        scope.service(GroupService),
        DeliveryTags.of_brand(scope.settings.cluster_secret.get_secret_value().encode(), scope.brand),
        scope.ports.get(CONVERSATIONS),
    )


def _updates(scope: Scope) -> ConversationUpdates | None:
    conversations = scope.ports.get(CONVERSATIONS)
    return ConversationUpdates(scope.database, conversations) if conversations else None


def _consumers(scope: Scope) -> Sequence[Consumer]:
    updates, live = _updates(scope), scope.ports.get(LIVE)
    announcements = DeviceAnnouncements(live, scope.policy(MessagingPolicy)) if live else None
    return [*(updates.consumers() if updates else ()), *(announcements.consumers() if announcements else ())]


def _reaction(scope: Scope) -> Reaction | None:
    updates = _updates(scope)
    return updates.after_commit if updates else None


_ITS = "(select conversation_id from conversation_members where account_id = $1)"

MESSAGING = Feature(
    name="messaging",
    needs=(ACCOUNTS, DEVICES, GROUPS, LIVE_SESSIONS, PROFILES, RELATIONSHIPS),
    policy=MessagingPolicy,
    service=_service,
    consumers=_consumers,
    reaction=_reaction,
    entities=(Entities("actors.conversations:KIND", CONVERSATIONS, "actors.conversations.calls:open_calls"),),
    tables=(
        # One that is not accepted ends.
        Table(
            "conversations",
            "id",
            "as long as both accounts",
            Expiry("expires_at", timedelta(0)),
            disclosed=f"id in {_ITS}",
        ),
        Table(
            "conversation_members",
            "account_id",
            "as long as both accounts",
            part_of=PartOf("conversations", "conversation_id"),
            subjects=("account_id",),
            mentions=("invited_by",),
            disclosed=f"conversation_id in {_ITS}",
        ),
        # A repetition within this time is answered as the first time.
        Table(
            "messages",
            "conversation_id",
            "seven days",
            Expiry("sent_at", MessagingPolicy().remembered),
            subjects=("sender_account_id",),
            secrets=("digest",),
            disclosed=f"sender_account_id = $1 or conversation_id in {_ITS}",
        ),
        Table(
            "message_payloads",
            "account_id",
            "until its device has acknowledged it, 30 days at most",
            Expiry("expires_at", timedelta(0)),
            subjects=("account_id",),
            mentions=("sender_account_id",),
            secrets=("ciphertext",),
            disclosed=f"account_id = $1 or sender_account_id = $1 or conversation_id in {_ITS}",
        ),
    ),
    erase=store.erase,
    export=store.export,
)
