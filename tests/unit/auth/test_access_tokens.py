"""Access tokens: issued ones verify, all others are refused, and other JOSE libraries verify them from the published
keys."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from features.auth.access_tokens import AccessTokens
from features.auth.keys import SigningKeys, generate_key
from features.errors import Unauthenticated
from features.identity import Identity

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IDENTITY = Identity(UUID(int=1), UUID(int=2))
LIFETIME = timedelta(minutes=15)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generate_key(tmp_path, NOW)
    return tmp_path


def access_tokens(folder: Path, issuer: str = "https://a.example", audience: str = "a") -> AccessTokens:
    return AccessTokens(SigningKeys(folder), issuer=issuer, audience=audience, lifetime=LIFETIME)


def refusal(tokens: AccessTokens, token: str, now: datetime = NOW) -> str:
    with pytest.raises(Unauthenticated) as refused:
        tokens.verify(token, now)
    return refused.value.code


def test_a_token_names_its_account_and_session_on_every_replica(folder: Path) -> None:
    token = access_tokens(folder).issue(IDENTITY, NOW)
    assert access_tokens(folder).verify(token, NOW) == IDENTITY


def test_a_token_works_for_its_lifetime_and_not_a_second_longer(folder: Path) -> None:
    tokens = access_tokens(folder)
    token = tokens.issue(IDENTITY, NOW)
    assert tokens.verify(token, NOW + LIFETIME - timedelta(seconds=1)) == IDENTITY
    assert refusal(tokens, token, NOW + LIFETIME) == "token_expired"
    assert refusal(access_tokens(folder), token, NOW + LIFETIME) == "token_expired"


def test_a_token_of_another_brand_or_installation_is_refused(folder: Path) -> None:
    token = access_tokens(folder).issue(IDENTITY, NOW)
    assert refusal(access_tokens(folder, audience="b"), token) == "bad_token"
    assert refusal(access_tokens(folder, issuer="https://b.example"), token) == "bad_token"


def test_removing_a_key_ends_its_tokens_even_if_they_were_seen_before(folder: Path) -> None:
    tokens = access_tokens(folder)
    token = tokens.issue(IDENTITY, NOW)
    assert tokens.verify(token, NOW) == IDENTITY
    generate_key(folder, NOW + timedelta(days=1))
    assert tokens.verify(token, NOW) == IDENTITY
    (folder / f"{jwt.get_unverified_header(token)['kid']}.pem").unlink()
    with suppress(Unauthenticated):
        while True:  # until a request looks at the folder again
            tokens.verify(token, NOW)
    assert refusal(tokens, token) == "bad_token"


def test_the_published_keys_verify_a_token(folder: Path) -> None:
    tokens = access_tokens(folder)
    token = tokens.issue(IDENTITY, NOW)
    key_set = jwt.PyJWKSet.from_dict(tokens.published())
    key = key_set[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="a", options={"verify_exp": False})
    assert claims["sub"] == str(IDENTITY.account_id)
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= claims.keys()  # RFC 9068, section 2.2
    assert claims["client_id"] == "a"
    assert set(tokens.published()["keys"][0]) == {"kty", "crv", "x", "kid", "use", "alg"}  # no private part


def claims_of(**changes: Any) -> dict[str, Any]:
    moment = int(NOW.timestamp())
    claims = {
        "iss": "https://a.example",
        "aud": "a",
        "sub": str(IDENTITY.account_id),
        "sid": str(IDENTITY.session_id),
        "iat": moment,
        "exp": moment + 60,
    }
    claims.update(changes)
    return {name: value for name, value in claims.items() if value is not None}


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "iat", "exp"])
def test_no_claim_may_be_missing(folder: Path, claim: str) -> None:
    kid, key = SigningKeys(folder).newest()
    headers = {"kid": kid, "typ": "at+jwt"}
    whole = jwt.encode(claims_of(), key, algorithm="EdDSA", headers=headers)
    assert access_tokens(folder).verify(whole, NOW) == IDENTITY
    partial = jwt.encode(claims_of(**{claim: None}), key, algorithm="EdDSA", headers=headers)
    assert refusal(access_tokens(folder), partial) == "bad_token"


@pytest.mark.parametrize("changes", [{"sub": "ada"}, {"sid": "7"}, {"exp": "soon"}, {"sid": 7}, {"exp": []}])
def test_claims_of_the_wrong_kind_are_refused(folder: Path, changes: dict[str, Any]) -> None:
    kid, key = SigningKeys(folder).newest()
    headers = {"kid": kid, "typ": "at+jwt"}
    token = jwt.encode(claims_of(**changes), key, algorithm="EdDSA", headers=headers)
    assert refusal(access_tokens(folder), token) == "bad_token"


def test_forged_tokens_are_refused(folder: Path) -> None:
    kid, key = SigningKeys(folder).newest()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    headers = {"kid": kid, "typ": "at+jwt"}
    forgeries = [
        jwt.encode(claims_of(), "", algorithm="none", headers=headers),
        jwt.encode(claims_of(), public, algorithm="HS256", headers=headers),  # the public key used as a secret
        jwt.encode(claims_of(), Ed25519PrivateKey.generate(), algorithm="EdDSA", headers=headers),
        jwt.encode(claims_of(), key, algorithm="EdDSA", headers={"kid": "../" + kid, "typ": "at+jwt"}),
        jwt.encode(claims_of(), key, algorithm="EdDSA", headers={"kid": kid}),  # another kind of token
    ]
    for forgery in forgeries:
        assert refusal(access_tokens(folder), forgery) == "bad_token"


@given(text=st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}", fullmatch=True))
def test_any_other_text_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-text"
    if not folder.exists():
        generate_key(folder, NOW)
    assert refusal(access_tokens(folder), text) == "bad_token"
