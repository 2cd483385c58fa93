"""The entity kind `actors.conversations:KIND`: one entity per conversation."""

from actors.conversations.effects import ConversationEffects
from actors.conversations.entity import KIND_NAME, ConversationEntity
from actors.runtime import EntityKind
from features.messaging.machine import Conversation
from features.messaging.policy import MessagingPolicy

KIND = EntityKind(
    KIND_NAME,
    create=lambda _id, context: ConversationEntity(Conversation(context.policy)),
    restore=lambda _id, _version, snapshot, context: ConversationEntity.restore(snapshot, context.policy),
    policy=MessagingPolicy,
    handler=ConversationEffects,
    passivate_after=120.0,
    rest=ConversationEntity.rest,
)

__all__ = ["KIND"]
