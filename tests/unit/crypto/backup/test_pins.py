"""PINs: what each store and operator can do alone or together, copies of stores, and the count of guesses."""

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crypto.backup import (
    ONE_OPERATOR,
    TWO_OPERATORS,
    Answer,
    Argon2Parameters,
    Enrolment,
    GuessesExhausted,
    GuessLimiter,
    NotEnoughAnswers,
    PinAttempt,
    PinSetup,
    Recovered,
    RecoveryKey,
    Shape,
    Share,
    StoreRolledBack,
    ThresholdTooLow,
    WrongSecret,
    oprf,
    set_pin,
    threshold,
    version_1,
)
from crypto.errors import CryptoError, DecodeError, UnsupportedStateVersion
from crypto.randomness import SeededRandomness, SystemRandomness

RANDOM = SystemRandomness()
CHEAP = Argon2Parameters(memory=64, time=1, lanes=1)
KEY = RecoveryKey.generate(RANDOM)
FOLDER = Path(__file__).parents[3] / "vectors" / "backup"
GOLDEN_1: dict[str, str] = json.loads((FOLDER / "backup-1.json").read_text())
GOLDEN: dict[str, str] = json.loads((FOLDER / "pins-2.json").read_text())
PINS = [f"{number:04d}" for number in range(2440, 2480)]  # 2468 is among them
SHAPES = [ONE_OPERATOR, TWO_OPERATORS, Shape(2, 3), Shape(3, 5)]


class Operator:
    """A deployment of one limiter as its docstring asks for: a store, and an anchor apart from it."""

    def __init__(self, enrolment: Enrolment) -> None:
        self.anchor = 0
        self.store = b""
        self._keep(GuessLimiter.enrol("ada", enrolment, anchored=self.anchor))

    def _keep(self, state: GuessLimiter) -> None:
        self.store = state.serialize()
        assert state.sequence > self.anchor
        self.anchor = state.sequence

    @property
    def state(self) -> GuessLimiter:
        return GuessLimiter.restore(self.store, "ada")

    def enrol(self, enrolment: Enrolment) -> None:
        self._keep(GuessLimiter.enrol("ada", enrolment, anchored=self.anchor))

    def guess(self, element: bytes) -> Answer:
        state, answer = self.state.guess(element, anchored=self.anchor)
        self._keep(state)
        return answer

    def confirm(self, token: bytes) -> None:
        self._keep(self.state.confirm(token, anchored=self.anchor))

    def note_archive(self, token: bytes, number: int) -> None:
        self._keep(self.state.note_archive(token, number, anchored=self.anchor))


def enrolled(pin: str, shape: Shape) -> tuple[bytes, list[Operator]]:
    setup = set_pin(pin, KEY, RANDOM, shape, CHEAP)
    return setup.envelope, [Operator(enrolment) for enrolment in setup.enrolments]


def attempt(pin: str, operators: list[Operator], envelope: bytes) -> Recovered:
    trying = PinAttempt(pin, RANDOM)
    return trying.recover([operator.guess(trying.element) for operator in operators], envelope, min_threshold=1)


def guessed_offline(shares: list[Share], envelope: bytes) -> str | None:
    """What a thief does with stolen shares and an envelope: all PINs, as fast as Argon2id allows."""
    for pin in PINS:
        trying = PinAttempt(pin, RANDOM)
        answers = [Answer(share.index, oprf.evaluate(share.scalar, trying.element), 0, 0) for share in shares]
        try:
            trying.recover(answers, envelope, min_threshold=1)
        except (WrongSecret, NotEnoughAnswers):
            continue
        return pin
    return None


# Stolen stores


def test_one_record_of_version_1_gives_the_pin_away() -> None:
    """Why there is a version 2: key, envelope and salt were one record."""
    limiter, envelope = version_1.split_record("ada", bytes.fromhex(GOLDEN_1["limiter"]), anchored=0)
    assert limiter.share is not None
    assert guessed_offline([limiter.share], envelope) == "2468"


