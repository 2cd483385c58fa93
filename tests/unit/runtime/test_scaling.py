"""Scaling: sustained load adds hosts, sustained quiet removes them, and wavering does neither."""

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.coordination.scaling import HostLoad, Scaler
from actors.runtime.options import ScalingPolicy

POLICY = ScalingPolicy(min_hosts=1, max_hosts=5, calls_per_second=1000, grow_after=3, shrink_after=10)


def run(scaler: Scaler, load: float, hosts: int, wanted: int, start: float, seconds: int) -> int:
    for second in range(seconds):
        each = [HostLoad(calls_per_second=load / hosts)] * hosts
        wanted = scaler.decide(each, wanted, start + second)
    return wanted


def test_sustained_overload_asks_for_as_many_hosts_as_the_load_needs() -> None:
    assert run(Scaler(POLICY), 3500, hosts=1, wanted=1, start=0, seconds=5) == 4


def test_a_spike_shorter_than_the_patience_asks_for_nothing() -> None:
    scaler = Scaler(POLICY)
    assert run(scaler, 3500, hosts=1, wanted=1, start=0, seconds=3) == 1
    assert run(scaler, 100, hosts=1, wanted=1, start=3, seconds=1) == 1
    assert run(scaler, 3500, hosts=1, wanted=1, start=4, seconds=3) == 1


def test_hosts_on_their_way_are_waited_for() -> None:
    scaler = Scaler(POLICY)
    assert run(scaler, 1500, hosts=1, wanted=2, start=0, seconds=60) == 2


def test_quiet_removes_one_host_at_a_time() -> None:
    scaler = Scaler(POLICY)
    assert run(scaler, 0, hosts=4, wanted=4, start=0, seconds=12) == 3
    assert run(scaler, 0, hosts=3, wanted=3, start=12, seconds=9) == 3
    assert run(scaler, 0, hosts=3, wanted=3, start=21, seconds=5) == 2


def test_load_that_one_host_fewer_would_just_carry_keeps_the_host() -> None:
    # Two hosts at 450 of 1,000 each: one would be at 90 %, over the spare share of 70 %.
    assert run(Scaler(POLICY), 900, hosts=2, wanted=2, start=0, seconds=100) == 2


def test_waiting_calls_are_overload_even_when_they_are_few() -> None:
    scaler = Scaler(POLICY)
    slow = [HostLoad(calls_per_second=10, queue_wait=0.5)]
    assert [scaler.decide(slow, 1, second) for second in range(5)][-1] == 1
    assert max(Scaler(POLICY).decide(slow, 1, 0), *[1]) == 1
    scaler = Scaler(POLICY)
    assert 2 in [scaler.decide(slow, 1, second) for second in range(5)]


def test_memory_of_entities_counts_and_that_of_processes_does_not() -> None:
    policy = ScalingPolicy(min_hosts=1, max_hosts=5, memory=1000, grow_after=0)
    full = HostLoad(memory=1900, idle_memory=200)
    assert Scaler(policy).decide([full], 1, 0) == 3
    idle = HostLoad(memory=200, idle_memory=200)
    assert Scaler(policy).decide([idle], 1, 0) == 1


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1), st.integers(0, 9)), max_size=50))
def test_the_bounds_always_hold(history: list[tuple[float, float, int]]) -> None:
    scaler, wanted = Scaler(POLICY), 1
    for now, (calls, wait, hosts) in enumerate(history):
        loads = [HostLoad(calls_per_second=calls, queue_wait=wait)] * hosts
        before = wanted
        wanted = scaler.decide(loads, wanted, now * 7.0)
        assert POLICY.min_hosts <= wanted <= POLICY.max_hosts
        assert wanted >= before - 1
