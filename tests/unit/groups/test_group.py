"""Decisions of a group: who may send what, in which epoch, and what each repetition is answered."""

from __future__ import annotations

import pytest

from features.groups.machine import Group
from features.groups.policy import GroupsPolicy
from features.groups.records import Accepted, Address, CheckedChange, Draft, Newest, Stored
from features.groups.refusals import IdReused, NotFound, NotInGroup, Stale, WrongEpoch

ADA, BOB, EVE = (Address(bytes([number]) * 16, 1) for number in (1, 2, 3))
SESSIONS = {each: each.account[:15] + b"s" for each in (ADA, BOB, EVE)}
DAY = 86_400 * 1_000_000


def group(*devices: Address, epoch: int = 3, version: int = 7) -> Group:
    made = Group(GroupsPolicy())
    made.load(Stored(epoch, version, {each: SESSIONS[each] for each in devices}))
    return made


def send(
    group: Group, device: Address, number: int = 1, *, epoch: int = 3, digest: bytes = b"a", now: int = 10
) -> Accepted:
    draft = Draft(number.to_bytes(16, "big"), digest, epoch)
    return group.send(device.account, SESSIONS[device], draft, now)[0]


def commit(number: int = 1, **changed: object) -> CheckedChange:
    values: dict[str, object] = {"version": 7, "epoch": 3, "commits": True, "added": {}, "removed": ()}
    return CheckedChange(number.to_bytes(16, "big"), b"c", **{**values, **changed})  # type: ignore[arg-type]


def test_numbers_increase_where_the_clock_is_behind() -> None:
    found = group(ADA, BOB)
    numbers = [send(found, ADA, place, now=now).seq for place, now in enumerate((10, 5, 5, 20))]
    assert numbers == [10, 11, 12, 20]


def test_strangers_and_devices_outside_are_told_apart() -> None:
    found = group(ADA, BOB)
    with pytest.raises(NotFound):
        send(found, EVE)
    with pytest.raises(NotInGroup):
        found.send(ADA.account, SESSIONS[BOB], Draft(bytes(16), b"a", 3), 10)
    with pytest.raises(NotFound):
        send(Group(GroupsPolicy()), ADA)


@pytest.mark.parametrize("epoch", [2, 4])
def test_a_message_of_another_epoch_is_refused(epoch: int) -> None:
    with pytest.raises(WrongEpoch) as refused:
        send(group(ADA), ADA, epoch=epoch)
    assert refused.value.detail == 3


def test_a_repetition_is_answered_alike_in_later_epochs_too() -> None:
    found = group(ADA, BOB)
    first = send(found, ADA)
    found.change(BOB.account, SESSIONS[BOB], commit(2), 20)
    assert send(found, ADA) == first
    with pytest.raises(IdReused):
        send(found, ADA, digest=b"other")


def test_a_commit_of_the_checked_version_begins_an_epoch() -> None:
    found = group(ADA, BOB)
    accepted, new = found.change(ADA.account, SESSIONS[ADA], commit(added={EVE: SESSIONS[EVE]}, removed=(BOB,)), 10)
    assert (new, accepted.epoch, found.epoch, found.version) == (True, 4, 4, 8)
    assert found.devices.keys() == {ADA, EVE}
    assert found.change(ADA.account, SESSIONS[ADA], commit(), 30) == (accepted, False)
    with pytest.raises(WrongEpoch):
        found.change(EVE.account, SESSIONS[EVE], commit(5), 30)
    with pytest.raises(NotFound):
        send(found, BOB, epoch=4)


def test_a_proposal_makes_what_was_checked_before_it_stale() -> None:
    found = group(ADA, BOB)
    found.change(ADA.account, SESSIONS[ADA], commit(1, commits=False), 10)
    assert (found.epoch, found.version) == (3, 8)
    with pytest.raises(Stale):
        found.change(BOB.account, SESSIONS[BOB], commit(2), 10)


def test_a_device_comes_in_by_itself_if_its_account_is_in_the_group() -> None:
    found = group(ADA)
    tablet = Address(ADA.account, 2)
    joining = commit(added={tablet: SESSIONS[EVE]}, joins=tablet)
    found.change(ADA.account, SESSIONS[EVE], joining, 10)
    assert found.devices.keys() == {ADA, tablet}
    with pytest.raises(NotFound):
        found.change(EVE.account, SESSIONS[EVE], commit(added={EVE: SESSIONS[EVE]}, joins=EVE, version=8, epoch=4), 10)
    with pytest.raises(NotFound):
        found.change(ADA.account, SESSIONS[ADA], commit(added={EVE: SESSIONS[EVE]}, joins=EVE, version=8, epoch=4), 10)


def test_ciphertext_waits_for_a_bounded_time() -> None:
    found = group(ADA)
    assert found.expiry(None, 0) == 30 * DAY
    assert found.expiry(60, 5) == 5 + 60 * 1_000_000
    assert found.expiry(10**9, 0) == 30 * DAY


def test_the_message_before_is_that_of_another_device() -> None:
    found = group(ADA, BOB)
    assert found.newest == Newest()
    first, second = send(found, ADA, 1, now=10), send(found, BOB, 2, now=20)
    assert found.newest.before(BOB) == first.seq
    assert found.newest.before(ADA) == found.newest.before(EVE) == second.seq


def test_the_others_are_told_who_types_at_most_every_three_seconds() -> None:
    found = group(ADA, BOB)
    told = [found.typing(ADA.account, SESSIONS[ADA], seconds * 1_000_000) for seconds in (0, 2, 3, 1, 7)]
    assert told == [True, False, True, True, True], "also where the clock was set back"
    assert found.typing(BOB.account, SESSIONS[BOB], 0)
    with pytest.raises(NotFound):
        found.typing(EVE.account, SESSIONS[EVE], 0)
    with pytest.raises(NotInGroup):
        found.typing(ADA.account, SESSIONS[BOB], 0)


def test_in_a_large_group_nobody_is_told_who_types() -> None:
    many = [Address(bytes([number]) * 16, 1) for number in range(1, 34)]
    found = Group(GroupsPolicy())
    found.load(Stored(3, 7, {each: each.account[:15] + b"s" for each in many}))
    assert not found.typing(ADA.account, SESSIONS[ADA], 0)
    found.change(ADA.account, SESSIONS[ADA], commit(removed=many[-1:]), 10)
    assert found.typing(ADA.account, SESSIONS[ADA], 0)
