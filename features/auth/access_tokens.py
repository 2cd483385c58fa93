"""Access tokens: JWTs (RFC 7519, profile RFC 9068) signed with EdDSA (RFC 8037) under the newest key.

Header: alg, kid, typ ``at+jwt``. Claims: iss, aud, client_id (the brand's own
clients: there are no others), sub (account), sid (sign-in session), iat, exp, jti. Those that decide are required.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
from jwt.algorithms import OKPAlgorithm

from features.auth.errors import BadToken, TokenExpired
from features.auth.keys import SigningKeys
from features.identity import Identity

_TYPE = "at+jwt"
_MAX_VERIFIED = 8192


class AccessTokens:
    """Issues and verifies the access tokens of one brand."""

    def __init__(self, keys: SigningKeys, *, issuer: str, audience: str, lifetime: timedelta) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime
        # A device sends the same token for minutes, and verifying it costs more than the rest of a cached read.
        self._verified: dict[str, tuple[Identity, int]] = {}
        self._generation = keys.generation

    def issue(self, identity: Identity, now: datetime) -> str:
        """Returns a signed token, valid for `lifetime`. Raises NoSigningKey."""
        kid, key = self._keys.newest()
        issued = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(identity.account_id),
            "sid": str(identity.session_id),
            "iat": issued,
            "client_id": self._audience,
            "jti": str(uuid4()),
            "exp": issued + int(self.lifetime.total_seconds()),
        }
        return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid, "typ": _TYPE})

    def verify(self, token: str, now: datetime) -> Identity:
        """Returns the holder of a token. Raises BadToken, TokenExpired. Does not check whether the
        session is live."""
        self._keys.refresh_often()
        if self._generation != self._keys.generation or len(self._verified) >= _MAX_VERIFIED:
            self._verified.clear()
            self._generation = self._keys.generation
        known = self._verified.get(token)
        if known is None:
            known = self._check(token)
            self._verified[token] = known
        identity, expires = known
        if expires <= now.timestamp():
            self._verified.pop(token, None)
            raise TokenExpired
        return identity

    def has_verified(self, token: str) -> bool:
        """Returns whether `verify` needs no signature check for this token, because it passed one before."""
        return token in self._verified and self._generation == self._keys.generation

    def published(self) -> dict[str, Any]:
        """Returns the JSON Web Key Set (RFC 7517) that verifies the tokens."""
        return {
            "keys": [
                {**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": kid, "use": "sig", "alg": "EdDSA"}
                for kid, key in self._keys.public_keys().items()
            ]
        }

    def _check(self, token: str) -> tuple[Identity, int]:
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            key = self._keys.public_key(kid) if isinstance(kid, str) else None
            if key is None or header.get("typ") != _TYPE:
                raise jwt.InvalidTokenError
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=self._audience,
                issuer=self._issuer,
                options={
                    "require": ["iss", "aud", "sub", "sid", "iat", "exp"],
                    "verify_exp": False,  # compared with the platform's clock by the caller
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            return Identity(UUID(claims["sub"]), UUID(claims["sid"])), int(claims["exp"])
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            raise BadToken from None
