"""Checks what a device uploads of prekeys, and makes bundles of what is stored. Pure functions."""

from dataclasses import dataclass

from crypto import curve25519, wire
from crypto.errors import DecodeError
from crypto.handshake import KemPreKey, OneTimePreKey, PreKeyBundle, PublishedPreKeys, SignedPreKey, kem
from crypto.identity import IdentityKey, InvalidSignature
from features.devices.errors import BadPreKeys, TooManyPreKeys
from features.devices.model import Device

MAX_UPLOAD = 100
"""One-time prekeys of either kind."""


@dataclass(frozen=True, slots=True)
class StoredPreKeys:
    """The keys that are handed out for one device, encoded. `one_time`, `kem`: None once they have run out."""

    number: int
    identity_key: bytes
    signed: bytes
    last_resort: bytes
    one_time: bytes | None
    kem: bytes | None

    def bundle(self) -> bytes:
        """Returns crypto.handshake.PreKeyBundle, encoded."""
        one_time = None if self.one_time is None else OneTimePreKey.read(wire.Reader(self.one_time, "prekey"))
        return PreKeyBundle(
            IdentityKey.decode(self.identity_key),
            SignedPreKey.read(wire.Reader(self.signed, "signed prekey")),
            one_time,
            KemPreKey.read(wire.Reader(self.last_resort if self.kem is None else self.kem, "KEM prekey")),
        ).encode()


@dataclass(frozen=True, slots=True)
class TakenPreKeys:
    """The keys that were taken from devices, and the numbers of the devices that have few left since."""

    keys: list[StoredPreKeys]
    low: list[int]


def read_upload(encoded: bytes, device: Device) -> PublishedPreKeys:
    """Returns what a device uploads. Raises BadPreKeys unless the device's identity key has signed all that it has to
    sign, TooManyPreKeys."""
    try:
        upload = PublishedPreKeys.decode(encoded)
        if max(len(upload.one_time), len(upload.one_time_kem)) > MAX_UPLOAD:
            raise TooManyPreKeys(f"An upload has at most {MAX_UPLOAD} prekeys of either kind.")
        _check(upload, device)
    except DecodeError as error:
        raise BadPreKeys(f"These are no prekeys: {error}.") from None
    except InvalidSignature:
        raise BadPreKeys("A prekey is not signed by the device's identity key.") from None
    return upload


def _check(upload: PublishedPreKeys, device: Device) -> None:
    if upload.identity.encode() != device.identity_key:
        raise BadPreKeys("The prekeys are those of another device.")
    kems = (upload.last_resort, *upload.one_time_kem)
    if not upload.last_resort.last_resort or any(key.last_resort for key in upload.one_time_kem):
        raise BadPreKeys("The mark of a last resort is on the wrong key.")
    for ids in ([key.id for key in upload.one_time], [key.id for key in kems]):
        if len(set(ids)) != len(ids):
            raise BadPreKeys("Two prekeys have one id.")
    upload.identity.verify(curve25519.encode_public(upload.signed.public), upload.signed.signature)
    for key in kems:
        kem.check_public(key.public)
        upload.identity.verify(kem.encode_public(key.public), key.signature)
