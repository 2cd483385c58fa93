"""The entity kind `actors.groups:KIND`: one entity per encrypted group."""

from actors.groups.effects import GroupEffects
from actors.groups.entity import KIND_NAME, GroupEntity
from actors.runtime import EntityKind
from features.groups.machine import Group
from features.groups.policy import GroupsPolicy

KIND = EntityKind(
    KIND_NAME,
    create=lambda _id, context: GroupEntity(Group(context.policy)),
    restore=lambda _id, _version, snapshot, context: GroupEntity.restore(snapshot, context.policy),
    policy=GroupsPolicy,
    handler=GroupEffects,
    passivate_after=120.0,
)

__all__ = ["KIND"]