@pytest.mark.parametrize("shape", SHAPES)
def test_what_an_operator_keeps_does_not_depend_on_the_pin(shape: Shape) -> None:
    """Not a bit of it, so nothing can be tried against it."""
    kept: list[list[bytes]] = []
    for pin in ("2468", "0000"):
        setup = set_pin(pin, KEY, SeededRandomness(b"the same"), shape, CHEAP)
        states = [GuessLimiter.enrol("ada", enrolment, anchored=0) for enrolment in setup.enrolments]
        element = oprf.blind(b"any", SeededRandomness(b"element")).element
        kept.append([state.serialize() for state in states])
        kept[-1] += [state.guess(element, anchored=1)[0].serialize() for state in states]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_archive_with_fewer_operators_than_the_threshold_gives_nothing_away(shape: Shape) -> None:
    setup = set_pin("2468", KEY, RANDOM, shape, CHEAP)
    shares = [enrolment.share for enrolment in setup.enrolments]
    for stolen in combinations(shares, shape.threshold - 1):
        others = [share for share in shares if share not in stolen]
        invented = Share(others[0].index, oprf.random_scalar(RANDOM))
        assert guessed_offline(list(stolen), setup.envelope) is None
        assert guessed_offline([*stolen, invented], setup.envelope) is None
    assert guessed_offline(shares[: shape.threshold], setup.envelope) == "2468", "together they could"


def test_enough_operators_without_the_archive_hold_nothing_that_a_guess_could_be_compared_with() -> None:
    setup = set_pin("2468", KEY, RANDOM, TWO_OPERATORS, CHEAP)
    for enrolment in setup.enrolments:
        kept = GuessLimiter.enrol("ada", enrolment, anchored=0).serialize()
        for secret in (KEY.raw, setup.envelope, setup.envelope[13:29], setup.envelope[29:]):
            assert secret not in kept


def test_an_operator_and_the_archive_s_store_do_not_test_a_guess_by_an_envelope_of_their_own() -> None:
    """The first of two operators makes an envelope under its share alone, for the PIN that it guesses. If the client
    opened it, the operator would be told so by the token."""
    _, operators = enrolled("2468", TWO_OPERATORS)
    share = operators[0].state.share
    assert share is not None
    scalar = share.scalar

    class Rigged(SeededRandomness):
        """Its first scalar is the share."""

        def random_bytes(self, length: int) -> bytes:
            return scalar + bytes(32) if length == 64 else super().random_bytes(length)

    for shape in (ONE_OPERATOR, Shape(1, 2)):
        forged = set_pin("2468", RecoveryKey(bytes(32)), Rigged(b""), shape, CHEAP).envelope
        trying = PinAttempt("2468", RANDOM)
        answers = [operator.guess(trying.element) for operator in operators]
        assert trying.recover(answers, forged, min_threshold=1).recovery_key == RecoveryKey(bytes(32)), "it would open"
        with pytest.raises(ThresholdTooLow):
            trying.recover(answers, forged)
    old = version_1.split_record("ada", bytes.fromhex(GOLDEN_1["limiter"]), anchored=0)[1]
    with pytest.raises(ThresholdTooLow):
        PinAttempt("2468", RANDOM).recover([], old)


# Copies of a store


def guesses_with_restored_copies(operator: Operator, *, anchored: bool) -> int:
    """An operator's store is copied and put back eight times; how many guesses were answered in all."""
    copy, answered = operator.store, 0
    for _ in range(8):
        operator.store = copy
        if not anchored:
            operator.anchor = 0
        for _ in range(12):
            try:
                operator.guess(PinAttempt("0000", RANDOM).element)
            except (GuessesExhausted, StoreRolledBack):
                break
            answered += 1
    return answered


def test_a_restored_copy_of_the_store_gives_no_guess_back() -> None:
    _, (operator,) = enrolled("2468", ONE_OPERATOR)
    assert guesses_with_restored_copies(operator, anchored=True) == 10
    with pytest.raises(StoreRolledBack):
        operator.guess(PinAttempt("2468", RANDOM).element)


def test_a_store_and_an_anchor_that_go_back_together_give_guesses_back() -> None:
    """What the anchor is for, and why it must not share a backup with the store."""
    _, (operator,) = enrolled("2468", ONE_OPERATOR)
    assert guesses_with_restored_copies(operator, anchored=False) == 80


def test_a_peer_counts_on_when_one_operator_goes_back_with_its_anchor() -> None:
    envelope, operators = enrolled("2468", TWO_OPERATORS)
    copy, opened = operators[0].store, 0
    for _ in range(80):
        operators[0].store, operators[0].anchor = copy, 0
        try:
            attempt("0000", operators, envelope)
        except WrongSecret:
            opened += 1
        except GuessesExhausted:
            continue
    assert opened == 10
    with pytest.raises(GuessesExhausted):
        attempt("2468", operators, envelope)


def test_a_copy_does_not_count_anew_in_another_account_s_place() -> None:
    _, (operator,) = enrolled("2468", ONE_OPERATOR)
    with pytest.raises(DecodeError, match="another account"):
        GuessLimiter.restore(operator.store, "an account of the thief")


