"""How often an account may ask an operator."""

from hypothesis import given
from hypothesis import strategies as st

from pin_operator.rate import RequestRate

BURST, PER_SECOND = 5, 0.5


def test_a_burst_and_then_one_after_the_other() -> None:
    rate = RequestRate(BURST, PER_SECOND)
    assert [rate.take("ada", 100.0) for _ in range(BURST)] == [0.0] * BURST
    assert rate.take("ada", 100.0) == 2.0
    assert rate.take("bob", 100.0) == 0.0
    assert rate.take("ada", 101.0) == 1.0
    assert rate.take("ada", 102.0) == 0.0


@given(st.lists(st.floats(0, 1_000), max_size=200))
def test_a_clock_that_jumps_gives_no_more_than_its_furthest_time(times: list[float]) -> None:
    rate = RequestRate(BURST, PER_SECOND)
    taken = sum(rate.take("ada", now) == 0.0 for now in times)
    span = max(times) - times[0] if times else 0.0
    assert taken <= BURST + span * PER_SECOND + 1e-6
