"""The Double Ratchet: 1 KiB messages encrypted and decrypted a second, on one core.

Two kinds of traffic: a stream in one direction (no Diffie-Hellman step) and turns, where each message answers the
last one (one step on each side a message). Neither side stores its state. Ours also encrypts the headers, the
baseline does not.

The rekeying figures are what a message costs with the post-quantum rekeying, over what it costs without (version 1 of
the ratchet), measured in turns in the same run. `bound` is the most that the ratio may be.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from statistics import median

from benchmarks.figure import Figure, quantile
from benchmarks.size import sized

STREAM = "crypto.ratchet.stream"
TURNS = "crypto.ratchet.turns"
PEER_FIGURES: tuple[str, ...] = (STREAM, TURNS)
REKEYING_STREAM = "crypto.ratchet.rekeying.stream"
REKEYING_TURNS = "crypto.ratchet.rekeying.turns"
REKEYING_FIGURES: tuple[str, ...] = (REKEYING_STREAM, REKEYING_TURNS)
FIGURES: tuple[str, ...] = (*PEER_FIGURES, *REKEYING_FIGURES)
REKEYING_BOUND = 1.3

MESSAGE = bytes(1024)
BATCH = sized(200, 10)
ROUNDS = sized(25, 2)


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Rates of both, batch by batch in turns, so that a busy machine slows both alike."""
    yield from asyncio.run(_measure([name for name in PEER_FIGURES if wanted(name)]))
    for name in filter(wanted, REKEYING_FIGURES):
        yield _rekeying(name)


async def _measure(names: list[str]) -> Iterator[Figure]:
    from benchmarks.peers.doubleratchet_pair import NAME, Pair
    from crypto import curve25519
    from crypto.randomness import SystemRandomness
    from crypto.ratchet import DoubleRatchet

    rng = SystemRandomness()
    secret, private = rng.random_bytes(32), rng.random_bytes(32)
    public = curve25519.public_key(private)
    figures = []
    for name in names:
        ours = (
            DoubleRatchet.initiate(secret, public, b"alice and bob", rng),
            DoubleRatchet.respond(secret, private, b"alice and bob"),
        )
        ours[1].decrypt(ours[0].encrypt(b"first", rng))
        pair = await Pair.start(secret, private, public)
        our_rates, peer_rates = [], []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for number in range(BATCH):
                sender = number % 2 if name == TURNS else 0
                ours[1 - sender].decrypt(ours[sender].encrypt(MESSAGE, rng))
            middle = time.perf_counter()
            for number in range(BATCH):
                sender = number % 2 if name == TURNS else 0
                await pair.decrypt(1 - sender, await pair.encrypt(sender, MESSAGE))
            end = time.perf_counter()
            our_rates.append(BATCH / (middle - start))
            peer_rates.append(BATCH / (end - middle))
        figures.append(
            Figure(
                name,
                median(our_rates),
                "1/s",
                NAME,
                median(peer_rates),
                ROUNDS,
                {"p5": quantile(our_rates, 0.05), "p95": quantile(our_rates, 0.95), "batch": BATCH},
            )
        )
    return iter(figures)


def _rekeying(name: str) -> Figure:
    """The ratio of the costs of a message, batch by batch, in CPU time: a busy machine disturbs that less."""
    from crypto import curve25519
    from crypto.randomness import SystemRandomness
    from crypto.ratchet import DEFAULT_PARAMETERS, VERSION_1_PARAMETERS, DoubleRatchet

    rng = SystemRandomness()
    secret, private = rng.random_bytes(32), rng.random_bytes(32)
    pairs = []
    for parameters in (VERSION_1_PARAMETERS, DEFAULT_PARAMETERS):
        alice = DoubleRatchet.initiate(secret, curve25519.public_key(private), b"alice and bob", rng, parameters)
        bob = DoubleRatchet.respond(secret, private, b"alice and bob", parameters)
        bob.decrypt(alice.encrypt(b"first", rng))
        pairs.append((alice, bob))
    seconds: tuple[list[float], list[float]] = ([], [])
    sizes = [0, 0]
    for _ in range(ROUNDS):
        for which, pair in enumerate(pairs):
            start = time.process_time()
            for number in range(BATCH):
                sender = number % 2 if name == REKEYING_TURNS else 0
                message = pair[sender].encrypt(MESSAGE, rng)
                pair[1 - sender].decrypt(message)
                sizes[which] += len(message)
            seconds[which].append(time.process_time() - start)
    ratios = [new / old for old, new in zip(*seconds, strict=True)]
    ratio = sum(seconds[1]) / sum(seconds[0])
    return Figure(
        name,
        ratio,
        "1",
        samples=ROUNDS,
        extra={
            "p5": quantile(ratios, 0.05),
            "p95": quantile(ratios, 0.95),
            "bound": REKEYING_BOUND,
            "within_bound": ratio <= REKEYING_BOUND,
            "bytes_ratio": sizes[1] / sizes[0],
            "us_before": 1e6 * median(seconds[0]) / BATCH,
            "us": 1e6 * median(seconds[1]) / BATCH,
        },
    )
