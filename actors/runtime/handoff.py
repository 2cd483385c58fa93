"""Handing shards over: the owner sends what it has in memory to the next owner, over the data plane.

A transfer is a sequence of parts per shard, each one call to the other host's runtime: [kind, shard, epoch,
part number, whether it is the last, entities, answers]. An entity is [id, snapshot version, snapshot,
[[seconds left, message] per timer]]; an answer is [caller, call, packed answer].
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgpack
import structlog

from actors.runtime.answers import Known
from actors.runtime.entity import Value
from actors.runtime.errors import BadFrame, RuntimeFault
from actors.runtime.ownership import Status
from actors.runtime.residents import Residents, Shard
from actors.runtime.router import Router
from actors.runtime.turns import Slot
from cluster.shards import Answer

WHAT = "handoff"
DRAIN_SECONDS = 5.0
"""How long turns under way may take before the move is called off."""
_PART = 512 << 10
"""Bytes of a part, unless one entity alone has more."""
_TRANSFER_SECONDS = 5.0

log = structlog.get_logger(__name__)


class HandoffRefused(RuntimeFault):
    """The other host does not take the shard (it knows a later epoch, or missed a part)."""

    status = 30


async def send(residents: Residents, router: Router, shard: Shard, epoch: int, to: str, calls: Sequence[Known]) -> bool:
    """Sends a shard that is DRAINING at ``epoch`` to ``to`` as soon as its turns have ended.

    True: all of it is there, and held calls were sent on. False: it could not be handed over, or the move was
    called off meanwhile; its memory is as it was. ``calls`` are all of the shard's (looked up for many shards at
    once, after they stopped serving).
    """
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            await shard.quiet.wait()
        if not shard.ownership.leaving(epoch):
            return False
        parts = _parts(residents, shard, residents.answers.answered(calls))
        for number, (entities, some) in enumerate(parts):
            body = [shard.kind, shard.number, epoch, number, number == len(parts) - 1, entities, some]
            if not await router.call_host(to, WHAT, body, _TRANSFER_SECONDS):
                raise HandoffRefused(f"{to} does not take {shard.kind}/{shard.number}")
    except (RuntimeFault, TimeoutError) as fault:
        log.info("shard.not_handed_over", kind=shard.kind, shard=shard.number, to=to, fault=repr(fault))
        return False
    if not shard.ownership.sent(epoch):
        return False
    # At once: its calls need not wait for shards that go to the same host and still have turns under way.
    residents.send_on(shard)
    return True


def _parts(residents: Residents, shard: Shard, answers: Sequence[Answer]) -> list[tuple[list[Value], list[Value]]]:
    """(entities, answers) per part. Raises HandoffRefused where an entity is no msgpack value.

    It is packed here and now: the entities may go on if the move is called off.
    """
    version = residents.runners[shard.kind].kind.version
    now = time.monotonic()
    parts: list[tuple[list[Value], list[Value]]] = [([], [])]
    size = 0

    def add(item: Value, weight: int, which: int) -> None:
        nonlocal size
        if size and size + weight > _PART:
            parts.append(([], []))
            size = 0
        parts[-1][which].append(item)
        size += weight

    for entity_id, slot in shard.slots.items():
        timers = [[timer.due - now, timer.message] for timer in slot.timers]
        try:
            if slot.entity is not None:
                state = [version, msgpack.packb(slot.entity.snapshot())]
            elif slot.frozen is not None:
                state = [slot.frozen[0], msgpack.packb(slot.frozen[1])]
            else:
                continue
            weight = len(state[1]) + len(msgpack.packb(timers)) + 4 * len(entity_id) + 64
        except Exception as fault:
            # A defect of the machine's, whatever it raises. It goes on here; others do not wait for it.
            log.exception("entity.not_packed", kind=shard.kind, entity=entity_id)
            raise HandoffRefused(f"{shard.kind} {entity_id!r} has no snapshot") from fault
        add([entity_id, *state, timers], weight, 0)
    for answer in answers:
        add([answer.caller, answer.call, answer.answer], len(answer.answer) + 64, 1)
    return parts


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
    fresh = shard.ownership.status is Status.ABSENT
    if part not in (0, parts.get(key, 0)) or not shard.ownership.receiving(epoch, last=last):
        return False
    if part == 0 and not fresh:
        # Sent before, and not to the end. Of a shard that is ABSENT there is nothing to be dropped.
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
