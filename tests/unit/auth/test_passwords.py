"""Passwords: which are accepted, and that hashing is bounded and takes the same work for everybody."""

import asyncio
from dataclasses import replace

import pytest

from features.auth.errors import HashingBusy
from features.auth.passwords import Hasher, PasswordHashing, check_password
from features.auth.policy import AuthPolicy
from features.errors import Invalid

POLICY = replace(AuthPolicy(), hash_memory_kib=64, hash_passes=1)


@pytest.mark.parametrize("password", ["correct horse battery staple", "пароль-длинный", "🐎🐎🐎battery", "x7!pQ9#mK2"])
def test_long_uncommon_passwords_are_accepted(password: str) -> None:
    check_password(password, POLICY, "ada", "ada@example.org")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password_too_short"),
        ("x7!pQ9#mK", "password_too_short"),
        ("long" * 33, "password_too_long"),
        ("Password123", "password_too_common"),
        ("ababababababab", "password_too_common"),
        ("Ada@Example.org", "password_too_common"),
        ("ada_lovelace", "password_too_common"),
    ],
)
def test_weak_passwords_are_refused(password: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_password(password, POLICY, "ada_lovelace", "ada@example.org")
    assert (refused.value.code, refused.value.field) == (code, "password")


async def test_a_password_verifies_against_its_own_hash_only() -> None:
    hasher = Hasher(POLICY)
    stored = await hasher.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert await hasher.verify(stored, "correct horse")
    assert not await hasher.verify(stored, "Correct horse")
    assert not await hasher.verify(None, "correct horse")
    assert not await hasher.verify(None, "nobody's")
    assert not await hasher.verify("not a hash", "correct horse")


async def test_two_keyboards_type_the_same_password() -> None:
    hasher = Hasher(POLICY)
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
    assert await hasher.verify(await hasher.hash(composed), decomposed)


async def test_a_hash_made_with_other_costs_is_outdated() -> None:
    stored = await Hasher(POLICY).hash("correct horse")
    assert not Hasher(POLICY).is_outdated(stored)
    assert Hasher(replace(POLICY, hash_passes=2)).is_outdated(stored)


async def test_only_some_hash_at_once_and_only_some_wait() -> None:
    hashing = PasswordHashing(replace(POLICY, hashes_at_once=1, hashes_waiting=1))
    release = asyncio.Event()
    order: list[str] = []

    async def occupy(name: str) -> None:
        async with hashing.slot():
            order.append(name)
            await release.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(occupy("first"))
        await asyncio.sleep(0)
        group.create_task(occupy("second"))
        await asyncio.sleep(0)
        assert order == ["first"]
        with pytest.raises(HashingBusy) as refused:
            await occupy("third")
        assert refused.value.retry_after_s == 1
        release.set()
    assert order == ["first", "second"]
