"""What claims of keys get."""

from features.devices.claim_limits import Grant, grant
from features.devices.policy import DevicePolicy

POLICY = DevicePolicy(claims_per_hour=2, stranger_claims_per_hour=3)


def test_an_account_claims_the_keys_of_another_some_times_an_hour() -> None:
    assert [grant(POLICY, count, None) for count in (1, 2, 3)] == [Grant.ONE_TIME, Grant.ONE_TIME, Grant.NOTHING]


def test_strangers_together_get_some_one_time_keys_an_hour() -> None:
    assert [grant(POLICY, 1, count) for count in (1, 3, 4)] == [Grant.ONE_TIME, Grant.ONE_TIME, Grant.LAST_RESORT]
    assert grant(POLICY, 3, 4) is Grant.NOTHING
