"""Ways to the recovery key of a backup."""

from client.backup.errors import ClientBackupError, NoSuchForm, NotTheKey
from client.backup.forms import Header
from client.backup.operators import Operators
from crypto.backup import (
    NotEnoughAnswers,
    NotEnoughMemory,
    PinAttempt,
    Recovered,
    RecoveryKey,
    ThresholdTooLow,
    WrongSecret,
    unwrap_with_legacy_passphrase,
    unwrap_with_passphrase,
)
from crypto.errors import DecodeError
from crypto.randomness import Randomness


def with_words(words: str) -> RecoveryKey:
    """The key as it was written down. Raises NotTheKey for a typing error."""
    try:
        return RecoveryKey.from_words(words)
    except DecodeError as error:
        raise NotTheKey("this is no recovery key: a letter is wrong, or a group is missing") from error


def with_passphrase(header: Header, passphrase: str) -> RecoveryKey:
    """The key under a passphrase, in its present or its legacy form. Raises NoSuchForm, NotTheKey."""
    forms = header.forms
    if forms.passphrase is None and forms.legacy is None:
        raise NoSuchForm("passphrase")
    try:
        if forms.passphrase is not None:
            return unwrap_with_passphrase(forms.passphrase, passphrase)
        assert forms.legacy is not None
        return unwrap_with_legacy_passphrase(forms.legacy, passphrase)
    except WrongSecret as error:
        raise NotTheKey("the passphrase is wrong") from error
    except DecodeError as error:
        raise NotTheKey("the passphrase's part of the backup is damaged") from error
    except NotEnoughMemory as error:
        raise ClientBackupError(str(error)) from error


async def with_pin(header: Header, pin: str, operators: Operators, randomness: Randomness) -> Recovered:
    """The key under a PIN. A wrong one costs a guess at each operator; a right one gives them back. Raises NoSuchForm,
    NotTheKey, OperatorsUnavailable, NoPinLeft."""
    if header.forms.pin is None:
        raise NoSuchForm("PIN")
    attempt = PinAttempt(pin, randomness)
    answers = await operators.guess(attempt.element)
    try:
        recovered = attempt.recover(answers, header.forms.pin, min_threshold=min(2, len(operators)))
    except WrongSecret as error:
        left = min(answer.remaining for answer in answers)
        raise NotTheKey(f"the PIN is wrong; {left} guesses are left") from error
    except (ThresholdTooLow, NotEnoughAnswers, NotEnoughMemory) as error:
        raise ClientBackupError(str(error)) from error
    except DecodeError as error:
        raise NotTheKey("the PIN's part of the backup is damaged") from error
    await operators.confirm(recovered.tokens)
    return recovered
