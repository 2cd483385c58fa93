"""The key directory at 1,000,000 accounts, after a year of hourly epochs: what a proof weighs and what a check costs.

`lookup` is a contact's question for the newest keys of an account with three devices, one day after its last one;
`epoch` is one epoch of an owner's check of its own entry. Bytes are those of the encoded answers, times include
decoding.
Most entries are random, as the VRF's outputs are; those that are asked for go through the VRF. `bound` is the
most that a figure may be, in its own unit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks.figure import Extra, Figure, percentiles, quantile
from benchmarks.size import sized

ACCOUNTS = sized(1_000_000, 1_000)
EPOCHS = sized(365 * 24, 48)
ASKED = sized(200, 3)
HOUR = 3_600_000
BOUNDS = {
    "crypto.directory.lookup.bytes": (2_048.0, "B"),
    "crypto.directory.lookup.check": (5.0, "ms"),
    "crypto.directory.epoch.bytes": (1_536.0, "B"),
    "crypto.directory.epoch.check": (1.0, "ms"),
}
FIGURES: tuple[str, ...] = tuple(BOUNDS)


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """All four come from one directory."""
    for name, samples in _measure().items():
        bound, unit = BOUNDS[name]
        value = quantile(samples, 0.5)
        if wanted(name):
            extra: dict[str, Extra] = {"bound": bound, "within_bound": value <= bound, "accounts": ACCOUNTS}
            yield Figure(name, value, unit, samples=len(samples), extra={**percentiles(samples), **extra})


def _measure() -> dict[str, list[float]]:
    import nacl.bindings

    from crypto.directory import AccountKeys, EpochAnswer, KeyDirectory, LookupAnswer, OwnerMonitor, SparseTree
    from crypto.directory import check_lookup as check
    from crypto.identity import IdentityKeyPair
    from crypto.randomness import SystemRandomness
    from crypto.transparency import LogAuditor

    log_key = os.urandom(32)
    log_public = nacl.bindings.crypto_sign_seed_keypair(log_key)[0]
    others = SparseTree({os.urandom(32): os.urandom(32) for _ in range(ACCOUNTS - ASKED)})
    served = KeyDirectory(log_key, os.urandom(32), os.urandom(32), log_public, others)
    devices = {number: IdentityKeyPair.generate(SystemRandomness()).public for number in range(3)}
    accounts = [AccountKeys.first(f"account {number}", devices) for number in range(ASKED)]
    for keys in accounts:
        served.submit(keys)
    for number in range(EPOCHS):
        served.close_epoch(number * HOUR)
    now = (EPOCHS - 1) * HOUR

    samples: dict[str, list[float]] = {name: [] for name in FIGURES}
    for keys in accounts:
        auditor = LogAuditor(log_public, served.head(EPOCHS - 24))
        answer = served.lookup(keys.user, EPOCHS - 24, 0).encode()
        start = time.perf_counter()
        found = check(served.public, auditor, keys.user, LookupAnswer.decode(answer), None, now=now, max_age=HOUR)
        samples["crypto.directory.lookup.check"].append(1_000 * (time.perf_counter() - start))
        samples["crypto.directory.lookup.bytes"].append(len(answer))
        assert found == keys

        monitor = OwnerMonitor(served.index(keys.user)[0], EPOCHS - 24, now)
        monitor.publish(keys, now)
        answers = served.epochs(keys.user, EPOCHS - 24)
        answers[0] = replace(answers[0], opened=(keys, served.opening(keys)))
        encoded = [one.encode() for one in answers]
        start = time.perf_counter()
        decoded = [EpochAnswer.decode(one) for one in encoded]
        monitor.check(auditor, decoded, now=now, max_age=HOUR, max_delay=HOUR)
        samples["crypto.directory.epoch.check"].append(1_000 * (time.perf_counter() - start) / len(encoded))
        samples["crypto.directory.epoch.bytes"].append(len(encoded[-1]))
    return samples
