"""The Double Ratchet: 1 KiB messages encrypted and decrypted a second, on one core.

Two kinds of traffic: a stream in one direction (no Diffie-Hellman step) and turns, where each message answers the
last one (one step on each side a message). Neither side stores its state. Ours also encrypts the headers, the
baseline does not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from statistics import median

from benchmarks.figure import Figure, quantile

STREAM = "crypto.ratchet.stream"
TURNS = "crypto.ratchet.turns"
FIGURES: tuple[str, ...] = (STREAM, TURNS)

MESSAGE = bytes(1024)
BATCH = 200
ROUNDS = 25


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Rates of both, batch by batch in turns, so that a busy machine slows both alike."""
    return asyncio.run(_measure([name for name in FIGURES if wanted(name)]))


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
