"""Executes the effects of counter entities: stores reactions in Postgres, and reads what is stored.

The reactions of all turns that are committed together are stored by one statement. It tells which reactions were
replaced, and the entities change their counts by that after the commit, before their callers get replies.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from actors.counters.entity import CounterEntity, Find, Reload, Store
from actors.counters.loader import CounterLoader
from actors.runtime import Effect, EffectHandler, Entity, KindContext, Turn, Value
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from features.comments import queries as comments
from features.counters import store
from features.counters.machine import TargetCounters
from features.counters.model import Target, TargetKind
from features.counters.policy import CounterPolicy
from features.counters.service import events_of
from features.events import publish
from features.posts import queries as posts
from features.stories import queries as stories

STORED = Counter("entativa_reactions_stored_total", "Reactions that were stored, changed or removed")
LOADED = Counter("entativa_counters_loads_total", "Counters loaded from Postgres")

EXISTING = {
    TargetKind.POST: posts.EXISTING,
    TargetKind.COMMENT: comments.EXISTING,
    TargetKind.STORY: stories.EXISTING,
}
"""Statements that return those of the ids $1 that exist, for each kind of targets."""


class CounterEffects(EffectHandler[CounterPolicy]):
    """Effects of the counter entities of one host process."""

    def __init__(self, context: KindContext[CounterPolicy]) -> None:
        super().__init__(context)
        self._loader = CounterLoader(context.database, context.policy.max_known)
        self._stored: dict[str, list[store.Changed]] = {}
        """What the turns of the transaction under way changed, by entity."""

    async def load(self, entity_id: str) -> Entity | None:
        """Returns the entity as it is stored."""
        counters = TargetCounters(self.context.policy.max_known)
        await self._load(counters, target_of(entity_id))
        return CounterEntity(counters)

    def needs_write(self, effects: Sequence[Effect]) -> bool:
        """Only reactions are written."""
        return any(isinstance(effect, Store) for effect in effects)

    async def write(self, transaction: UnitOfWork, turns: Sequence[Turn]) -> None:
        """Stores the reactions of turns, of each account the last one. What has been deleted gets none."""
        targets = {turn.entity_id: target_of(turn.entity_id) for turn in turns}
        existing = await _existing(transaction, list(targets.values()))
        changes: dict[tuple[UUID, bytes], store.Change] = {}
        for turn in turns:
            self._stored[turn.entity_id] = []
            target = targets[turn.entity_id]
            for effect in turn.effects:
                if isinstance(effect, Store) and target.id in existing:
                    at = datetime.fromtimestamp(effect.at, UTC)
                    change = store.Change(target, UUID(bytes=effect.account), effect.kind, at)
                    changes[target.id, effect.account] = change
        changed = await store.change(transaction, list(changes.values())) if changes else []
        entities = {target.id: entity_id for entity_id, target in targets.items()}
        for row in changed:
            self._stored[entities[row.target_id]].append(row)
        now = datetime.fromtimestamp(self.context.clock.time(), UTC)
        for event in events_of(list(targets.values()), changed):
            publish(transaction, event, now)

    async def act(self, turn: Turn) -> Sequence[Value]:
        """Changes the counts as the commit changed them, and reads what is to be read, in place: a later message must
        not overtake it (docs/runtime.md)."""
        assert isinstance(turn.entity, CounterEntity)
        counters, target = turn.entity.counters, target_of(turn.entity_id)
        if self.needs_write(turn.effects):
            changed = self._stored.pop(turn.entity_id)
            STORED.inc(len(changed))
            for row in changed:
                counters.reacted(row.account_id.bytes, row.previous, row.kind)
        if any(isinstance(effect, Reload) for effect in turn.effects):
            await self._load(counters, target)
        asked = {effect.account for effect in turn.effects if isinstance(effect, Find)}
        if unknown := [UUID(bytes=account) for account in asked if not counters.knows(account)]:
            async with self.context.database.unit_of_work(read_only=True) as uow:
                counters.learn(await store.reactions_of(uow, target.id, unknown))
        return ()

    async def close(self) -> None:
        """Ends loads under way."""
        await self._loader.close()

    async def _load(self, counters: TargetCounters, target: Target) -> None:
        loaded = await self._loader.load(target.id)
        counters.load(loaded.counts, loaded.reactions)
        LOADED.inc()


def target_of(entity_id: str) -> Target:
    """Returns the target of an entity. Raises ValueError for an id that is no `Target.name`."""
    kind, _, id = entity_id.partition(":")
    return Target(TargetKind(kind), UUID(id))


async def _existing(transaction: UnitOfWork, targets: Sequence[Target]) -> set[UUID]:
    """Returns the ids of those targets that exist. One statement for each kind of targets."""
    found: set[UUID] = set()
    for kind, statement in EXISTING.items():
        if ids := [target.id for target in targets if target.kind is kind]:
            found |= {row["id"] for row in await transaction.fetch(statement, ids)}
    return found
