"""Messages as clients send them: over a socket as maps; over HTTP api/messaging.py reads them."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from features.devices.model import DeviceAddress
from features.messaging.errors import BadMessage, DuplicateDevice
from features.messaging.model import MAX_ENVELOPE_BYTES, MAX_EXPIRES_IN_S, MAX_PAYLOADS, Envelope, Outgoing

MAX_DEVICE = 2**31 - 1


def read_message(data: Mapping[str, Any]) -> tuple[UUID, Outgoing]:
    """Returns the conversation and the message of a map with `conversation_id` and the members of the body that HTTP
    takes. Ciphertext is bytes, or text in Base64. Raises BadMessage, which names the member."""
    payloads = data.get("payloads")
    if not isinstance(payloads, list) or not 0 < len(payloads) <= MAX_PAYLOADS:
        raise BadMessage(f"a list of 1 to {MAX_PAYLOADS} payloads", field="payloads")
    expires_in_s = data.get("expires_in_s")
    if expires_in_s is not None and not _is_number(expires_in_s, MAX_EXPIRES_IN_S):
        raise BadMessage(f"a number from 1 to {MAX_EXPIRES_IN_S}", field="expires_in_s")
    envelopes = tuple(_envelope(payload, f"payloads.{number}") for number, payload in enumerate(payloads))
    message = Outgoing(_id(data, "client_id"), envelopes, expires_in_s)
    return read_conversation(data), message


def read_conversation(data: Mapping[str, Any]) -> UUID:
    """Returns the conversation that a map names. Raises BadMessage."""
    return _id(data, "conversation_id")


def check_devices(message: Outgoing) -> None:
    """Raises DuplicateDevice if two payloads are for the same device."""
    if len({envelope.device for envelope in message.envelopes}) < len(message.envelopes):
        raise DuplicateDevice


def _envelope(payload: Any, field: str) -> Envelope:
    if not isinstance(payload, dict):
        raise BadMessage("a map", field=field)
    number: Any = payload.get("device")
    ciphertext = payload.get("envelope")
    if not _is_number(number, MAX_DEVICE):
        raise BadMessage("the number of a device", field=f"{field}.device")
    if isinstance(ciphertext, str):
        try:
            ciphertext = b64decode(ciphertext, validate=True)
        except ValueError:
            raise BadMessage("Base64", field=f"{field}.envelope") from None
    if not isinstance(ciphertext, bytes) or not 0 < len(ciphertext) <= MAX_ENVELOPE_BYTES:
        raise BadMessage(f"1 to {MAX_ENVELOPE_BYTES} bytes", field=f"{field}.envelope")
    return Envelope(DeviceAddress(_id(payload, "account_id", f"{field}.account_id"), number), ciphertext)


def _id(data: Mapping[str, Any], name: str, field: str | None = None) -> UUID:
    try:
        return UUID(data.get(name))
    except (ValueError, AttributeError, TypeError):
        raise BadMessage("a UUID", field=field or name) from None


def _is_number(value: Any, most: int) -> bool:
    return type(value) is int and 1 <= value <= most
