"""How long clients go without an answer when any one process or node of a cluster dies.

Three nodes (a head without work, two workers) as network namespaces of this machine, two gateways per brand, a layer-4
balancer in front, and clients of both brands that try again at once. The power of a worker and of the head is cut, and
one process of each kind is killed, in turn. The figure is the longest time from the first attempt of an operation to
its success. The smallest size kills a gateway and a HAProxy; ENTATIVA_BENCHMARKS_KINDS names other kinds, separated by
commas, for example "ShardHost,power of worker".
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psutil

from benchmarks.figure import Extra, Figure
from benchmarks.size import sized

if TYPE_CHECKING:
    from psutil import Process

    from benchmarks.stack.retrying_clients import RetryingClients
    from cluster.local.cluster import LocalCluster
    from cluster.local.machines import Machine

FIGURES = ("platform.kill_gap_s",)

_CLIENTS = 2
"""Of each brand."""
FIGURE_TIMEOUT_S = sized(2400.0, 500.0)
_KILLING_S = sized(1500.0, 120.0)
"""No further kind is killed after that, so that the figure is there before its deadline."""
_SETTLE_S = 180.0
_QUIET_S = sized(5.0, 2.0)
"""What follows a kill is measured for at least this long."""
_TITLES = re.compile(r"ray::(?!IDLE)([A-Za-z]+(?::[A-Za-z0-9_:-]+)?)|/(haproxy|raylet|gcs_server)\b")
_POWER = "power of "
_KINDS_VARIABLE = "ENTATIVA_BENCHMARKS_KINDS"
_SMALLEST = ("ServeReplica:entativa:gateway", "haproxy")


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Start the cluster, kill one process of each kind, stop it. Takes fifteen minutes or more."""
    from brands.catalogue import BRANDS
    from cluster.local.cluster import local_cluster
    from deployments.cluster_demo import UNLIMITED, Story, sign_up

    with local_cluster(sorted(BRANDS), settings=UNLIMITED) as cluster:
        Story(cluster).start()
        direct = cluster.address(cluster.head)
        tokens = {brand: [sign_up(f"{direct}/{brand}", cluster) for _ in range(_CLIENTS)] for brand in sorted(BRANDS)}
        extra = asyncio.run(_measure(cluster, tokens))
    gaps = [value for name, value in extra.items() if name.endswith("_s") and isinstance(value, float)]
    yield Figure("platform.kill_gap_s", max(gaps), "s", samples=len(gaps), extra=extra)


async def _measure(cluster: LocalCluster, tokens: dict[str, list[str]]) -> dict[str, Extra]:
    """The gap of each kind, and what clients saw in between. Raises TimeoutError at the deadline."""
    from api.routes import VERSION
    from benchmarks.stack.balancer import balancer
    from benchmarks.stack.retrying_clients import RetryingClients

    nodes = [(machine.address, cluster.http_port) for machine in cluster.machines]
    async with asyncio.timeout(FIGURE_TIMEOUT_S), balancer(nodes) as address:
        clients = [RetryingClients(f"{address}/{brand}{VERSION}", tokens[brand]) for brand in tokens]
        running = [asyncio.create_task(each.run()) for each in clients]
        try:
            gaps = await _kill_each(cluster, clients)
        finally:
            for each in clients:
                each.stop()
            await asyncio.gather(*running)
        lost = sum([await _lost(each) for each in clients])
    not_found, writes = (sum(each.not_found for each in clients), sum(len(each.acknowledged) for each in clients))
    return {**gaps, "lost_writes": lost, "not_found": not_found, "writes": writes}


