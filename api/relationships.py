"""Blocks, mutes, close friends and lists of people over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from api.conditional import ConditionalRoute
from api.deps import Now, PageDep, PlatformDep, SealedPageDep, SignedIn, Uow, service
from api.error_codes import raises
from api.models import MAX_DECOMPOSED, Body, PageModel, render_page
from api.profiles import PersonModel, Profiles, RelationshipModel, Username, relationship_to, render_person
from api.routes import VERSION, Routes
from api.transaction import located
from cluster.postgres import UnitOfWork
from features.paging import Page
from features.profiles.service import ProfileService
from features.relationships.errors import (
    PERSON_ERRORS,
    ListNameTaken,
    NoSuchList,
    NoSuchPerson,
    TooManyBlocks,
    TooManyCloseFriends,
    TooManyListMembers,
    TooManyLists,
    TooManyMutes,
)
from features.relationships.model import ListedPerson, PeopleList
from features.relationships.policy import RelationshipPolicy
from features.relationships.service import RelationshipService
from features.text_errors import TEXT_ERRORS

router = APIRouter(prefix=VERSION, tags=["relationships"], route_class=ConditionalRoute)

ROUTES = Routes((router,))

Relationships = Annotated[RelationshipService, service(RelationshipService)]

ListId = Annotated[UUID, Path(description="One of the caller's lists.")]


class ListedPersonModel(BaseModel):
    """A person in a list, and since when."""

    person: PersonModel
    since: datetime = Field(examples=["2026-01-02T03:04:05Z"])


class ListBody(Body):
    name: str = Field(
        max_length=MAX_DECOMPOSED * RelationshipPolicy().max_list_name_characters,
        description="Up to 50 characters; the caller has no other list of this name.",
        examples=["Climbing"],
    )


class ListModel(BaseModel):
    """A list of people to share posts with. Only its owner sees it."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    name: str = Field(max_length=RelationshipPolicy().max_list_name_characters, examples=["Climbing"])
    members: int = Field(description="How many people are on it.", examples=[7])
    created_at: datetime = Field(examples=["2026-01-02T03:04:05Z"])


@router.put("/blocks/{username}", status_code=204)
@raises(*PERSON_ERRORS, TooManyBlocks)
async def block(
    username: Username, identity: SignedIn, profiles: Profiles, relationships: Relationships, uow: Uow, now: Now
) -> None:
    """Block somebody: every connection and pending request ends, and neither can find the other."""
    whom = await profiles.resolve_for_unblock(uow, identity.account_id, username)
    await relationships.block(uow, identity.account_id, whom, now)


@router.delete("/blocks/{username}", status_code=204)
@raises(NoSuchPerson)
async def unblock(
    username: Username, identity: SignedIn, profiles: Profiles, relationships: Relationships, uow: Uow, now: Now
) -> None:
    """Remove a block. Connections are not restored."""
    whom = await profiles.resolve_for_unblock(uow, identity.account_id, username)
    await relationships.unblock(uow, identity.account_id, whom, now)


@router.get("/blocks", name="list_blocks")
async def blocks(
    identity: SignedIn, profiles: Profiles, relationships: Relationships, uow: Uow, page: SealedPageDep
) -> PageModel[ListedPersonModel]:
    """List whom the caller has blocked, newest first. A page may have fewer items than asked for, even none,
    and a `next_cursor`."""
    return await _people(profiles, uow, await relationships.blocks(uow, identity.account_id, page))


@router.put("/mutes/{username}")
@raises(*PERSON_ERRORS, TooManyMutes)
async def mute(
    username: Username,
    identity: SignedIn,
    profiles: Profiles,
    relationships: Relationships,
    platform: PlatformDep,
    uow: Uow,
    now: Now,
) -> RelationshipModel:
    """Hide somebody's posts from the caller's feed. The person is not notified."""
    whom = await profiles.resolve(uow, identity.account_id, username)
    await relationships.mute(uow, identity.account_id, whom, now)
    return await relationship_to(uow, platform, identity.account_id, whom)


@router.delete("/mutes/{username}", status_code=204)
@raises(NoSuchPerson)
async def unmute(
    username: Username, identity: SignedIn, profiles: Profiles, relationships: Relationships, uow: Uow, now: Now
) -> None:
    """Remove a mute."""
    whom = await profiles.resolve(uow, identity.account_id, username)
    await relationships.unmute(uow, identity.account_id, whom, now)


@router.get("/mutes", name="list_mutes")
async def mutes(
    identity: SignedIn, profiles: Profiles, relationships: Relationships, uow: Uow, page: SealedPageDep
) -> PageModel[ListedPersonModel]:
    """List whom the caller has muted, newest first. A page may have fewer items than asked for, even none,
    and a `next_cursor`."""
    return await _people(profiles, uow, await relationships.mutes(uow, identity.account_id, page))


