"""The entity kind `actors.counters:KIND`: the counters of each target that people react to."""

from actors.counters.effects import CounterEffects
from actors.counters.entity import KIND_NAME, CounterEntity
from actors.runtime import EntityKind
from features.counters.machine import TargetCounters
from features.counters.policy import CounterPolicy

KIND = EntityKind(
    KIND_NAME,
    create=lambda _id, context: CounterEntity(TargetCounters(context.policy.max_known)),
    restore=lambda _id, _version, counts, context: CounterEntity.restore(counts, context.policy.max_known),
    policy=CounterPolicy,
    handler=CounterEffects,
    read=CounterEntity.packed,
    inbox_size=16_384,
)

__all__ = ["KIND"]