def test_a_copy_from_before_the_last_pin_is_refused() -> None:
    _, (operator,) = enrolled("1111", ONE_OPERATOR)
    old = operator.store
    operator.enrol(set_pin("2222", KEY, RANDOM, ONE_OPERATOR, CHEAP).enrolments[0])
    operator.store = old
    for step in (
        lambda: operator.guess(PinAttempt("1111", RANDOM).element),
        lambda: operator.confirm(bytes(32)),
        lambda: operator.note_archive(bytes(32), 1),
    ):
        with pytest.raises(StoreRolledBack):
            step()


def test_a_crash_before_the_anchor_moved_costs_a_guess_and_nothing_else() -> None:
    envelope, (operator,) = enrolled("2468", ONE_OPERATOR)
    state, _ = operator.state.guess(PinAttempt("2468", RANDOM).element, anchored=operator.anchor)
    operator.store = state.serialize()  # and then the process died
    assert attempt("2468", [operator], envelope).recovery_key == KEY
    assert operator.state.remaining == 8


# The count


@pytest.mark.parametrize("shape", SHAPES)
def test_the_right_pin_restores_and_gives_the_guesses_back(shape: Shape) -> None:
    envelope, operators = enrolled("2468", shape)
    for _ in range(9):
        with pytest.raises(WrongSecret):
            attempt("0000", operators, envelope)
    recovered = attempt("2468", operators, envelope)
    assert recovered.recovery_key == KEY
    with pytest.raises(GuessesExhausted):
        operators[0].confirm(recovered.tokens[1])
    for operator in operators:
        assert operator.state.remaining == 0
    envelope, operators = enrolled("2468", shape)
    with pytest.raises(WrongSecret):
        attempt("0000", operators, envelope)
    recovered = attempt("2468", operators, envelope)
    for index, operator in enumerate(operators, start=1):
        with pytest.raises(WrongSecret):
            operator.confirm(recovered.tokens[index % shape.operators + 1] if shape.operators > 1 else bytes(32))
        assert operator.state.remaining == 8
        operator.confirm(recovered.tokens[index])
        assert operator.state.remaining == 10


def test_after_the_tenth_guess_the_share_is_gone_even_for_the_right_pin() -> None:
    _, (operator,) = enrolled("2468", ONE_OPERATOR)
    share = operator.state.share
    assert share is not None
    for _ in range(10):
        operator.guess(PinAttempt("0000", RANDOM).element)
    assert share.scalar not in operator.store
    with pytest.raises(GuessesExhausted):
        operator.guess(PinAttempt("2468", RANDOM).element)
    with pytest.raises(GuessesExhausted):
        operator.confirm(bytes(32))


def test_two_of_three_operators_allow_fifteen_guesses_in_all() -> None:
    """Ten a share, two shares a guess: n * 10 / t, which docs/security/crypto.md says."""
    envelope, operators = enrolled("2468", Shape(2, 3))
    for pair in list(combinations(range(3), 2)) * 5:
        with pytest.raises(WrongSecret):
            attempt("0000", [operators[index] for index in pair], envelope)
    for operator in operators:
        with pytest.raises(GuessesExhausted):
            operator.guess(PinAttempt("2468", RANDOM).element)


def test_any_two_of_three_operators_recover_and_one_that_lies_does_no_harm() -> None:
    envelope, operators = enrolled("2468", Shape(2, 3))
    for pair in combinations(operators, 2):
        assert attempt("2468", list(pair), envelope).recovery_key == KEY
    for liar in range(3):
        trying = PinAttempt("2468", RANDOM)
        answers = [operator.guess(trying.element) for operator in operators]
        lie = oprf.evaluate(oprf.random_scalar(RANDOM), trying.element)
        answers[liar] = Answer(answers[liar].index, lie, 0, 10)
        assert trying.recover(answers, envelope, min_threshold=1).recovery_key == KEY


def test_one_answer_twice_is_one_answer() -> None:
    envelope, operators = enrolled("2468", TWO_OPERATORS)
    trying = PinAttempt("2468", RANDOM)
    answer = operators[0].guess(trying.element)
    with pytest.raises(NotEnoughAnswers):
        trying.recover([answer, answer], envelope)
    with pytest.raises(NotEnoughAnswers):
        trying.recover([], envelope)


def test_an_element_that_is_none_costs_no_guess() -> None:
    _, (operator,) = enrolled("2468", ONE_OPERATOR)
    for element in (b"", bytes(32), b"\xff" * 32):
        with pytest.raises(DecodeError):
            operator.guess(element)
    assert operator.state.remaining == 10