@router.put("/close-friends/{username}")
@raises(*PERSON_ERRORS, TooManyCloseFriends)
async def add_close_friend(
    username: Username,
    identity: SignedIn,
    profiles: Profiles,
    relationships: Relationships,
    platform: PlatformDep,
    uow: Uow,
    now: Now,
) -> RelationshipModel:
    """Add somebody to the caller's close friends. The person is not notified."""
    member = await profiles.resolve(uow, identity.account_id, username)
    await relationships.add_close_friend(uow, identity.account_id, member, now)
    return await relationship_to(uow, platform, identity.account_id, member)


@router.delete("/close-friends/{username}", status_code=204)
@raises(NoSuchPerson)
async def remove_close_friend(
    username: Username, identity: SignedIn, profiles: Profiles, relationships: Relationships, uow: Uow, now: Now
) -> None:
    """Remove somebody from the caller's close friends. The person is not notified."""
    member = await profiles.resolve(uow, identity.account_id, username)
    await relationships.remove_close_friend(uow, identity.account_id, member, now)


@router.get("/close-friends", name="list_close_friends")
async def close_friends(
    identity: SignedIn, profiles: Profiles, relationships: Relationships, uow: Uow, page: SealedPageDep
) -> PageModel[ListedPersonModel]:
    """List the caller's close friends, newest first. A page may have fewer items than asked for, even none,
    and a `next_cursor`."""
    found = await relationships.close_friends(uow, identity.account_id, page)
    return await _people(profiles, uow, found)


@router.post("/lists", status_code=201)
@raises(*TEXT_ERRORS, ListNameTaken, TooManyLists)
@located("/lists/{id}")
async def create_list(
    body: ListBody, identity: SignedIn, relationships: Relationships, uow: Uow, now: Now
) -> ListModel:
    """Create a list of people to share posts with."""
    return _render_list(await relationships.create_list(uow, identity.account_id, body.name, now))


@router.get("/lists", name="list_lists")
async def lists(identity: SignedIn, relationships: Relationships, uow: Uow, page: PageDep) -> PageModel[ListModel]:
    """List the caller's lists, newest first."""
    return render_page(await relationships.lists(uow, identity.account_id, page), _render_list)


@router.get("/lists/{list_id}")
@raises(NoSuchList)
async def get_list(list_id: ListId, identity: SignedIn, relationships: Relationships, uow: Uow) -> ListModel:
    """Get one of the caller's lists."""
    return _render_list(await relationships.list(uow, identity.account_id, list_id))


@router.delete("/lists/{list_id}", status_code=204)
@raises(NoSuchList)
async def delete_list(list_id: ListId, identity: SignedIn, relationships: Relationships, uow: Uow, now: Now) -> None:
    """Delete a list. Posts that were shared with it become visible to their author only."""
    await relationships.delete_list(uow, identity.account_id, list_id, now)


@router.get("/lists/{list_id}/members")
@raises(NoSuchList)
async def list_members(
    list_id: ListId, identity: SignedIn, profiles: Profiles, relationships: Relationships, uow: Uow, page: SealedPageDep
) -> PageModel[ListedPersonModel]:
    """List the members of a list, newest first. A page may have fewer items than asked for, even none,
    and a `next_cursor`."""
    found = await relationships.list_members(uow, identity.account_id, list_id, page)
    return await _people(profiles, uow, found)


@router.put("/lists/{list_id}/members/{username}", status_code=204)
@raises(*PERSON_ERRORS, NoSuchList, TooManyListMembers)
async def add_list_member(
    list_id: ListId,
    username: Username,
    identity: SignedIn,
    profiles: Profiles,
    relationships: Relationships,
    uow: Uow,
    now: Now,
) -> None:
    """Add somebody to a list. The person is not notified."""
    member = await profiles.resolve(uow, identity.account_id, username)
    await relationships.add_list_member(uow, identity.account_id, list_id, member, now)


@router.delete("/lists/{list_id}/members/{username}", status_code=204)
@raises(NoSuchPerson, NoSuchList)
async def remove_list_member(
    list_id: ListId,
    username: Username,
    identity: SignedIn,
    profiles: Profiles,
    relationships: Relationships,
    uow: Uow,
    now: Now,
) -> None:
    """Remove somebody from a list. The person is not notified."""
    member = await profiles.resolve(uow, identity.account_id, username)
    await relationships.remove_list_member(uow, identity.account_id, list_id, member, now)


async def _people(profiles: ProfileService, uow: UnitOfWork, page: Page[ListedPerson]) -> PageModel[ListedPersonModel]:
    """Renders listed people with their names, which cost one statement for the page."""
    people = await profiles.people(uow, [entry.person_id for entry in page.items])
    items = [
        ListedPersonModel(person=render_person(people[entry.person_id]), since=entry.since)
        for entry in page.items
        if entry.person_id in people
    ]
    return PageModel(items=items, next_cursor=page.next_cursor)


def _render_list(found: PeopleList) -> ListModel:
    return ListModel(id=found.id, name=found.name, members=found.members, created_at=found.created_at)
