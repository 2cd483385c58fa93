"""A pair conversation: what is accepted, what is refused, and what is the same when it comes again."""

from __future__ import annotations

from collections.abc import Mapping

import msgpack
import pytest

from features.messaging.machine import Conversation
from features.messaging.model import MemberState
from features.messaging.policy import MessagingPolicy
from features.messaging.records import Accepted, Address, Draft, Message, Payload, Stored, Waiting
from features.messaging.refusals import (
    DevicesChanged,
    IdReused,
    MailboxFull,
    NotAccepted,
    NotADevice,
    NotCounted,
    NotFound,
    NotRequested,
    Unreachable,
)

ADA, BOB, EVE = (bytes([number]) * 16 for number in (1, 2, 3))
PHONE, LAPTOP, TABLET = (bytes([number]) * 16 for number in (11, 12, 13))
"""Sessions of Ada's two devices and of Bob's one."""
DEVICES = {Address(ADA, 1): PHONE, Address(ADA, 2): LAPTOP, Address(BOB, 1): TABLET}
NOW = 1_764_158_645_000_000
DAY = 86_400


def conversation(
    bobs: MemberState = MemberState.ACTIVE,
    policy: MessagingPolicy | None = None,
    *,
    apart: bool = False,
    waiting: Mapping[Address, Waiting] | None = None,
) -> Conversation:
    found = Conversation(policy or MessagingPolicy())
    found.load(Stored({ADA: MemberState.ACTIVE, BOB: bobs}, DEVICES, apart, waiting=waiting or {}), NOW)
    return found


def draft(number: int, *to: tuple[bytes, int], text: bytes = b"sealed", expires_in_s: int | None = None) -> Draft:
    client_id = number.to_bytes(16, "big")
    return Draft(client_id, tuple(Payload(*address, text) for address in to), expires_in_s)


def from_ada(number: int, text: bytes = b"sealed", expires_in_s: int | None = None) -> Draft:
    """A message of Ada's phone."""
    return draft(number, (ADA, 2), (BOB, 1), text=text, expires_in_s=expires_in_s)


def from_bob(number: int) -> Draft:
    return draft(number, (ADA, 1), (ADA, 2))


def sent(found: Accepted | Message) -> Message:
    assert isinstance(found, Message)
    return found


def test_messages_are_numbered_in_order_also_when_the_clock_goes_back() -> None:
    found = conversation()
    times = (NOW, NOW, NOW - 3_600_000_000, NOW + 5)
    numbers = [sent(found.send(ADA, PHONE, from_ada(i), time)).accepted.seq for i, time in enumerate(times)]
    assert numbers == [NOW, NOW + 1, NOW + 2, NOW + 5]


def test_a_message_names_the_one_before_that_its_device_has_not_sent() -> None:
    found = conversation()
    first = sent(found.send(ADA, PHONE, from_ada(1), NOW))
    assert (first.payloads, first.previous) == (from_ada(1).payloads, (0, 0))
    second = sent(found.send(BOB, TABLET, from_bob(1), NOW))
    assert second.previous == (0, first.accepted.seq)  # the phone has sent the first one
    third = sent(found.send(ADA, PHONE, from_ada(2), NOW))
    assert third.previous == (second.accepted.seq, first.accepted.seq)
    fourth = sent(found.send(ADA, PHONE, from_ada(3), NOW))
    assert fourth.previous == (third.accepted.seq, third.accepted.seq)


def test_the_same_message_again_is_answered_alike() -> None:
    found = conversation()
    first = sent(found.send(ADA, PHONE, from_ada(1), NOW)).accepted
    assert found.send(ADA, PHONE, from_ada(1), NOW + 9) == first
    turned = Draft(from_ada(1).client_id, from_ada(1).payloads[::-1])
    assert found.send(ADA, PHONE, turned, NOW + 9) == first
    # Whatever has changed since: a device more, a block.
    found.devices[Address(BOB, 2)] = EVE
    found.apart = True
    assert found.send(ADA, PHONE, from_ada(1), NOW + 9) == first
    # The id is the device's own.
    with pytest.raises(NotFound):
        found.send(ADA, LAPTOP, from_ada(1), NOW)


@pytest.mark.parametrize(
    "other", [from_ada(1, b"else"), from_ada(1, expires_in_s=7), draft(1, (BOB, 1)), draft(1, (ADA, 2), (BOB, 2))]
)
def test_another_message_with_the_same_id_is_refused(other: Draft) -> None:
    found = conversation()
    first = sent(found.send(ADA, PHONE, from_ada(1), NOW)).accepted
    with pytest.raises(IdReused) as refused:
        found.send(ADA, PHONE, other, NOW)
    assert refused.value.detail == [first.seq, first.sent_at]