def test_operators_see_nothing_that_depends_on_the_pin() -> None:
    """Each blinded PIN fits every PIN: two attempts with one PIN are as unlike as with two."""
    assert len({PinAttempt(pin, RANDOM).element for pin in ["2468"] * 5 + ["4321"] * 5}) == 10


def test_operators_remember_the_newest_archive_for_a_device_that_knows_nothing() -> None:
    envelope, operators = enrolled("2468", TWO_OPERATORS)
    recovered = attempt("2468", operators, envelope)
    assert recovered.archive == 0
    operators[0].note_archive(recovered.tokens[1], 7)
    operators[0].note_archive(recovered.tokens[1], 5)
    with pytest.raises(WrongSecret):
        operators[1].note_archive(recovered.tokens[1], 9)
    assert attempt("2468", operators, envelope).archive == 7, "the highest that any operator knows"


class Guessing(RuleBasedStateMachine):
    """Whatever is tried in whatever order: between two right guesses at most ten are answered."""

    @initialize(shape=st.sampled_from([ONE_OPERATOR, TWO_OPERATORS]))
    def begin(self, shape: Shape) -> None:
        self.envelope, self.operators = enrolled("2468", shape)
        self.copies = [operator.store for operator in self.operators]
        self.since_right = 0

    @rule(right=st.booleans())
    def guess(self, right: bool) -> None:
        try:
            recovered = attempt("2468" if right else "4321", self.operators, self.envelope)
        except GuessesExhausted:
            assert self.since_right == 10
            return
        except WrongSecret:
            assert not right
            self.since_right += 1
            return
        assert right
        assert recovered.recovery_key == KEY
        self.since_right += 1
        if self.since_right < 10:
            for index, operator in enumerate(self.operators, start=1):
                operator.confirm(recovered.tokens[index])
            self.since_right = 0

    @rule()
    def put_an_old_copy_back_and_guess(self) -> None:
        for operator, copy in zip(self.operators, self.copies, strict=True):
            if copy == operator.store:
                return
            current, operator.store = operator.store, copy
            with pytest.raises(StoreRolledBack):
                operator.guess(PinAttempt("2468", RANDOM).element)
            operator.store = current

    @precondition(lambda self: self.since_right < 10)
    @rule(token=st.binary(min_size=32, max_size=32))
    def forge_a_token(self, token: bytes) -> None:
        for operator in self.operators:
            with pytest.raises(WrongSecret):
                operator.confirm(token)

    @invariant()
    def the_count_is_right(self) -> None:
        for operator in getattr(self, "operators", []):
            assert operator.state.remaining == 10 - self.since_right


Guessing.TestCase.settings = settings(max_examples=10, stateful_step_count=15, deadline=None)
TestGuessing = Guessing.TestCase


# Stored forms


def scene() -> dict[str, str]:
    """Two operators after one guess each, reproducible; the PIN is 2468."""
    randomness = SeededRandomness(b"PIN vectors 2")
    key = RecoveryKey.generate(randomness)
    setup = set_pin("2468", key, randomness, TWO_OPERATORS, CHEAP)
    trying = PinAttempt("2468", randomness)
    steps = [
        GuessLimiter.enrol("ada", enrolment, anchored=0).guess(trying.element, anchored=1)
        for enrolment in setup.enrolments
    ]
    return {
        "recovery_key": key.words(),
        "envelope": setup.envelope.hex(),
        "enrolment": setup.enrolments[0].encode().hex(),
        "limiter 1": steps[0][0].serialize().hex(),
        "limiter 2": steps[1][0].serialize().hex(),
        "answer": steps[0][1].encode().hex(),
    }


def test_the_golden_states_of_version_2_are_still_written_and_read() -> None:
    assert scene() == GOLDEN
    limiters = [GuessLimiter.restore(bytes.fromhex(GOLDEN[f"limiter {index}"]), "ada") for index in (1, 2)]
    trying = PinAttempt("2468", RANDOM)
    answers = [limiter.guess(trying.element, anchored=2)[1] for limiter in limiters]
    assert [answer.remaining for answer in answers] == [8, 8]
    recovered = trying.recover(answers, bytes.fromhex(GOLDEN["envelope"]))
    assert recovered.recovery_key == RecoveryKey.from_words(GOLDEN["recovery_key"])
    assert Enrolment.decode(bytes.fromhex(GOLDEN["enrolment"])).encode().hex() == GOLDEN["enrolment"]
    assert Answer.decode(bytes.fromhex(GOLDEN["answer"])).encode().hex() == GOLDEN["answer"]


