"""Passwords: which are accepted (NIST SP 800-63B, section 5.1.1.2) and how they are hashed (Argon2id, RFC 9106).

Hashing is slow on purpose, so it runs on threads (argon2 releases the interpreter lock), a few at once, behind a
bounded queue. Requests wait in it before their first SQL statement, so they hold no database connection.
"""

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cluster.cancellation import run_to_completion
from features.auth.errors import HashingBusy, PasswordTooCommon, PasswordTooLong, PasswordTooShort
from features.auth.policy import AuthPolicy

T = TypeVar("T")

COMMON = frozenset(
    """
    0123456789 0987654321 1111111111 1122334455 123123123123 1234512345 123454321 1234567890 12345678910 123456789a
    1234567891 1234qwerasdf 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc 6543210987 9876543210 aaaaaaaaaa abcd123456
    abcdefghij administrator asdfasdfasdf asdfghjkl1 asdfghjkl; basketball changeme123 charlie123 computer123
    dragon1234 football123 iloveyou12 iloveyou123 letmein123 letmein1234 liverpool1 manchester master1234 michael123
    minecraft1 monkey1234 passw0rd123 password01 password10 password11 password12 password123 password1234
    password12345 password123456 passwordpassword princess123 q1w2e3r4t5 q1w2e3r4t5y6 qazwsxedcrfv qwer123456
    qwerty1234 qwerty12345 qwerty123456 qwertyqwerty qwertyuiop qwertyuiop1 qwertyuiop123 starwars123 sunshine123
    superman123 trustno1234 unbelievable welcome123 welcome1234 zaq12wsxcde3 zxcvbnm123 zxcvbnm1234
    """.split()  # noqa: SIM905 - a list of lines would be longer and read worse
)
"""The most frequent leaked passwords of ten or more characters, in lower case."""


def normalise_password(password: str) -> str:
    """Returns the password in NFKC, so that it is the same from every keyboard, as NIST recommends."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, policy: AuthPolicy, *personal: str) -> None:
    """Raises Invalid unless the password is acceptable. `personal` are texts an attacker tries first: the username and
    the e-mail address."""
    password = normalise_password(password)
    if len(password) < policy.password_min_length:
        raise PasswordTooShort(f"A password has at least {policy.password_min_length} characters.")
    if len(password) > policy.password_max_length:
        raise PasswordTooLong(f"A password has at most {policy.password_max_length} characters.")
    folded = password.casefold()
    if folded in COMMON or len(set(folded)) < 4 or folded in {text.casefold() for text in personal}:
        raise PasswordTooCommon


class Hasher:
    """Hashes and verifies passwords. Use it while holding a slot of `PasswordHashing`."""

    def __init__(self, policy: AuthPolicy) -> None:
        self._argon2 = PasswordHasher(time_cost=policy.hash_passes, memory_cost=policy.hash_memory_kib, parallelism=1)
        self._nobody = self._argon2.hash("nobody's")

    async def hash(self, password: str) -> str:
        """Returns the PHC string of the password with a new salt."""
        return await _on_thread(self._argon2.hash, normalise_password(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Returns whether the password has that hash. None costs the same work and is always False."""
        matches = await _on_thread(self._verify, stored or self._nobody, normalise_password(password))
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Returns whether the hash was created with other costs than the policy demands."""
        return self._argon2.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._argon2.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


class PasswordHashing:
    """Limits concurrent hashing in one process."""

    def __init__(self, policy: AuthPolicy) -> None:
        self._hasher = Hasher(policy)
        self._slots = asyncio.Semaphore(policy.hashes_at_once)
        self._max_waiting = policy.hashes_waiting
        self._waiting = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Hasher]:
        """Waits for a slot and holds it. Raises HashingBusy if too many wait already. Not reentrant."""
        if self._slots.locked() and self._waiting >= self._max_waiting:
            raise HashingBusy(retry_after_s=1)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield self._hasher
        finally:
            self._slots.release()


async def _on_thread(work: Callable[..., T], *arguments: object) -> T:
    """Runs `work` on a thread, to its end: a cancelled request keeps its slot as long as the thread is busy."""
    return await run_to_completion(asyncio.to_thread(work, *arguments))
