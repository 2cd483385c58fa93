"""Writes the golden files of stored state: run it only for a new version of the format, and keep the old files.

``python -m tests.unit.crypto.mls.make_golden`` from the root of the repository.
"""

import json

from crypto.mls import (
    Add,
    Capabilities,
    CipherSuite,
    Group,
    KeyPackageBundle,
    KeyPackageStore,
    Psks,
    PublicGroup,
)
from crypto.mls.messages import encode_message
from crypto.mls.public_message import protect_public
from crypto.mls.state import STATE_VERSION
from crypto.randomness import SeededRandomness
from tests.unit.crypto.mls.devices import Device
from tests.unit.crypto.mls.party import NOW, OPEN, Person, follow, gather, package, settle
from tests.unit.crypto.mls.vectors import FOLDER

SUITES = (
    CipherSuite.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
    CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256,
)


# What a member listed when the files were written; other capabilities would make other leaves.
CAPABILITIES = Capabilities((1,), (1, 2, 3, 4, 5, 6, 7, 0x0A0A), (0x1A1A,), (0x2A2A,), (1, 2, 0x3A3A))


class GoldenPerson(Person):
    """Someone of that time."""

    capabilities = CAPABILITIES


def golden(suite: CipherSuite) -> dict[str, str]:
    """A member with past epochs, skipped keys, an own update pending; and what it must still understand."""
    persons = [GoldenPerson(f"person {number}", suite) for number in range(5)]
    groups = gather(persons[:4])
    alice, bob, carol, _ = groups
    late = bob.encrypt(b"from an epoch ago")
    psks = Psks({b"psk": b"secret"})
    settle(groups, carol, carol.commit([carol.psk(b"psk")], now=NOW, psks=psks), psks)
    skipped, heard = bob.encrypt(b"the skipped one"), bob.encrypt(b"the one before it came")
    alice.decrypt(heard)
    bundle = persons[4].bundle()
    own_commit = alice.commit([Add(package(bundle))], now=NOW)
    update = alice.propose_update(now=NOW)
    remove = bob.propose_remove(3)
    alice.process(remove, now=NOW)
    for message in (update, remove):
        carol.process(message, now=NOW)
    commit = carol.commit(now=NOW)
    state, before = alice.serialize(), alice.epoch_authenticator
    follow(alice, commit.message)
    return {
        "group": state.hex(),
        "epoch_authenticator": before.hex(),
        "late": late.hex(),
        "skipped": skipped.hex(),
        "heard": heard.hex(),
        "commit": commit.message.hex(),
        "epoch_authenticator_after": alice.epoch_authenticator.hex(),
        "own_commit": own_commit.serialize().hex(),
        "key_package_bundle": bundle.serialize().hex(),
    }


def golden_stores() -> dict[str, dict[str, str]]:
    """The same group in parts, as a member and as its delivery service keep it; and a device's other stores."""
    group = Group.restore(bytes.fromhex(golden(SUITES[0])["group"]), SeededRandomness(b"stores"), OPEN)
    public = PublicGroup.follow(group.group_info(), now=NOW, policy=OPEN)
    for pending in group._state.proposals.values():
        content = pending.content
        message = protect_public(
            group._state.epoch.crypto,
            content,
            group._state.epoch.context,
            group._state.epoch.secrets.membership_key,
        )
        public.process(encode_message(message), now=NOW)
    device = Device("alice")
    keys = KeyPackageStore()
    keys.add(KeyPackageBundle.restore(bytes.fromhex(golden(SUITES[0])["key_package_bundle"])))
    stores = {
        "group": dict(group.changes().put),
        "public group": dict(public.changes().put),
        "stores": {"key packages": keys.serialize(), "known devices": device.known.serialize()},
    }
    return {name: {part: data.hex() for part, data in sorted(parts.items())} for name, parts in stores.items()}


if __name__ == "__main__":
    folder = FOLDER / "golden"
    folder.mkdir(exist_ok=True)
    for chosen in SUITES:
        path = folder / f"v{STATE_VERSION}-suite{int(chosen)}.json"
        path.write_text(json.dumps(golden(chosen), indent=1) + "\n")
    (folder / "stores-v1.json").write_text(json.dumps(golden_stores(), indent=1) + "\n")