@pytest.mark.parametrize(
    "addresses",
    [
        [(BOB, 1)],
        [(ADA, 2)],
        [(ADA, 1), (ADA, 2), (BOB, 1)],
        [(ADA, 2), (BOB, 1), (BOB, 2)],
        [(ADA, 2), (BOB, 1), (EVE, 1)],
        [(ADA, 2), (BOB, 1), (BOB, 1)],
    ],
)
def test_a_message_is_for_exactly_the_other_devices(addresses: list[tuple[bytes, int]]) -> None:
    found = conversation()
    with pytest.raises(DevicesChanged) as refused:
        found.send(ADA, PHONE, draft(1, *addresses), NOW)
    assert refused.value.detail == [Address(ADA, 2), Address(BOB, 1)]
    assert isinstance(found.send(ADA, PHONE, from_ada(1), NOW), Message), "nothing was remembered of what was refused"


def test_only_members_devices_may_send() -> None:
    found = conversation()
    with pytest.raises(NotFound):
        found.send(EVE, PHONE, from_ada(1), NOW)
    for account, session in ((ADA, TABLET), (BOB, PHONE), (ADA, EVE)):
        with pytest.raises(NotADevice):
            found.send(account, session, from_ada(1), NOW)
    with pytest.raises(NotFound):
        Conversation(MessagingPolicy()).send(ADA, PHONE, from_ada(1), NOW)


def test_nobody_sends_to_who_is_apart_or_has_no_device() -> None:
    for account, session, message in ((ADA, PHONE, from_ada(1)), (BOB, TABLET, from_bob(1))):
        with pytest.raises(NotFound):
            conversation(apart=True).send(account, session, message, NOW)
    found = conversation()
    del found.devices[Address(BOB, 1)]
    with pytest.raises(Unreachable):
        found.send(ADA, PHONE, draft(1, (ADA, 2)), NOW)


@pytest.mark.parametrize("bobs", [MemberState.REQUESTED, MemberState.DECLINED])
def test_a_few_messages_wait_for_the_others_acceptance(bobs: MemberState) -> None:
    found = conversation(bobs, MessagingPolicy(max_request_messages=2))
    messages = [sent(found.send(ADA, PHONE, from_ada(number), NOW)) for number in range(2)]
    with pytest.raises(NotAccepted):
        found.send(ADA, PHONE, from_ada(2), NOW)
    # Who has declined is sent nothing; Ada's other device is.
    to_bob = [payload for message in messages for payload in message.payloads if payload.account == BOB]
    assert len(to_bob) == (2 if bobs is MemberState.REQUESTED else 0)
    assert found.accept(BOB)
    assert not found.accept(BOB)
    assert BOB in {payload.account for payload in sent(found.send(ADA, PHONE, from_ada(2), NOW)).payloads}


def test_to_answer_is_to_accept() -> None:
    found = conversation(MemberState.REQUESTED)
    found.send(BOB, TABLET, from_bob(1), NOW)
    assert found.members[BOB] is MemberState.ACTIVE


def test_who_has_accepted_cannot_decline() -> None:
    found = conversation(MemberState.REQUESTED)
    assert found.decline(BOB)
    assert not found.decline(BOB)
    found.accept(BOB)
    with pytest.raises(NotRequested):
        found.decline(BOB)
    for refused in (found.accept, found.decline):
        with pytest.raises(NotFound):
            refused(EVE)
    found.apart = True
    for refused in (found.accept, found.decline):
        with pytest.raises(NotFound):
            refused(BOB)


@pytest.mark.parametrize(("asked", "kept"), [(None, 30 * DAY), (60, 60), (99 * DAY, 30 * DAY)])
def test_ciphertext_waits_no_longer_than_the_policy_says(asked: int | None, kept: int) -> None:
    message = sent(conversation().send(ADA, PHONE, from_ada(1, expires_in_s=asked), NOW))
    assert message.expires_at == NOW + kept * 1_000_000


def test_the_newest_ids_of_each_device_are_remembered() -> None:
    found = conversation(policy=MessagingPolicy(remembered_per_device=3))
    accepted = [sent(found.send(ADA, PHONE, from_ada(number), NOW)).accepted for number in range(4)]
    found.send(BOB, TABLET, from_bob(1), NOW)
    assert [found.send(ADA, PHONE, from_ada(number), NOW) for number in (1, 2, 3)] == accepted[1:]


def test_a_conversation_that_moves_is_the_same() -> None:
    found = conversation(MemberState.REQUESTED, MessagingPolicy(max_request_messages=3))
    found.send(ADA, PHONE, from_ada(1), NOW)
    found.send(ADA, LAPTOP, draft(1, (ADA, 1), (BOB, 1)), NOW)
    packed = msgpack.packb(found.save())
    moved = Conversation.restore(found.policy, msgpack.unpackb(packed, strict_map_key=False))
    assert msgpack.packb(moved.save()) == packed
    for each in (found, moved):
        assert isinstance(each.send(ADA, PHONE, from_ada(1), NOW), Accepted)
    with pytest.raises(NotCounted):
        moved.send(ADA, PHONE, from_ada(2), NOW)
    moved.mailboxes.count({}, NOW)
    assert found.send(ADA, PHONE, from_ada(2), NOW) == moved.send(ADA, PHONE, from_ada(2), NOW)
    with pytest.raises(NotAccepted):
        moved.send(ADA, PHONE, from_ada(3), NOW)


