"""People mentioned in a story: by their username in its text, or by a sticker on its image.

Whoever is mentioned sees the story if its audience allows it, and not otherwise. The event of the story names them, for
whoever tells them. A mention is shown to those who may know the person, under the present username.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from features.posts.text import Mention, parse
from features.stories.errors import TooManyMentioned, UnknownMentioned
from features.stories.model import Sticker, StoryMention


def usernames_in(text: str, stickers: Sequence[Sticker], limit: int) -> list[str]:
    """Returns the different usernames that may be mentioned, in lower case. Raises TooManyMentioned."""
    named = {found.username for found in parse(text) if isinstance(found, Mention)}
    named |= {sticker.username.lower() for sticker in stickers}
    if len(named) > limit or len(stickers) > limit:
        raise TooManyMentioned(f"A story mentions at most {limit} people.")
    return sorted(named)


def stored_mentions(text: str, stickers: Sequence[Sticker], people: Mapping[str, UUID]) -> list[dict[str, Any]]:
    """Returns mentions as they are stored. `people` are those of the usernames whom the author may
    know: another name in the text is plain text. Raises UnknownMentioned for a sticker."""
    mentions: list[dict[str, Any]] = [
        {"account_id": str(people[found.username]), "start": found.start, "end": found.end}
        for found in parse(text)
        if isinstance(found, Mention) and found.username in people
    ]
    for position, sticker in enumerate(stickers):
        if (account_id := people.get(sticker.username.lower())) is None:
            raise UnknownMentioned(field=f"mentions.{position}.username")
        mentions.append({"account_id": str(account_id), "x": sticker.x, "y": sticker.y})
    return mentions


def mention_views(stored: Sequence[Mapping[str, Any]] | None, usernames: Mapping[str, str]) -> list[StoryMention]:
    """Returns mentions as a reader sees them. `usernames` are the present ones of the people whom the reader may know,
    by their ids."""
    found: list[StoryMention] = []
    for mention in stored or ():
        account_id = mention["account_id"]
        if (username := usernames.get(account_id)) is None:
            continue
        if "x" in mention:
            found.append(
                {
                    "kind": "sticker",
                    "account_id": account_id,
                    "username": username,
                    "x": mention["x"],
                    "y": mention["y"],
                }
            )
        else:
            found.append(
                {
                    "kind": "mention",
                    "account_id": account_id,
                    "username": username,
                    "start": mention["start"],
                    "end": mention["end"],
                }
            )
    return found


def mentioned_accounts(stored: Sequence[Mapping[str, Any]] | None) -> tuple[UUID, ...]:
    """Returns who is mentioned, each once, in the order of ids."""
    return tuple(sorted({UUID(mention["account_id"]) for mention in stored or ()}))
