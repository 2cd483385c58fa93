"""Polls of posts: what is accepted, and what a reader sees.

How somebody voted is nobody else's to know, not the author's either. So results are hidden from a reader who has not
voted until the poll is closed, votes cannot be changed, results have at least `PostPolicy.min_voters_shown` voters, and
while a poll is open they go on by as many at once: neither a result nor the difference between two of them is the vote
of one person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.posts.errors import BadChoices, BadPollDuration, BadPollOptions
from features.posts.model import PollDefinition, PollView
from features.posts.policy import PostPolicy
from features.text import clean_line

MAX_OPTIONS = 10
"""The options that a brand's policy can allow at most: as many numbers are stored with the results of each poll."""


@dataclass(frozen=True, slots=True)
class PollDraft:
    """A poll as its author asks for it."""

    options: Sequence[str]
    multiple: bool
    """Whether a vote may have several choices."""
    duration: timedelta


@dataclass(frozen=True, slots=True)
class PollState:
    """The votes of a poll: the reader's own choices (None: none), how many people voted, how often each option was
    chosen."""

    own: list[int] | None
    voters: int
    counts: Sequence[int]


UNVOTED = PollState(None, 0, (0,) * MAX_OPTIONS)


def define_poll(draft: PollDraft, policy: PostPolicy, now: datetime) -> PollDefinition:
    """Returns a poll as it is stored. Raises Invalid for its options and its duration."""
    options = [
        clean_line(text, field=f"poll.options.{number}", max_characters=policy.max_poll_option_length)
        for number, text in enumerate(draft.options)
    ]
    most = min(policy.max_poll_options, MAX_OPTIONS)
    if not 2 <= len(options) <= most:
        raise BadPollOptions(f"A poll has 2 to {most} options.")
    if len({text.casefold() for text in options}) < len(options):
        raise BadPollOptions("Two options are the same.")
    if not policy.min_poll_duration <= draft.duration <= policy.max_poll_duration:
        shortest, longest = (
            int(limit.total_seconds()) for limit in (policy.min_poll_duration, policy.max_poll_duration)
        )
        raise BadPollDuration(f"A poll takes {shortest} to {longest} seconds.")
    closes_at = (now + draft.duration).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "options": options,
        "multiple": draft.multiple,
        "closes_at": closes_at,
        "min_voters": policy.min_voters_shown,
    }


def is_closed(poll: PollDefinition, now: datetime) -> bool:
    """Returns whether a poll takes no more votes."""
    return datetime.fromisoformat(poll["closes_at"].replace("Z", "+00:00")) <= now


def check_choices(poll: PollDefinition, choices: Sequence[int]) -> list[int]:
    """Returns the choices of a vote in their order. Raises BadChoices."""
    if not choices or len(set(choices)) < len(choices) or not set(choices) <= set(range(len(poll["options"]))):
        raise BadChoices
    if len(choices) > 1 and not poll["multiple"]:
        raise BadChoices("This poll takes one choice.")
    return sorted(choices)


def view_poll(poll: PollDefinition, state: PollState, now: datetime) -> PollView:
    """Returns a poll as a reader sees it, with results if that reader may see them."""
    closed = is_closed(poll, now)
    shown = (closed or state.own is not None) and state.voters >= poll["min_voters"]
    return {
        "options": [
            {"text": text, "votes": count if shown else None}
            for text, count in zip(poll["options"], state.counts, strict=False)
        ],
        "multiple": poll["multiple"],
        "closes_at": poll["closes_at"],
        "closed": closed,
        "voters": state.voters if shown else None,
        "own_choices": state.own,
    }
