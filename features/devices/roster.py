"""Decides on changes of an account's devices: what a request says against what the account has. Pure functions."""

from base64 import b64encode
from collections.abc import Mapping
from uuid import UUID

from crypto.directory import AccountKeys
from crypto.errors import DecodeError
from crypto.identity import IdentityKey, InvalidSignature, verify_session_binding
from features.devices.errors import AccountKeysOutdated, BadAccountKeys, BadIdentityKey, BadSessionBinding
from features.devices.model import Device, Roster, user_of


def identity_of(identity_key: bytes) -> IdentityKey:
    """Returns the key of 33 bytes. Raises BadIdentityKey."""
    try:
        return IdentityKey.decode(identity_key)
    except DecodeError:
        raise BadIdentityKey from None


def check_binding(identity: IdentityKey, account_id: UUID, number: int, session_id: UUID, signature: bytes) -> None:
    """Raises BadSessionBinding unless the device with this identity and number says that the session acts for it."""
    try:
        verify_session_binding(identity, user_of(account_id), number, session_id.bytes, signature)
    except InvalidSignature:
        raise BadSessionBinding from None


def with_device(roster: Roster, account_id: UUID, identity: IdentityKey, encoded: bytes) -> AccountKeys:
    """Returns the version of the account's keys in which a device with this identity and the next number is added.
    Raises BadAccountKeys, AccountKeysOutdated unless `encoded` is that version."""
    try:
        keys = AccountKeys.decode(encoded)
    except DecodeError:
        raise BadAccountKeys from None
    if keys.user != user_of(account_id):
        raise BadAccountKeys
    newest = roster.keys
    follows = keys.number == 1 if newest is None else keys.follows(newest.number, newest.digest)
    if not follows:
        outdated = AccountKeysOutdated()
        outdated.current = {
            "account_keys": None if newest is None else b64encode(newest.encode()).decode(),
            "next_number": roster.last_number + 1,
        }
        raise outdated
    expected = {**_identities(roster), roster.last_number + 1: identity}
    if dict(keys.devices) != expected:
        raise BadAccountKeys
    return keys


def without_device(roster: Roster, number: int) -> AccountKeys:
    """Returns the version of the account's keys without a device that it has."""
    assert roster.keys is not None
    return roster.keys.successor(
        {other: identity for other, identity in _identities(roster).items() if other != number}
    )


def _identities(roster: Roster) -> Mapping[int, IdentityKey]:
    return {} if roster.keys is None else dict(roster.keys.devices)


def repeated(roster: Roster, identity_key: bytes, encoded: bytes, session_id: UUID) -> Device | None:
    """Returns the device that this same request has registered before, None if none has."""
    if roster.keys is None or roster.keys.encode() != encoded:
        return None
    device = roster.device(roster.last_number)
    return device if device and (device.identity_key, device.session_id) == (identity_key, session_id) else None
