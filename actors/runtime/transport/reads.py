"""Reads of many entities, in one call to each of their hosts (hosting/reads.py answers them)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from actors.runtime.errors import CallError, DeadlineExceeded
from actors.runtime.shard_map import shard_of
from actors.runtime.transport.router import Router
from actors.runtime.value import Value

WHAT = "read"
MAX_ENTITIES = 512
"""Of one call: the host does nothing else meanwhile."""


async def read(router: Router, kind: str, entity_ids: Sequence[str], message: Value, timeout_s: float) -> list[Value]:
    """Returns what the kind's ``read`` answers for each entity; None for those that need a call: they are not in memory
    or in a turn, or their host could not be reached. Raises DeadlineExceeded after ``timeout_s`` seconds."""
    owners = router.view.owners.get(kind)
    if owners is None:
        return [None] * len(entity_ids)
    hosts = [owners[shard_of(entity_id)] for entity_id in entity_ids]
    if len({*hosts}) == 1 and len(hosts) <= MAX_ENTITIES and hosts[0]:
        try:
            answers: list[Value] = await router.call_host(
                hosts[0], WHAT, [kind, message, [*entity_ids]], timeout_s, patient=False
            )
        except DeadlineExceeded:
            raise
        except CallError:
            return [None] * len(entity_ids)
        return answers
    return await _read_from_several(router, kind, entity_ids, hosts, message, timeout_s)


async def _read_from_several(
    router: Router, kind: str, entity_ids: Sequence[str], hosts: Sequence[str], message: Value, timeout_s: float
) -> list[Value]:
    values: list[Value] = [None] * len(entity_ids)
    by_host: dict[str, list[int]] = {}
    for index, host in enumerate(hosts):
        by_host.setdefault(host, []).append(index)
    parts = [
        (host, indexes[first : first + MAX_ENTITIES])
        for host, indexes in by_host.items()
        for first in range(0, len(indexes), MAX_ENTITIES)
        if host
    ]
    calls = [
        router.call_host(host, WHAT, [kind, message, [entity_ids[index] for index in part]], timeout_s, patient=False)
        for host, part in parts
    ]
    for (_, part), answer in zip(parts, await asyncio.gather(*calls, return_exceptions=True), strict=True):
        if isinstance(answer, DeadlineExceeded):
            raise answer
        if isinstance(answer, BaseException):
            if not isinstance(answer, CallError):
                raise answer
            continue  # a host that goes, or of a version that answers no reads
        for index, value in zip(part, answer, strict=True):
            values[index] = value
    return values
