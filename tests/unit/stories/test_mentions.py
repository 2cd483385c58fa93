"""Mentions in stories: what is accepted, and what a reader sees of it."""

from uuid import UUID

import pytest

from features.stories.errors import TooManyMentioned, UnknownMentioned
from features.stories.mentions import mention_views, mentioned_accounts, stored_mentions, usernames_in
from features.stories.model import Sticker
from features.stories.settings import ReplyAudience, may_reply

ADA, BOB = (UUID(int=number) for number in (1, 2))
PEOPLE = {"ada": ADA, "bob": BOB}


def test_mentions_are_those_in_the_text_and_on_the_image() -> None:
    text, stickers = "Hi @Ada, @nobody and me@bob #bob", [Sticker("BOB", 0.25, 1.0), Sticker("ada", 0.0, 0.5)]
    assert usernames_in(text, stickers, 3) == ["ada", "bob", "nobody"]
    stored = stored_mentions(text, stickers, PEOPLE)
    assert mentioned_accounts(stored) == (ADA, BOB)
    assert mentioned_accounts(None) == ()
    shown = mention_views(stored, {str(ADA): "ada_l", str(BOB): "bob"})
    assert shown == [
        {"kind": "mention", "account_id": str(ADA), "username": "ada_l", "start": 3, "end": 7},
        {"kind": "sticker", "account_id": str(BOB), "username": "bob", "x": 0.25, "y": 1.0},
        {"kind": "sticker", "account_id": str(ADA), "username": "ada_l", "x": 0.0, "y": 0.5},
    ]
    assert mention_views(stored, {str(BOB): "bob"}) == shown[1:2]
    assert mention_views(None, {}) == []


def test_too_many_people_and_a_sticker_of_nobody_are_refused() -> None:
    with pytest.raises(TooManyMentioned):
        usernames_in("@ada @bob", [Sticker("eve", 0, 0)], 2)
    with pytest.raises(TooManyMentioned):
        usernames_in("", [Sticker("ada", 0, 0)] * 3, 2)
    with pytest.raises(UnknownMentioned) as refused:
        stored_mentions("", [Sticker("ada", 0, 0), Sticker("nobody", 0, 0)], PEOPLE)
    assert refused.value.field == "mentions.1.username"


def test_who_may_reply() -> None:
    everybody = [(False, False), (True, False), (False, True), (True, True)]
    for audience, expected in (
        (ReplyAudience.EVERYONE, everybody),
        (ReplyAudience.CONNECTIONS, [(True, False), (True, True)]),
        (ReplyAudience.CLOSE_FRIENDS, [(False, True), (True, True)]),
        (ReplyAudience.NOBODY, []),
    ):
        allowed = [each for each in everybody if may_reply(audience, connected=each[0], close_friend=each[1])]
        assert allowed == expected, audience