def test_a_record_of_version_1_is_split_and_its_pin_still_works() -> None:
    record = bytes.fromhex(GOLDEN_1["limiter"])
    with pytest.raises(DecodeError, match="split"):
        GuessLimiter.restore(record, "ada")
    limiter, envelope = version_1.split_record("ada", record, anchored=4)
    assert (limiter.remaining, limiter.sequence) == (9, 5)
    trying = PinAttempt("2468", RANDOM)
    limiter, answer = limiter.guess(trying.element, anchored=5)
    recovered = trying.recover([answer], envelope, min_threshold=1)
    assert recovered.recovery_key == RecoveryKey.from_words(GOLDEN_1["recovery_key"])
    assert limiter.confirm(recovered.tokens[1], anchored=6).remaining == 10
    wrong = PinAttempt("0000", RANDOM)
    _, answer = limiter.guess(wrong.element, anchored=6)
    with pytest.raises(WrongSecret):
        wrong.recover([answer], envelope, min_threshold=1)
    with pytest.raises(NotEnoughAnswers):
        wrong.recover([], envelope, min_threshold=1)
    for damaged in (record[:-1], b"\x02" + record[1:], b"\x01\x00" + record[34:], record[:-1] + b"\x00"):
        with pytest.raises(DecodeError):
            version_1.split_record("ada", damaged, anchored=0)


def test_newer_versions_are_refused_clearly() -> None:
    with pytest.raises(UnsupportedStateVersion):
        GuessLimiter.restore(b"\x03" + bytes.fromhex(GOLDEN["limiter 1"])[1:], "ada")


def test_impossible_states_shares_and_shapes_are_refused() -> None:
    state = bytes.fromhex(GOLDEN["limiter 1"])
    none_left, eleven_left = bytearray(state), bytearray(state)
    none_left[-9], eleven_left[-9] = 0, 11
    last = state[:-17] + b"\xff" * 8 + state[-9:]
    for damaged in (bytes(none_left), bytes(eleven_left), last, state[:-1], state + b"\x00"):
        with pytest.raises(DecodeError):
            GuessLimiter.restore(damaged, "ada")
    for index, scalar in ((0, b"\x01" + bytes(31)), (6, b"\x01" + bytes(31)), (1, bytes(32)), (1, b"\xff" * 32)):
        with pytest.raises(DecodeError):
            Share(index, scalar)
    for needed, operators in ((0, 1), (2, 1), (1, 6)):
        with pytest.raises(DecodeError):
            Shape(needed, operators)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_from_nowhere_are_typed_errors(data: bytes) -> None:
    for prefix in (b"", b"\x02", b"\x03" + CHEAP.encode(), b"\x04\x02\x02" + CHEAP.encode()):
        with pytest.raises(CryptoError):
            TRYING.recover(ANSWERS, prefix + data)
        with pytest.raises(CryptoError):
            GuessLimiter.restore(prefix + data, "ada")


TRYING = PinAttempt("1", RANDOM)
SETUP: PinSetup = set_pin("1", KEY, RANDOM, TWO_OPERATORS, CHEAP)
ANSWERS = [GuessLimiter.enrol("ada", one, anchored=0).guess(TRYING.element, anchored=0)[1] for one in SETUP.enrolments]


def test_secrets_are_not_shown() -> None:
    limiter = GuessLimiter.enrol("ada", SETUP.enrolments[0], anchored=0)
    share = SETUP.enrolments[0].share
    shown = repr(limiter) + repr(SETUP) + repr(TRYING) + repr(TRYING.recover(ANSWERS, SETUP.envelope))
    for secret in (share.scalar, KEY.raw):
        assert repr(secret) not in shown


# The sharing


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(SHAPES), st.data())
def test_every_subset_of_the_threshold_evaluates_as_the_whole_key(shape: Shape, data: st.DataObject) -> None:
    key = oprf.random_scalar(RANDOM)
    shares = threshold.split(key, shape, RANDOM)
    element = oprf.blind(data.draw(st.binary(max_size=20)), RANDOM).element
    expected = oprf.evaluate(key, element)
    for subset in combinations(shares, shape.threshold):
        assert threshold.combine({share.index: oprf.evaluate(share.scalar, element) for share in subset}) == expected
    for subset in combinations(shares, shape.threshold - 1):
        if subset:
            evaluated = {share.index: oprf.evaluate(share.scalar, element) for share in subset}
            assert threshold.combine(evaluated) != expected


def test_libsodium_s_temporary_file_is_removed(tmp_path: Path) -> None:
    program = "from crypto.backup import ristretto255; print(ristretto255.from_uniform(bytes(range(64))).hex())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[4])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.strip()) == 64
    assert list(tmp_path.iterdir()) == []
