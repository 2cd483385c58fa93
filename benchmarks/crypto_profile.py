"""The share of each operation's CPU time that is spent in OpenSSL and libsodium, in percent.

The extra keys name the Python functions that take most of the rest, each with its own percentage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmarks.figure import Figure
from benchmarks.size import sized

RATCHET = ("stream", "turns")
MLS = ("create", "join", "update", "process", "send", "receive")
MEMBERS = sized(1500, 10)
MESSAGES = sized(1000, 10)

FIGURES: tuple[str, ...] = (
    *(f"crypto.profile.ratchet.{name}" for name in RATCHET),
    *(f"crypto.profile.mls.{MEMBERS}.{name}" for name in MLS),
)


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Each action twice: undisturbed, and under cProfile."""
    from benchmarks.native_share import native_share

    actions = {**_ratchet_actions(), **(_mls_actions() if any(map(wanted, FIGURES[len(RATCHET) :])) else {})}
    for name, action in actions.items():
        share, rest = native_share(action)
        if wanted(name):
            yield Figure(name, share, "%", extra=dict(rest))


def _ratchet_actions() -> dict[str, Callable[[], object]]:
    from crypto import curve25519
    from crypto.randomness import SystemRandomness
    from crypto.ratchet import DoubleRatchet

    rng = SystemRandomness()
    secret, private = rng.random_bytes(32), rng.random_bytes(32)
    parties = (
        DoubleRatchet.initiate(secret, curve25519.public_key(private), b"alice and bob", rng),
        DoubleRatchet.respond(secret, private, b"alice and bob"),
    )
    parties[1].decrypt(parties[0].encrypt(b"first", rng))

    def exchange(turns: bool) -> None:
        for number in range(MESSAGES):
            sender = number % 2 if turns else 0
            parties[1 - sender].decrypt(parties[sender].encrypt(bytes(1024), rng))

    return {
        "crypto.profile.ratchet.stream": lambda: exchange(False),
        "crypto.profile.ratchet.turns": lambda: exchange(True),
    }


def _mls_actions() -> dict[str, Callable[[], object]]:
    """In the order in which they must run: each uses what the one before has made."""
    from benchmarks.mls.our_groups import RNG, OurGroups, lifetime
    from benchmarks.mls.populated_group import populated_group
    from crypto.mls import CipherSuite

    suite = CipherSuite.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519
    groups = OurGroups(suite)
    packages = [groups.key_package(f"member-{number}") for number in range(1, MEMBERS)]
    made: dict[str, bytes] = {}
    public = populated_group(suite, MEMBERS - 2, lifetime(int(time.time())), RNG)
    groups.join_external("first", public.group_info, public.tree)
    groups.process("first", groups.join_external("second", *groups.public_group("first"))[1])

    def create() -> None:
        _, made["welcome"], made["tree"] = groups.create("founder", packages)

    def update() -> None:
        commits.append(groups.update("first")[1])

    def process() -> None:
        groups.process("second", commits.pop(0))

    def send() -> None:
        sent.append([groups.send("first", bytes(1024))[1] for _ in range(MESSAGES // 10)])

    def receive() -> None:
        for message in sent.pop(0):
            groups.process("second", message)

    commits: list[bytes] = []
    sent: list[list[bytes]] = []
    actions: tuple[Callable[[], object], ...] = (
        create,
        lambda: groups.join("member-1", made["welcome"], made["tree"]),
        update,
        process,
        send,
        receive,
    )
    return {f"crypto.profile.mls.{MEMBERS}.{name}": action for name, action in zip(MLS, actions, strict=True)}
