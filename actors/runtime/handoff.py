"""Handing shards over: the owner sends what it has in memory to the next owner, over the data plane.

A transfer is a sequence of parts per shard, each one call to the other host's runtime: [kind, shard, epoch,
part number, whether it is the last, entities, answers]. An entity is [id, snapshot version, snapshot,
[[seconds left, message] per timer]]; an answer is [caller, call, packed answer].
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import msgpack

from actors.runtime.entity import Value
from actors.runtime.errors import BadFrame, RuntimeFault
from actors.runtime.residents import Residents, Shard
from actors.runtime.router import Router
from actors.runtime.turns import Slot
from cluster.shards import Answer

WHAT = "handoff"
DRAIN_SECONDS = 5.0
"""How long turns under way may take before the move is called off."""
_PART = 512 << 10
_TRANSFER_SECONDS = 5.0


class HandoffRefused(RuntimeFault):
    """The other host does not take the shard (it knows a later epoch, or missed a part)."""

    status = 30


async def send(residents: Residents, router: Router, shards: Iterable[Shard], to: str) -> list[Shard]:
    """Sends DRAINING shards to ``to``: those that it has completely now, whose held calls were sent on.

    A shard that is not among them could not be handed over; its memory is as it was.
    """
    shards = list(shards)
    epochs = [shard.ownership.epoch for shard in shards]
    outcomes = await asyncio.gather(
        *(_send_one(residents, router, shard, to) for shard in shards), return_exceptions=True
    )
    done = []
    for shard, epoch, fault in zip(shards, epochs, outcomes, strict=True):
        if isinstance(fault, (RuntimeFault, TimeoutError)):
            continue
        if fault is not None:
            raise fault
        if shard.ownership.sent(epoch):
            residents.send_on(shard)
            done.append(shard)
    return done


async def _send_one(residents: Residents, router: Router, shard: Shard, to: str) -> None:
    async with asyncio.timeout(DRAIN_SECONDS):
        await shard.quiet.wait()
    version = residents.runners[shard.kind].kind.version
    epoch = shard.ownership.epoch
    now = time.monotonic()
    key = (shard.kind, shard.number)
    answers = [[a.caller, a.call, a.answer] for _, a in residents.answers.answered({key})]
    parts: list[list[Any]] = [[]]
    size = 0
    for entity_id, slot in shard.slots.items():
        if slot.entity is not None:
            # Packed here and now: the entity may go on if the move is called off.
            state: Value = [version, msgpack.packb(slot.entity.snapshot())]
        elif slot.frozen is not None:
            state = [slot.frozen[0], msgpack.packb(slot.frozen[1])]
        else:
            continue
        if size > _PART:
            parts.append([])
            size = 0
        parts[-1].append([entity_id, *state, [[timer.due - now, timer.message] for timer in slot.timers]])
        size += len(state[1]) + 64
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        body = [shard.kind, shard.number, epoch, number, last, part, answers if last else []]
        taken = await router.call_host(to, WHAT, body, _TRANSFER_SECONDS)
        if not taken:
            raise HandoffRefused(f"{to} does not take {shard.kind}/{shard.number}")


def take(residents: Residents, body: Value, parts: dict[tuple[str, int], int]) -> bool:
    """One part arrived: whether it was taken. ``parts`` remembers which part of which shard comes next."""
    match body:
        case [str(kind), int(number), int(epoch), int(part), bool(last), list(entities), list(answers)]:
            pass
        case _:
            raise BadFrame("no part of a handoff")
    if kind not in residents.shards or not 0 <= number < len(residents.shards[kind]):
        raise BadFrame(f"no shard {kind}/{number}")
    shard = residents.shard(kind, number)
    key = (kind, number)
    if part not in (0, parts.get(key, 0)) or not shard.ownership.receiving(epoch, last=last):
        return False
    if part == 0:
        residents.clear(shard)
        residents.answers.drop({key})
    parts[key] = part + 1
    now = time.monotonic()
    for entity_id, version, snapshot, timers in entities:
        slot = shard.slots[entity_id] = Slot()
        slot.frozen = (version, msgpack.unpackb(snapshot, strict_map_key=False))
        slot.used_at = now
        for seconds, message in timers:
            residents.arm(shard, entity_id, slot, max(0.0, seconds), message)
    residents.answers.restore(key, [Answer(*answer) for answer in answers], now)
    return True
