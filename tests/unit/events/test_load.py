"""How many processes consumers need, by their lag."""

import pytest

from cluster.events.load import BusyTime, Load, wanted_processes

IDLE, BEHIND = Load(0, 0.05), Load(11, 1)


@pytest.mark.parametrize(
    ("loads", "processes", "wanted"),
    [
        ([], 1, 1),
        ([IDLE], 1, 1),
        ([BEHIND], 1, 2),
        ([BEHIND, IDLE], 2, 4),
        ([BEHIND] * 6, 6, 8),
        ([BEHIND] * 8, 8, 8),
        ([IDLE, IDLE], 2, 1),
        ([Load(0, 0.3), Load(0, 0.3)], 2, 2),
        ([Load(0, 0.3)] * 4, 4, 3),
        ([Load(5, 0.05), IDLE], 2, 2),
    ],
)
def test_lag_adds_processes_and_ease_takes_them_away(loads: list[Load], processes: int, wanted: int) -> None:
    assert wanted_processes(loads, processes) == wanted


@pytest.mark.parametrize("work", [0.1, 0.4, 0.9, 1.7, 2.9])
def test_what_one_process_less_can_do_is_not_too_much_for_it(work: float) -> None:
    """With the same work, the number settles."""
    processes = 8
    for _ in range(8):
        busy = work / processes
        processes = wanted_processes([Load(11 if busy >= 1 else 0, min(1, busy))] * processes, processes)
    settled = processes
    busy = work / settled
    assert busy < 1
    assert wanted_processes([Load(0, busy)] * settled, settled) == settled


def test_busy_time_is_a_share_since_it_was_asked_last() -> None:
    busy = BusyTime(0)
    busy.begin(1)
    busy.end(3)
    assert busy.share(4) == 0.5
    busy.begin(5)
    assert busy.share(6) == 0.5, "what is still going on counts"
    assert busy.share(7) == 1
    busy.end(7)
    assert busy.share(9) == 0
    assert busy.share(9) == 0
