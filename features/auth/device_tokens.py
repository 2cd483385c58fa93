"""Device tokens: which devices an account has logged in from, so that guesses of others do not lock those out.

The OWASP device cookie (https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies) without
a cookie, so that native clients have it, too: a log-in returns a token, and the next one sends it back. A token opens
nothing. It is base64url of: device id (16 bytes, random), expiry (8, seconds since 1970), HMAC-SHA256 (32).
"""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from features.accounts.model import Account

_ID, _EXPIRES, _MAC = 16, 8, 32


@dataclass(frozen=True, slots=True)
class DeviceTokens:
    """The device tokens of one brand, under `secret`. A token is bound to an account and the hash of its password, so
    that a new password forgets every device; so does a renewed hash, which costs devices nothing else."""

    secret: bytes
    lifetime: timedelta

    def issue(self, account_id: UUID, password_hash: str, device_id: bytes | None, now: datetime) -> str:
        """Returns a token for a device, which keeps its id if it had one: guesses are counted by it."""
        expires = int((now + self.lifetime).timestamp()).to_bytes(_EXPIRES, "big")
        named = (device_id or secrets.token_bytes(_ID)) + expires
        return base64.urlsafe_b64encode(named + self._mac(account_id, password_hash, named)).decode().rstrip("=")

    def device_of(self, token: str | None, account: Account | None, now: datetime) -> bytes | None:
        """Returns the id of the device, None unless the token was issued to it for this account and has not expired."""
        if token is None or account is None:
            return None
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        named, mac = raw[: _ID + _EXPIRES], raw[_ID + _EXPIRES :]
        if len(mac) != _MAC or not hmac.compare_digest(mac, self._mac(account.id, account.password_hash, named)):
            return None
        expires = int.from_bytes(named[_ID:], "big")
        return named[:_ID] if expires > now.timestamp() else None

    def _mac(self, account_id: UUID, password_hash: str, named: bytes) -> bytes:
        bound = b"auth.device\0" + account_id.bytes + named + password_hash.encode()
        return hmac.digest(self.secret, bound, "sha256")
