"""Reads of many entities in one call: what those in memory have, without a turn for each.

A page of fifty posts asks fifty entities. As calls, each would be remembered, routed and answered by itself, which
costs more than all the rest of the page. A read changes nothing, so nothing of it is remembered, and an entity that is
not in memory, is in a turn or cannot tell is left out: its caller makes an ordinary call.
"""

from __future__ import annotations

from actors.runtime.errors import BadFrame
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.shard_map import shard_of
from actors.runtime.transport.reads import MAX_ENTITIES
from actors.runtime.value import Value

READS_A_CALL = 40
"""Entities that are read in the time that a call takes: a host's load counts them as one."""


def answer_read(mailboxes: Mailboxes, body: Value) -> list[Value]:
    """Answers [kind, message, entity ids]: a value for each, None for those that need a call. Raises BadFrame."""
    match body:
        case [str(kind), message, list(ids)] if len(ids) <= MAX_ENTITIES:
            pass
        case _:
            raise BadFrame(f"a read is [kind, message, up to {MAX_ENTITIES} ids]")
    runner = mailboxes.runners.get(kind)
    answer = runner.kind.read if runner is not None else None
    now = mailboxes.clock.monotonic()
    if answer is None or now >= mailboxes.serve_until:
        return [None] * len(ids)
    mailboxes.loads[kind].calls += -(-len(ids) // READS_A_CALL)
    try:
        numbers = [shard_of(entity_id) for entity_id in ids]
    except (AttributeError, TypeError):
        raise BadFrame("an entity's id is a string") from None
    shards = mailboxes.shards[kind]
    values: list[Value] = [None] * len(ids)
    for index, number in enumerate(numbers):
        shard = shards[number]
        if shard is not None and shard.serving and not shard.parked:
            mailbox = shard.mailboxes.get(ids[index])
            if mailbox is not None and mailbox.inbox is None and mailbox.entity is not None:
                mailbox.used_at = now
                values[index] = answer(mailbox.entity, message)
    return values
