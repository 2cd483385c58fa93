"""MLS groups of 2, 50, 500 and 1,500 members, beside ts-mls: what each step costs one client, on one core.

- create: a new group with all others added in one commit; join: from its Welcome, with the tree beside it.
- update_new, process_new: the first update commit of a group whose members were just added, made and processed; its
  path is sealed to each of them one by one.
- update, process: the same where every member has committed before (see mls/populated_group.py).
- send, receive: an application message of 1 KiB.
- welcome: the size of the Welcome, without the tree.

Values are wall time; `cpu_ms` beside them is CPU time, which the neighbours on a busy machine disturb less.

Suite 1, in which ts-mls uses Node's own Ed25519 and X25519; and suite 2, the platform's default, for ours alone at
1,500 members, because ts-mls's P-256 is JavaScript and takes half a minute to create such a group.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Protocol

from benchmarks.cost import Cost
from benchmarks.figure import Figure, percentiles
from benchmarks.size import sized

if TYPE_CHECKING:
    from benchmarks.mls.populated_group import JoinableGroup

SIZES = (2, 50, 500, 1500)[: sized(4, 1)]
TIMED = ("create", "join", "update_new", "process_new", "update", "process", "send", "receive")
MEASURES = (*TIMED, "welcome")

DEFAULT_SUITE_SIZE = sized(1500, 2)


def _name(suite: int, members: int, measure: str) -> str:
    prefix = "crypto.mls" if suite == 1 else f"crypto.mls.suite{suite}"
    return f"{prefix}.{members}.{measure}"


FIGURES: tuple[str, ...] = (
    *(_name(1, members, measure) for members in SIZES for measure in MEASURES),
    *(_name(2, DEFAULT_SUITE_SIZE, measure) for measure in MEASURES),
)

MESSAGE = bytes(1024)
MESSAGES = sized(40, 2)
UPDATES = sized(10, 1)
# For each of the two loops of one side at one size; what does not fit is left out, but for one pass.
DEADLINE_S = sized(6.0, 0.1)


class Groups(Protocol):
    """One implementation; every step returns its cost and the bytes that travel."""

    def key_package(self, member: str) -> bytes: ...
    def create(self, founder: str, key_packages: list[bytes]) -> tuple[Cost, bytes, bytes]: ...
    def join(self, member: str, welcome: bytes, tree: bytes) -> Cost: ...
    def join_external(self, member: str, group_info: bytes, tree: bytes) -> tuple[Cost, bytes]: ...
    def public_group(self, member: str) -> tuple[bytes, bytes]: ...
    def update(self, member: str) -> tuple[Cost, bytes]: ...
    def process(self, member: str, message: bytes) -> Cost: ...
    def send(self, member: str, data: bytes) -> tuple[Cost, bytes]: ...


@dataclass
class Samples:
    """Costs by measure, and the sizes of the last Welcome and tree in bytes."""

    costs: dict[str, list[Cost]] = field(default_factory=lambda: {measure: [] for measure in TIMED})
    welcome: int = 0
    tree: int = 0

    def add(self, measure: str, cost: Cost) -> None:
        self.costs[measure].append(cost)

    def wall_ms(self, measure: str) -> list[float]:
        return [1000 * cost.wall for cost in self.costs[measure]]

    def cpu_ms(self, measure: str) -> float:
        """Median."""
        return 1000 * median(cost.cpu for cost in self.costs[measure])


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """One size after the other, ours and the peer's beside each other."""
    from benchmarks.mls.our_groups import RNG, OurGroups, lifetime
    from benchmarks.mls.populated_group import populated_group
    from benchmarks.peers import ts_mls_group
    from crypto.mls import CipherSuite
    from tests.peers.node import NodePeer

    def public(suite: CipherSuite, members: int) -> JoinableGroup | None:
        # The two who are measured join it; a group of two is simply used.
        return populated_group(suite, members - 2, lifetime(int(time.time())), RNG) if members > 2 else None

    suite = CipherSuite.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519
    with_peer = [size for size in SIZES if any(wanted(_name(suite, size, measure)) for measure in MEASURES)]
    if with_peer:
        with NodePeer("ts_mls.mjs") as peer:
            for members in with_peer:
                group = public(suite, members)
                ours = _measure(OurGroups(suite), members, group)
                theirs = _measure(ts_mls_group.TsMlsGroups(peer, suite), members, group)
                yield from _figures(suite, members, ours, wanted, ts_mls_group.name(), theirs)
    suite = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
    if any(wanted(_name(suite, DEFAULT_SUITE_SIZE, measure)) for measure in MEASURES):
        samples = _measure(OurGroups(suite), DEFAULT_SUITE_SIZE, public(suite, DEFAULT_SUITE_SIZE))
        yield from _figures(suite, DEFAULT_SUITE_SIZE, samples, wanted)


def _measure(groups: Groups, members: int, public: JoinableGroup | None) -> Samples:
    samples = Samples()
    packages = [groups.key_package(f"member-{number}") for number in range(1, members)]
    end = time.perf_counter() + DEADLINE_S
    for number in range(UPDATES):
        cost, welcome, tree = groups.create("founder", packages)
        samples.add("create", cost)
        samples.welcome, samples.tree = len(welcome), len(tree)
        samples.add("join", groups.join("member-1", welcome, tree))
        cost, commit = groups.update("founder")
        samples.add("update_new", cost)
        samples.add("process_new", groups.process("member-1", commit))
        if number == 0:
            for _ in range(MESSAGES):
                cost, message = groups.send("founder", MESSAGE)
                samples.add("send", cost)
                samples.add("receive", groups.process("member-1", message))
        if time.perf_counter() > end:
            break
    first, second = "founder", "member-1"
    if public is not None:
        first, second = "first", "second"
        groups.join_external(first, public.group_info, public.tree)
        _, joined = groups.join_external(second, *groups.public_group(first))
        groups.process(first, joined)
    else:
        groups.process(first, groups.update(second)[1])
    end = time.perf_counter() + DEADLINE_S
    for _ in range(UPDATES):
        cost, commit = groups.update(first)
        samples.add("update", cost)
        samples.add("process", groups.process(second, commit))
        if time.perf_counter() > end:
            break
    return samples


def _figures(
    suite: int,
    members: int,
    ours: Samples,
    wanted: Callable[[str], bool],
    peer: str | None = None,
    theirs: Samples | None = None,
) -> Iterator[Figure]:
    for measure in TIMED:
        name = _name(suite, members, measure)
        if wanted(name):
            ms = ours.wall_ms(measure)
            extra = {"suite": suite, **percentiles(ms), "cpu_ms": ours.cpu_ms(measure)}
            baseline = None
            if theirs:
                baseline = median(theirs.wall_ms(measure))
                extra |= {"baseline_samples": len(theirs.costs[measure]), "baseline_cpu_ms": theirs.cpu_ms(measure)}
            yield Figure(name, median(ms), "ms", peer, baseline, len(ms), extra)
    name = _name(suite, members, "welcome")
    if wanted(name):
        size = theirs.welcome if theirs else None
        yield Figure(name, ours.welcome, "B", peer, size, 1, {"suite": suite, "tree_bytes": ours.tree})
