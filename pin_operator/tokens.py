"""Whose request it is: access tokens of the platform, verified with the keys that it publishes (RFC 7517, RFC 9068).

An operator does not ask the platform whether the session still lives: a token is good until it expires.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import httpx
import jwt

_TYPE = "at+jwt"
_LEEWAY_S = 5
_AGAIN_S = 10.0
"""How soon at the earliest keys are fetched again, for a token that names an unknown one."""
_MAX_AGE_S = 600.0
"""How long keys count without being fetched again: a brand can withdraw one that was stolen."""

FetchKeys = Callable[[str], Awaitable[Any]]


class BadToken(Exception):
    """Not an access token of a brand that this operator serves, or no longer."""


class KeysUnavailable(Exception):
    """The keys of a brand cannot be fetched."""


async def fetch_keys(issuer: str) -> Any:
    """The JSON Web Key Set of an issuer. Raises KeysUnavailable."""
    try:
        async with httpx.AsyncClient(timeout=10.0) as client:
            response = await client.get(f"{issuer.rstrip('/')}/.well-known/jwks.json")
            response.raise_for_status()
            return response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise KeysUnavailable from error


class AccessTokens:
    """Verifies tokens. `issuers`: by brand."""

    def __init__(
        self,
        issuers: Mapping[str, str],
        fetch: FetchKeys = fetch_keys,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._brands = {issuer: brand for brand, issuer in issuers.items()}
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: dict[str, dict[str, jwt.PyJWK]] = {}
        self._fetched: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._lock = asyncio.Lock()

    async def account_of(self, token: str) -> str:
        """The holder, as `<brand>:<32 hexadecimal digits>`. Raises BadToken, KeysUnavailable."""
        try:
            header = jwt.get_unverified_header(token)
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (jwt.PyJWTError, ValueError):
            raise BadToken from None
        kid = header.get("kid")
        if not isinstance(issuer, str) or not isinstance(kid, str) or header.get("typ") != _TYPE:
            raise BadToken
        brand = self._brands.get(issuer)
        if brand is None:
            raise BadToken
        key = await self._key(issuer, kid)
        if key is None:
            raise BadToken
        try:
            claims = jwt.decode(
                token,
                key.key,
                algorithms=["EdDSA"],
                audience=brand,
                issuer=issuer,
                leeway=_LEEWAY_S,
                options={"require": ["iss", "aud", "sub", "exp"], "verify_iat": False, "verify_nbf": False},
            )
            return f"{brand}:{UUID(claims['sub']).hex}"
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            raise BadToken from None

    async def _key(self, issuer: str, kid: str) -> jwt.PyJWK | None:
        key = self._known(issuer, kid)
        if key is not None:
            return key  # without the lock: whoever sends unknown keys makes others of them wait, and nobody else
        async with self._lock:
            now, asked = self._monotonic(), self._asked.get(issuer)
            if self._known(issuer, kid) is None and (asked is None or now - asked >= _AGAIN_S):
                self._asked[issuer] = now
                self._keys[issuer] = _parse(await self._fetch(issuer))
                self._fetched[issuer] = now
            elif self._asked.get(issuer) != self._fetched.get(issuer):
                raise KeysUnavailable  # as a moment ago, when they were asked for
            return self._known(issuer, kid)

    def _known(self, issuer: str, kid: str) -> jwt.PyJWK | None:
        return self._keys[issuer].get(kid) if self._is_fresh(issuer) else None

    def _is_fresh(self, issuer: str) -> bool:
        fetched = self._fetched.get(issuer)
        return fetched is not None and self._monotonic() - fetched < _MAX_AGE_S


def _parse(found: Any) -> dict[str, jwt.PyJWK]:
    try:
        keys = jwt.PyJWKSet.from_dict(found).keys
        return {key.key_id: key for key in keys if key.key_id and key.key_type == "OKP"}
    except (jwt.PyJWTError, AttributeError, TypeError) as error:
        raise KeysUnavailable from error
