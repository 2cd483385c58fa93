"""What the test of losses would notice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.message_history import Acknowledged, Done, Epoch, History, Received, violations

PAIR, GROUP = "pair", "group"


def history() -> History:
    """Two messages of Ada to both devices of Bob, and in a group a message and a commit of hers."""
    made = History(recipients={PAIR: {"ada", "bob", "bob's tablet"}, GROUP: {"ada", "bob"}})
    made.sent = [Acknowledged("ada", f"m{number}", (PAIR, number)) for number in (1, 2)]
    made.sent += [Acknowledged("ada", "m3", (GROUP, 1)), Acknowledged("ada", "m4", (GROUP, 2), 1)]
    for device in ("bob", "bob's tablet"):
        made.inboxes[device] = [Received("m1", (PAIR, 1)), Received("m2", (PAIR, 2)), Done((PAIR, 2))]
    made.inboxes["bob"] += [Received("m3", (GROUP, 1)), Received("m4", (GROUP, 2)), Done((GROUP, 2))]
    made.signalled["bob"] = [Received("m2", (PAIR, 2)), Received("m2", (PAIR, 2))]
    made.epochs = [Epoch(device, GROUP, number, b"%d" % number) for number in (0, 1) for device in ("ada", "bob")]
    return made


def _lose(made: History) -> None:
    made.inboxes["bob's tablet"].remove(Received("m2", (PAIR, 2)))


def _lose_all(made: History) -> None:
    del made.inboxes["bob's tablet"]


def _double(made: History) -> None:
    made.inboxes["bob"].append(Received("m2", (PAIR, 3)))


def _repeat(made: History) -> None:
    made.inboxes["bob"].append(Received("m2", (PAIR, 2)))


def _exchange(made: History) -> None:
    made.inboxes["bob"].insert(1, Received("other", (PAIR, 1)))


def _reorder(made: History) -> None:
    inbox = made.inboxes["bob"]
    inbox[0], inbox[1] = inbox[1], inbox[0]


def _order_otherwise(made: History) -> None:
    made.inboxes["bob"][:2] = [Received("m2", (PAIR, 1)), Received("m1", (PAIR, 2))]


def _deliver_what_nobody_was_told_of(made: History) -> None:
    made.inboxes["bob"].append(Received("refused", (PAIR, 3)))


def _deliver_to_others(made: History) -> None:
    made.inboxes["bob's tablet"].append(Received("m3", (GROUP, 1)))


def _acknowledge_what_is_not_stored(made: History) -> None:
    made.sent.append(Acknowledged("ada", "m5", (PAIR, 3)))


def _acknowledge_out_of_order(made: History) -> None:
    made.sent[:2] = reversed(made.sent[:2])


def _acknowledge_two_as_one(made: History) -> None:
    made.sent.append(Acknowledged("ada", "m5", (PAIR, 2)))


def _acknowledge_twice(made: History) -> None:
    made.sent.append(Acknowledged("ada", "m2", (PAIR, 3)))
    for device in ("bob", "bob's tablet"):
        made.inboxes[device].append(Received("m2", (PAIR, 3)))


def _signal_what_is_not_stored(made: History) -> None:
    made.signalled["bob"].append(Received("m9", (PAIR, 9)))


def _fork(made: History) -> None:
    made.epochs[-1] = Epoch("bob", GROUP, 1, b"another one")


def _accept_two_commits(made: History) -> None:
    made.sent.append(Acknowledged("bob", "m5", (GROUP, 3), 1))
    made.inboxes["ada"] = [Received("m5", (GROUP, 3))]


def _skip_an_epoch(made: History) -> None:
    made.epochs += [Epoch(device, GROUP, 3, b"3") for device in ("ada", "bob")]


def _stay_behind(made: History) -> None:
    made.epochs.append(Epoch("ada", GROUP, 2, b"2"))


def test_what_went_well_is_no_violation() -> None:
    made = history()
    assert violations(made) == []
    # An inbox is read again when nobody knows whether the acknowledgement arrived.
    made.inboxes["bob"].insert(0, Received("m1", (PAIR, 1)))
    assert violations(made) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_lose, "bob's tablet: ('pair', 2) was lost"),
        (_lose_all, "bob's tablet: ('pair', 1) was lost"),
        (_double, "bob: message m2 came 2 times"),
        (_repeat, "bob: ('pair', 2) came again after it was acknowledged"),
        (_exchange, "bob: ('pair', 1) was another message before"),
        (_reorder, "bob: ('pair', 1) came after 2"),
        (_order_otherwise, "bob: ('pair', 1) is not the message that was acknowledged"),
        (_deliver_what_nobody_was_told_of, "bob: ('pair', 3) was never acknowledged"),
        (_deliver_to_others, "bob's tablet: ('group', 1) is not for it"),
        (_acknowledge_what_is_not_stored, "bob: ('pair', 3) was lost"),
        (_acknowledge_out_of_order, "ada: ('pair', 1) was acknowledged after 2"),
        (_acknowledge_two_as_one, "2 messages were acknowledged as ('pair', 2)"),
        (_acknowledge_twice, "message m2 was acknowledged 2 times"),
        (_signal_what_is_not_stored, "bob: ('pair', 9) was signalled, and is not in its inbox"),
        (_fork, "epoch 1 of group was forked"),
        (_accept_two_commits, "2 commits that begin epoch 1 of group were acknowledged"),
        (_skip_an_epoch, "bob: epoch 3 of group came after 1"),
        (_stay_behind, "bob: group ends in epoch 1"),
    ],
)
def test_what_must_not_be_is_noticed(change: Callable[[History], None], said: str) -> None:
    made = history()
    change(made)
    assert said in violations(made)