def test_who_is_told_that_somebody_is_typing() -> None:
    found = conversation()
    assert found.typing(ADA, PHONE, NOW)
    assert not found.typing(ADA, LAPTOP, NOW + 2_999_999), "told just before"
    assert found.typing(BOB, TABLET, NOW)
    assert found.typing(ADA, LAPTOP, NOW + 3_000_000)
    assert found.typing(ADA, PHONE, NOW), "a clock that was set back silences nobody"
    for state in (MemberState.REQUESTED, MemberState.DECLINED):
        assert not conversation(state).typing(ADA, PHONE, NOW)
        assert not conversation(state).typing(BOB, TABLET, NOW)
    for account, session, error in ((EVE, PHONE, NotFound), (ADA, TABLET, NotADevice)):
        with pytest.raises(error):
            found.typing(account, session, NOW)
    with pytest.raises(NotFound):
        conversation(apart=True).typing(ADA, PHONE, NOW)


BOBS = Address(BOB, 1)
FULL = MessagingPolicy(
    max_waiting=8, max_waiting_bytes=80, max_waiting_of_conversation=4, max_waiting_bytes_of_conversation=40
)


@pytest.mark.parametrize(
    "waiting", [Waiting(4, 4, 4, 4), Waiting(1, 35, 1, 35), Waiting(0, 0, 8, 8), Waiting(0, 0, 1, 75)]
)
def test_a_mailbox_takes_so_many_messages_and_bytes(waiting: Waiting) -> None:
    found = conversation(policy=FULL, waiting={BOBS: waiting})
    for later, counted, refusal in (
        (0, False, MailboxFull),
        (6_000_000, False, NotCounted),  # the device may have fetched some
        (6_000_000, True, MailboxFull),
    ):
        with pytest.raises(refusal):
            found.send(ADA, PHONE, from_ada(1), NOW + later, counted=counted)
    found.mailboxes.count({BOBS: Waiting()}, NOW)
    assert sent(found.send(ADA, PHONE, from_ada(1), NOW)).full == ()


def test_a_device_that_nobody_uses_holds_up_no_other() -> None:
    """Neither one of the other's nor one of the sender's."""
    found = conversation(policy=FULL, waiting={BOBS: Waiting(4, 4, 4, 4), Address(ADA, 2): Waiting(4, 4, 4, 4)})
    found.devices[Address(BOB, 2)] = EVE
    message = sent(found.send(ADA, PHONE, draft(1, (ADA, 2), (BOB, 1), (BOB, 2)), NOW))
    assert [payload[:2] for payload in message.payloads] == [(BOB, 2)]
    assert len(message.previous) == 1
    assert sorted(message.full) == [Address(ADA, 2), BOBS]


def test_what_is_sent_counts_until_it_is_counted_anew() -> None:
    found = conversation(policy=FULL)
    for number in range(4):
        found.send(ADA, PHONE, from_ada(number), NOW)
    with pytest.raises(MailboxFull):
        found.send(ADA, PHONE, from_ada(4), NOW)
    assert isinstance(found.send(ADA, PHONE, from_ada(3), NOW), Accepted), "a repetition needs no room"


def test_requests_take_half_of_a_mailbox_at_most() -> None:
    waiting = {BOBS: Waiting(0, 0, 4, 4)}
    with pytest.raises(MailboxFull):
        conversation(MemberState.REQUESTED, FULL, waiting=waiting).send(ADA, PHONE, from_ada(1), NOW)
    assert conversation(policy=FULL, waiting=waiting).send(ADA, PHONE, from_ada(1), NOW)


def test_messages_of_a_request_count_until_it_is_accepted() -> None:
    """However old they are, and whoever has read them."""
    found = conversation(MemberState.REQUESTED, MessagingPolicy(max_request_messages=2))
    found.send(ADA, PHONE, from_ada(1), NOW)
    stored = Stored(found.members, found.devices, False, [], found.asked, {})
    found = Conversation(found.policy)
    found.load(stored, NOW)
    found.send(ADA, PHONE, from_ada(2), NOW + 29 * DAY * 1_000_000)
    with pytest.raises(NotAccepted):
        found.send(ADA, PHONE, from_ada(3), NOW + 29 * DAY * 1_000_000)
    found.accept(BOB)
    assert found.asked == 0


def test_a_message_says_what_it_was_accepted_on() -> None:
    basis = sent(conversation().send(ADA, PHONE, from_ada(1), NOW)).basis
    assert basis == (PHONE, BOB, 3, 4)
