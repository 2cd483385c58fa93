from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID
from cluster.postgres import UnitOfWork
from features.relationships.policy import RelationshipPolicy

OnBlock = Callable[[UnitOfWork, UUID, UUID], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RelationshipService:
    policy: RelationshipPolicy
    on_block: tuple[OnBlock, ...] = ()
