"""Invitations to groups in the terminal client: commands that begin with /group, as those of groups do."""

import time
from collections.abc import Sequence
from typing import Protocol

from client.api.group_invitations import Invitation, JoinRequest
from client.invitation_link import InvitationLink
from client.terminal.printable import one_line

USAGE = """\
/group link [DAYS [PEOPLE]]  makes a link with which people ask to join
/group links               those that are good
/group revoke LINK         ends one, by the end of its number
/group requests            who has asked to join
/group approve PERSON…     adds them
/group decline PERSON…     they are not told
/group join LINK           asks to join a group"""

_DAY_S = 86_400
_SHORT = 6
"""How many of an id's last digits name an invitation."""


class InvitationActions(Protocol):
    """What the commands need of `client.invitations.Invitations`."""

    async def create(self, conversation_id: str, expires_in_s: int = ..., max_uses: int = ...) -> InvitationLink: ...
    async def of_group(self, conversation_id: str) -> list[Invitation]: ...
    async def revoke(self, conversation_id: str, invitation_id: str) -> None: ...
    async def ask(self, text: str) -> InvitationLink: ...
    async def requests(self, conversation_id: str) -> list[JoinRequest]: ...
    async def approve(self, conversation_id: str, username: str) -> None: ...
    async def decline(self, conversation_id: str, username: str) -> None: ...


def parse(said: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """Returns the command that words after /group are, and its own words; None if it is no command of invitations."""
    match said:
        case ["link", *numbers] if len(numbers) <= 2 and all(map(_is_number, numbers)):
            return "link", tuple(numbers)
        case ["links" | "requests" as what]:
            return what, ()
        case ["revoke" | "join" as what, named]:
            return what, (named,)
        case ["approve" | "decline" as what, _, *_]:
            return what, tuple(said[1:])
    return None


async def join(invitations: InvitationActions, link: str) -> str:
    """Asks to join a group. Returns what is told. Raises ValueError, whose text is for the user, as all here, and what
    the actions raise."""
    asked = await invitations.ask(link)
    return f"You have asked to join {one_line(asked.name)}. You are in it once an owner or admin has let you in."


async def make_link(invitations: InvitationActions, group: str, numbers: Sequence[str]) -> InvitationLink:
    """Makes a link for so many days and people."""
    names = ("expires_in_s", "max_uses")
    values = [int(each) * factor for each, factor in zip(numbers, (_DAY_S, 1), strict=False)]
    return await invitations.create(group, **dict(zip(names, values, strict=False)))


async def listed(invitations: InvitationActions, group: str) -> str:
    """The links of a group, a line each."""
    found = await invitations.of_group(group)
    lines = [
        f"{each.id[-_SHORT:]}: {each.uses} of {each.max_uses} came, until {_date(each.expires_at)}" for each in found
    ]
    return "\n".join(lines) or "There is no link to this group."


async def revoke(invitations: InvitationActions, group: str, named: str) -> str:
    """Ends the link whose number ends so."""
    found = [each for each in await invitations.of_group(group) if each.id.endswith(named.lower())]
    if len(found) != 1:
        raise ValueError("Which link? /group links shows their numbers.")
    await invitations.revoke(group, found[0].id)
    return "The link is not good any more."


async def waiting(invitations: InvitationActions, group: str) -> str:
    """Who asks to join, a line each."""
    found = await invitations.requests(group)
    return "\n".join(f"{one_line(each.username)}: {_date(each.asked_at)}" for each in found) or "Nobody asks to join."


async def answer(invitations: InvitationActions, group: str, what: str, usernames: Sequence[str]) -> None:
    """Approves or declines."""
    for username in usernames:
        await (invitations.approve if what == "approve" else invitations.decline)(group, username)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= len(text) <= 4 and int(text) > 0


def _date(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))
