"""What this slice declares. What its tables say about people is in docs/security/metadata.md."""

from collections.abc import Sequence
from datetime import timedelta

from cluster.events.consumer import Consumer
from cluster.postgres import Reaction
from cluster.tables import Expiry, PartOf, Table
from features.accounts.feature import ACCOUNTS
from features.devices.feature import DEVICES
from features.devices.policy import DevicePolicy
from features.devices.service import DeviceService
from features.feature import Entities, Feature, Scope
from features.groups.account_data import erase, export
from features.groups.consumers import GroupUpdates
from features.groups.policy import GroupsPolicy
from features.groups.ports import GROUPS as GROUPS_PORT
from features.groups.service import GroupService
from features.groups.slots import CheckSlots
from features.groups.trees import KeptTrees
from features.live_sessions.feature import LIVE_SESSIONS
from features.relationships.feature import RELATIONSHIPS


def _service(scope: Scope) -> GroupService:
    policy = scope.policy(GroupsPolicy)
    return GroupService(
        policy,
        scope.policy(DevicePolicy).suites,
        scope.service(DeviceService),
        CheckSlots(policy),
        KeptTrees(policy),
        scope.ports.get(GROUPS_PORT),
    )


def _updates(scope: Scope) -> GroupUpdates | None:
    groups = scope.ports.get(GROUPS_PORT)
    return GroupUpdates(scope.database, groups) if groups else None


def _consumers(scope: Scope) -> Sequence[Consumer]:
    updates = _updates(scope)
    return updates.consumers() if updates else ()


def _reaction(scope: Scope) -> Reaction | None:
    updates = _updates(scope)
    return updates.after_commit if updates else None


_OF_GROUP = PartOf("groups", "group_id")
# Devices that have yet to enter are of members; those that were removed, and have yet to read that, are not.
_ITS = "(select group_id from group_members where account_id = $1)"
_OF_ITS = f"group_id in {_ITS}"
_WHILE_MEMBER = "as long as the account is in the group"

GROUPS = Feature(
    name="groups",
    needs=(ACCOUNTS, DEVICES, LIVE_SESSIONS, RELATIONSHIPS),
    policy=GroupsPolicy,
    service=_service,
    consumers=_consumers,
    reaction=_reaction,
    entities=(Entities("actors.groups:KIND", GROUPS_PORT, "actors.groups.calls:open_calls"),),
    tables=(
        Table("groups", "id", "as long as it has members", disclosed=f"id in {_ITS}"),
        Table(
            "group_parts", "group_id", "as long as the group", part_of=_OF_GROUP, secrets=("data",), disclosed=_OF_ITS
        ),
        Table(
            "group_members", "account_id", _WHILE_MEMBER, part_of=_OF_GROUP, subjects=("account_id",), disclosed=_OF_ITS
        ),
        Table(
            "group_devices",
            "account_id",
            "until the device has read that it was removed from the group",
            part_of=_OF_GROUP,
            subjects=("account_id",),
            disclosed=f"account_id = $1 or {_OF_ITS}",
        ),
        Table(
            "group_messages",
            "group_id",
            "30 days at most",
            Expiry("expires_at", timedelta(0)),
            subjects=("sender_account_id",),
            secrets=("message", "digest"),
            disclosed=f"sender_account_id = $1 or {_OF_ITS}",
        ),
        Table(
            "group_welcomes",
            "group_id",
            "30 days",
            Expiry("expires_at", timedelta(0)),
            part_of=_OF_GROUP,
            secrets=("encrypted_group_info", "tree"),
            disclosed=_OF_ITS,
        ),
        Table(
            "group_joiners",
            "account_id",
            "until the device has entered the group",
            part_of=_OF_GROUP,
            subjects=("account_id",),
            secrets=("secrets",),
            disclosed=f"account_id = $1 or {_OF_ITS}",
        ),
        # What was not accepted within a call never will be.
        Table(
            "group_staged_changes",
            "group_id",
            "an hour",
            Expiry("created_at", timedelta(hours=1)),
            disclosed=f"{_OF_ITS} or $1 = any(added_account_ids) or $1 = any(role_account_ids)",
        ),
    ),
    erase=erase,
    export=export,
)
