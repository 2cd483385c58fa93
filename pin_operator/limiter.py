"""The steps of an account's guess limiter (crypto.backup.GuessLimiter), each durable before it is answered.

Time decides nothing here: guesses come back by a right one, never by waiting.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from crypto.backup import Answer, Enrolment, GuessesExhausted, GuessLimiter, StoreRolledBack, WrongSecret
from crypto.errors import CryptoError
from pin_operator.metrics import STEPS
from pin_operator.sealing import StateRejected, StateSealer
from pin_operator.store import Stores

R = TypeVar("R")
_Step = Callable[[GuessLimiter, int], tuple[GuessLimiter, R]]


class NoPin(Exception):
    """The account has no PIN here, or its guesses are used up and it has none any more."""


class WrongOperator(Exception):
    """The share is another operator's."""


@dataclass(frozen=True, slots=True)
class Limiter:
    """All accounts of operator number `index`. `account` names brand and account. Every method raises one of
    STORE_ERRORS where a store does not answer: then nobody knows whether the step counts. StoreRolledBack and
    StateRejected say that the store of states was tampered with."""

    index: int
    stores: Stores
    sealer: StateSealer

    async def enrol(self, account: str, enrolment: Enrolment) -> None:
        """Takes a share, in place of whatever the account had. Raises WrongOperator."""
        if enrolment.share.index != self.index:
            raise WrongOperator
        async with self.stores.anchored(account) as anchor:
            state = GuessLimiter.enrol(account, enrolment, anchored=anchor.sequence)
            await self._write(account, state)
            anchor.sequence = state.sequence
        STEPS.labels("enrol", "done").inc()

    async def guess(self, account: str, element: bytes) -> Answer:
        """Answers a guess. Raises NoPin, GuessesExhausted, or DecodeError for a bad element, which costs none."""
        return await self._step("guess", account, lambda state, anchored: state.guess(element, anchored=anchored))

    async def confirm(self, account: str, token: bytes) -> None:
        """Gives the guesses back to whoever has guessed right. Raises NoPin, GuessesExhausted, WrongSecret."""
        await self._step("confirm", account, lambda state, anchored: (state.confirm(token, anchored=anchored), None))

    async def note_archive(self, account: str, token: bytes, archive: int) -> None:
        """Notes the number of the newest archive. Raises NoPin, GuessesExhausted, WrongSecret."""
        await self._step(
            "note_archive",
            account,
            lambda state, anchored: (state.note_archive(token, archive, anchored=anchored), None),
        )

    async def remaining(self, account: str) -> int:
        """How many guesses are left; 0 for none. Raises NoPin."""
        return (await self._read(account)).remaining

    async def forget(self, account: str) -> None:
        """Deletes an account's share. Its anchor stays."""
        async with self.stores.anchored(account):
            await self.stores.delete_state(account)
        STEPS.labels("forget", "done").inc()

    async def _step(self, name: str, account: str, step: "_Step[R]") -> R:
        try:
            async with self.stores.anchored(account) as anchor:
                following, result = step(await self._read(account), anchor.sequence)
                await self._write(account, following)
                anchor.sequence = following.sequence
        except (NoPin, StateRejected, CryptoError) as error:
            STEPS.labels(name, _OUTCOMES.get(type(error), "refused")).inc()
            raise
        STEPS.labels(name, "done").inc()
        return result

    async def _read(self, account: str) -> GuessLimiter:
        sealed = await self.stores.state(account)
        if sealed is None:
            raise NoPin
        try:
            return GuessLimiter.restore(self.sealer.open(account, sealed), account)
        except CryptoError as error:  # of another version: nothing that the caller has sent
            raise StateRejected from error

    async def _write(self, account: str, state: GuessLimiter) -> None:
        await self.stores.write_state(account, self.sealer.seal(account, state.serialize()))


_OUTCOMES: dict[type[Exception], str] = {
    NoPin: "no_pin",
    GuessesExhausted: "exhausted",
    StoreRolledBack: "rolled_back",
    StateRejected: "rejected",
    WrongSecret: "wrong",
}