async def _kill_each(cluster: LocalCluster, clients: list[RetryingClients]) -> dict[str, Extra]:
    """The gap of each kind, and of a while in which nothing is killed; and how many kinds there was no time for."""
    await asyncio.sleep(_QUIET_S)
    whole = _whole(cluster)
    gaps: dict[str, Extra] = {}
    begun = started = time.monotonic()
    await asyncio.sleep(2 * _QUIET_S)
    gaps["nothing"] = _longest_s(clients, begun)
    # What takes most with it first.
    kinds = _kinds_to_kill([f"{_POWER}worker", f"{_POWER}head", *sorted(whole)])
    left = len(kinds)
    for kind in kinds:
        begun = time.monotonic()
        if begun - started > _KILLING_S:
            break
        await asyncio.to_thread(_kill, cluster, kind)
        await asyncio.sleep(_QUIET_S)
        await asyncio.to_thread(_settle, cluster, whole)
        gap = gaps[f"{kind.replace(' ', '_').replace(':', '_')}_s"] = _longest_s(clients, begun)
        left -= 1
        print(f"{kind}: {gap:.2f} s, settled after {time.monotonic() - begun:.1f} s", flush=True)
    return {**gaps, "kinds_not_killed": left}


def _kinds_to_kill(every: list[str]) -> list[str]:
    """Raises LookupError for a kind that is not there."""
    if not (wanted := os.environ.get(_KINDS_VARIABLE)):
        return [kind for kind in every if kind in _SMALLEST or sized(1, 0)]
    kinds = [kind.strip() for kind in wanted.split(",")]
    if missing := set(kinds).difference(every):
        raise LookupError(f"{sorted(missing)} are not among {every}")
    return kinds


def _longest_s(clients: list[RetryingClients], since: float) -> float:
    return max(each.longest_s(since) for each in clients)


def _kill(cluster: LocalCluster, kind: str) -> None:
    """One process of that kind, or a machine."""
    if kind == f"{_POWER}head":
        cluster.head.lose_power()
    elif kind == f"{_POWER}worker":
        cluster.workers[0].lose_power()
    else:
        # A worker's rather than the head's, where both have one.
        found = [process for machine in reversed(cluster.machines) for process in _of_kind(machine, kind)]
        found[0].kill()


def _of_kind(machine: Machine, kind: str) -> list[Process]:
    return [process for process in machine.processes() if _kind(process) == kind]


def _kind(process: Process) -> str | None:
    try:
        found = _TITLES.search(process.cmdline()[0])
    except (psutil.Error, IndexError):
        return None
    return (found[1] or found[2]) if found else None


def _count(cluster: LocalCluster) -> Counter[str]:
    kinds = (_kind(process) for machine in cluster.machines for process in machine.processes())
    return Counter(kind for kind in kinds if kind)


def _whole(cluster: LocalCluster) -> Counter[str]:
    """What must be there again after a kill."""
    from brands.catalogue import BRANDS
    from cluster.local.cluster import ENTITY_HOSTS

    return Counter({**_count(cluster), "ShardHost": ENTITY_HOSTS * len(BRANDS)})


def _settle(cluster: LocalCluster, whole: Counter[str]) -> None:
    """Starts nodes that have ended, as systemd would, and waits until all is there again. Raises TimeoutError."""
    from deployments.cluster_demo import Story

    deadline = time.monotonic() + _SETTLE_S
    while (missing := whole - _count(cluster)) and time.monotonic() < deadline:
        for machine in cluster.machines:
            if not _of_kind(machine, "raylet") or (machine is cluster.head and not _of_kind(machine, "gcs_server")):
                cluster.start(machine)
        time.sleep(0.5)
    if missing:
        raise TimeoutError(f"never came back: {dict(missing)}; there are {dict(_count(cluster))}")
    Story(cluster).check_ready(cluster.machines)


async def _lost(clients: RetryingClients) -> int:
    """How many acknowledged posts are not there."""
    import httpx

    async with httpx.AsyncClient(base_url=clients.address, timeout=60) as client:

        async def is_lost(token: str, post: str) -> bool:
            response = await client.get(f"/posts/{post}", headers={"Authorization": f"Bearer {token}"})
            return response.status_code == 404

        lost = 0
        for start in range(0, len(clients.acknowledged), 16):
            some = clients.acknowledged[start : start + 16]
            lost += sum(await asyncio.gather(*(is_lost(token, post) for token, post in some)))
    return lost
