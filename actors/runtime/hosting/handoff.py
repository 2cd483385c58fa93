"""Handing shards over: the owner sends what it has in memory to the next owner, over the data plane.

A transfer is a sequence of parts per shard, each one call to the other host's runtime: [kind, shard, epoch,
part number, whether it is the last, entities, answers]. An entity is [id, snapshot version, snapshot,
[[seconds left, message] per timer]]; an answer is [caller, call, packed answer].
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgpack
import structlog

from actors.runtime.errors import BadFrame, CallError
from actors.runtime.hosting.deduplication import Known
from actors.runtime.hosting.mailbox import Mailbox, Shard
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.ownership import Part
from actors.runtime.store.rows import Answer
from actors.runtime.transport.router import Router
from actors.runtime.value import Value

WHAT = "handoff"
DRAIN_SECONDS = 5.0
"""How long turns under way may take before the move is called off."""
_PART = 512 << 10
"""Bytes of a part, unless one entity alone has more."""
_PART_ITEMS = 512
"""Entities and answers of a part: the other host takes it in one go."""
_TRANSFER_SECONDS = 5.0

log = structlog.get_logger(__name__)


class HandoffRefused(CallError):
    """The other host does not take the shard (it knows a later epoch, or missed a part)."""

    status = 30


async def send(mailboxes: Mailboxes, router: Router, shard: Shard, epoch: int, to: str, calls: Sequence[Known]) -> bool:
    """Sends a shard that is DRAINING at ``epoch`` to ``to`` as soon as its turns have ended.

    True: all of it is there, and parked calls were sent on. False: it could not be handed over, or the move was
    called off meanwhile; its memory is as it was. ``calls`` are all of the shard's (looked up for many shards at
    once, after they stopped serving).
    """
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            await shard.quiet.wait()
        if not shard.ownership.leaving(epoch):
            return False
        parts = await _parts(mailboxes, shard, epoch, calls)
        if not shard.ownership.leaving(epoch):
            return False
        for number, (entities, some) in enumerate(parts):
            body = [shard.kind, shard.number, epoch, number, number == len(parts) - 1, entities, some]
            if not await router.call_host(to, WHAT, body, _TRANSFER_SECONDS):
                raise HandoffRefused(f"{to} does not take {shard.kind}/{shard.number}")
    except (CallError, TimeoutError) as error:
        log.info("shard.not_handed_over", kind=shard.kind, shard=shard.number, to=to, error=repr(error))
        return False
    if not shard.ownership.sent(epoch):
        return False
    # At once: its calls need not wait for shards that go to the same host and still have turns under way.
    mailboxes.send_on(shard)
    return True


async def _parts(
    mailboxes: Mailboxes, shard: Shard, epoch: int, calls: Sequence[Known]
) -> list[tuple[list[Value], list[Value]]]:
    """(entities, answers) per part. Raises HandoffRefused where an entity is no msgpack value.

    It is packed before any of it is sent, a slice at a time. What is returned is not whole once the move was called
    off: the entities go on.
    """
    version = mailboxes.runners[shard.kind].kind.version
    now = mailboxes.clock.monotonic()
    parts: list[tuple[list[Value], list[Value]]] = [([], [])]
    size = 0

    def add(item: Value, weight: int, which: int) -> None:
        nonlocal size
        if size and (size + weight > _PART or sum(map(len, parts[-1])) == _PART_ITEMS):
            parts.append(([], []))
            size = 0
        parts[-1][which].append(item)
        size += weight

    for entity_id, mailbox in list(shard.mailboxes.items()):
        if mailboxes.moves_budget.spent():
            await asyncio.sleep(0)
            if not shard.ownership.leaving(epoch):
                return parts
        timers = [[timer.due - now, timer.message] for timer in mailbox.timers]
        try:
            if mailbox.entity is not None:
                state = [version, msgpack.packb(mailbox.entity.snapshot())]
            elif mailbox.frozen is not None:
                state = [mailbox.frozen[0], msgpack.packb(mailbox.frozen[1])]
            else:
                continue
            weight = len(state[1]) + len(msgpack.packb(timers)) + 4 * len(entity_id) + 64
        except Exception as error:
            # A defect of the machine's, whatever it raises. It goes on here; others do not wait for it.
            log.exception("entity.not_packed", kind=shard.kind, entity=entity_id)
            raise HandoffRefused(f"{shard.kind} {entity_id!r} has no snapshot") from error
        add([entity_id, *state, timers], weight, 0)
    for first in range(0, len(calls), _PART_ITEMS):
        if mailboxes.moves_budget.spent():
            await asyncio.sleep(0)
        for answer in mailboxes.answers.answered(calls[first : first + _PART_ITEMS]):
            add([answer.caller, answer.call, answer.answer], len(answer.answer) + 64, 1)
    return parts


def take(mailboxes: Mailboxes, body: Value) -> bool:
    """Takes a part that arrived. Returns whether its content is here now. Raises BadFrame for what is no part."""
    match body:
        case [str(kind), int(number), int(epoch), int(part), bool(last), list(entities), list(answers)]:
            pass
        case _:
            raise BadFrame("no part of a handoff")
    if kind not in mailboxes.shards or not 0 <= number < len(mailboxes.shards[kind]):
        raise BadFrame(f"no shard {kind}/{number}")
    # First of all: a part that cannot be read does not count as received.
    received = [_entity(entity) for entity in entities]
    known = [_answer(answer) for answer in answers]
    shard = mailboxes.shard(kind, number)
    key = (kind, number)
    match shard.ownership.receiving(epoch, part, last=last):
        case Part.REFUSED:
            return False
        case Part.REPEATED:
            return True
        case Part.FIRST_OF_LATER:
            mailboxes.clear(shard)
            mailboxes.answers.drop({key})
        case Part.NEXT:
            pass
    now = mailboxes.clock.monotonic()
    for entity_id, frozen, timers in received:
        mailbox = shard.mailboxes[entity_id] = Mailbox()
        mailbox.frozen = frozen
        mailbox.used_at = now
        for seconds, message in timers:
            mailboxes.arm(shard, entity_id, mailbox, max(0.0, seconds), message)
    mailboxes.answers.restore(key, known, now)
    return True


def _entity(item: Value) -> tuple[str, tuple[int, Value], list[tuple[float, Value]]]:
    """(id, (version, snapshot), timers) of an entity of a part. Raises BadFrame for anything else."""
    match item:
        case [str(entity_id), int(version), bytes(snapshot), list(timers)]:
            try:
                state = msgpack.unpackb(snapshot, strict_map_key=False)
            except (ValueError, TypeError) as error:
                raise BadFrame(f"the snapshot of {entity_id!r} cannot be read: {error}") from error
            return entity_id, (version, state), [_timer(timer) for timer in timers]
    raise BadFrame("no entity of a handoff")


def _timer(item: Value) -> tuple[float, Value]:
    match item:
        case [int() | float() as seconds, message]:
            return float(seconds), message
    raise BadFrame("no timer of a handoff")


def _answer(item: Value) -> Answer:
    match item:
        case [bytes(caller), int(call), bytes(answer)]:
            return Answer(caller, call, answer)
    raise BadFrame("no answer of a handoff")
