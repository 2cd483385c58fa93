"""When an epoch of the key directory is closed."""

from datetime import timedelta

from features.devices.directory_epochs import due
from features.devices.policy import DevicePolicy

POLICY = DevicePolicy(directory_quick_epochs=2)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def test_the_first_epoch_is_due_at_once() -> None:
    assert due(POLICY, None, waiting=0, recent=0)


def test_what_was_submitted_is_shown_soon_unless_many_epochs_were_closed() -> None:
    assert not due(POLICY, SECOND / 2, waiting=1, recent=0)
    assert due(POLICY, SECOND, waiting=1, recent=1)
    assert not due(POLICY, SECOND, waiting=1, recent=2)
    assert due(POLICY, MINUTE, waiting=1, recent=2)


def test_a_directory_without_changes_shows_that_it_goes_on() -> None:
    assert not due(POLICY, POLICY.directory_heartbeat - SECOND, waiting=0, recent=0)
    assert due(POLICY, POLICY.directory_heartbeat, waiting=0, recent=99)
    assert DevicePolicy().directory_heartbeat < DevicePolicy().directory_max_age


def test_accounts_that_fill_an_epoch_are_shown_at_once() -> None:
    full = POLICY.directory_epoch_accounts
    assert due(POLICY, timedelta(), waiting=full, recent=99)
    assert not due(POLICY, SECOND, waiting=full - 1, recent=99)


def test_a_clock_a_little_behind_that_of_the_last_epoch_waits() -> None:
    assert not due(POLICY, -SECOND, waiting=1, recent=0)


def test_an_epoch_far_ahead_stops_nothing() -> None:
    assert due(POLICY, -MINUTE, waiting=1, recent=99)
    assert not due(POLICY, -MINUTE, waiting=0, recent=0)
