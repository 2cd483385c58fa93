"""Decisions about accounts and device sessions."""

from dataclasses import dataclass
from typing import Self

from features.auth.keys import SigningKeys
from features.auth.policy import AuthPolicy
from features.profiles.service import ProfileService

from cluster.redis import Redis


@dataclass(frozen=True, slots=True)
class AuthService:
    """Build it with `create`."""

    policy: AuthPolicy
    profiles: ProfileService
    keys: SigningKeys
    redis: Redis
    brand: str
    title: str
    issuer: str
    secret: bytes

    @classmethod
    def create(
        cls,
        *,
        policy: AuthPolicy,
        profiles: ProfileService,
        keys: SigningKeys,
        redis: Redis,
        brand: str,
        title: str,
        issuer: str,
        secret: bytes,
    ) -> Self:
        """`title` is how mails call the product, `issuer` goes into tokens, `secret` (settings.cluster_secret) keys
        the hashes of codes."""
        return cls(policy, profiles, keys, redis, brand, title, issuer, secret)
