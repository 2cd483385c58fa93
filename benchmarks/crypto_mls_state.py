"""MLS groups of 1,500 members as they are stored, and as their delivery service follows them.

- public.commit: an update commit is checked and applied by a PublicGroup that is in memory; every member has committed
  before, and the committer sits in the middle of the tree, so that its path is as long as any.
- public.restore: a PublicGroup from its stored parts. public.stored: what one such commit writes.
- stored.send, stored.receive: what one application message writes; stored.first: the first message of a sender in an
  epoch; stored.commit: what an update commit writes at a member; stored.whole: all parts together.

Sizes are of names and contents, before encryption. Sampling of every figure has a deadline: if the samples wanted do
not fit into it, fewer are taken; one is always made. `bound` is the most that a figure may be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import TypeVar

from benchmarks.cost import Cost, Stopwatch
from benchmarks.figure import Extra, Figure, percentiles
from benchmarks.size import sized

T = TypeVar("T")

MEMBERS = sized(1500, 750)
SUITES = (1, 2)
TIMES = ("public.commit", "public.restore")
SIZES = ("public.stored", "stored.send", "stored.receive", "stored.first", "stored.commit", "stored.whole")
SAMPLES = sized(30, 2)
DEADLINE_S = 20.0  # for each figure
BOUNDS = {"public.commit": 15.0, "stored.send": 2048, "stored.receive": 2048}


def _name(suite: int, measure: str) -> str:
    prefix = "crypto.mls" if suite == 1 else f"crypto.mls.suite{suite}"
    return f"{prefix}.{MEMBERS}.{measure}"


FIGURES: tuple[str, ...] = tuple(_name(suite, measure) for suite in SUITES for measure in (*TIMES, *SIZES))


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    for suite in SUITES:
        if any(wanted(_name(suite, measure)) for measure in (*TIMES, *SIZES)):
            for figure in _measured(suite):
                if wanted(figure.figure):
                    yield figure


def _measured(number: int) -> Iterator[Figure]:
    from benchmarks.mls.our_groups import POLICY, RNG, OurGroups, lifetime
    from benchmarks.mls.populated_group import populated_group
    from crypto.mls import CipherSuite, PublicCommit, PublicGroup

    suite, now = CipherSuite(number), int(time.time())
    made = populated_group(suite, MEMBERS, lifetime(now), RNG)
    groups = OurGroups(suite)
    groups.replace("synthetic 700", 700, made.group_info, made.tree)
    joined = groups.replace("synthetic 300", 300, *groups.public_group("synthetic 700"))
    groups.process("synthetic 700", joined)
    info, tree = groups.public_group("synthetic 700")
    public = PublicGroup.follow(info, now=now, policy=POLICY, ratchet_tree=tree)
    parts = dict(public.changes().put)
    sender, receiver = groups.group("synthetic 700"), groups.group("synthetic 300")
    whole = sender.changes().size
    receiver.changes()

    def commit() -> tuple[Cost, int, int]:
        message = groups.update("synthetic 700")[1]
        groups.process("synthetic 300", message)
        with Stopwatch() as watch:
            checked = public.process(message, now=now)
            assert isinstance(checked, PublicCommit)
            public.apply(checked)
        receiver.changes()
        return watch.cost, public.changes().size, sender.changes().size

    commits = _samples(commit)
    yield _times(_name(number, "public.commit"), [cost for cost, _, _ in commits])
    yield _times(_name(number, "public.restore"), _samples(lambda: _restored(parts)))
    yield _size(_name(number, "public.stored"), [size for _, size, _ in commits])
    yield _size(_name(number, "stored.commit"), [size for _, _, size in commits])
    yield _size(_name(number, "stored.whole"), [whole])

    def exchange() -> tuple[int, int]:
        message = groups.send("synthetic 700", bytes(1024))[1]
        groups.process("synthetic 300", message)
        return sender.changes().size, receiver.changes().size

    first = exchange()
    later = _samples(exchange)
    yield _size(_name(number, "stored.first"), [max(first)])
    yield _size(_name(number, "stored.send"), [sent for sent, _ in later])
    yield _size(_name(number, "stored.receive"), [received for _, received in later])


def _restored(parts: dict[str, bytes]) -> Cost:
    from benchmarks.mls.our_groups import POLICY
    from crypto.mls import PublicGroup

    with Stopwatch() as watch:
        PublicGroup.restore(parts, POLICY)
    return watch.cost


def _samples(take: Callable[[], T]) -> list[T]:
    """Up to SAMPLES of them, as many as there is time for."""
    end = time.perf_counter() + DEADLINE_S
    taken = [take()]
    while len(taken) < SAMPLES and time.perf_counter() < end:
        taken.append(take())
    return taken


def _times(name: str, costs: list[Cost]) -> Figure:
    ms = [1000 * cost.wall for cost in costs]
    cpu = 1000 * median(cost.cpu for cost in costs)
    extra = {**percentiles(ms), "cpu_ms": cpu, **_bound(name, median(ms))}
    return Figure(name, median(ms), "ms", samples=len(ms), extra=extra)


def _size(name: str, sizes: list[int]) -> Figure:
    extra = {"max": max(sizes), **_bound(name, median(sizes))}
    return Figure(name, median(sizes), "B", samples=len(sizes), extra=extra)


def _bound(name: str, value: float) -> dict[str, Extra]:
    bound = next((bound for measure, bound in BOUNDS.items() if name.endswith(f".{measure}")), None)
    return {} if bound is None else {"bound": bound, "within_bound": value <= bound}
