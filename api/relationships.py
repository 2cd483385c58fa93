"""Blocks, mutes, close friends and lists of people over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from api.deps import Now, PageDep, ServicesDep, SignedIn, Uow
from api.models import PageModel, RequestModel, render_page
from api.platform import Services
from api.profiles import PersonModel, Username, render_person
from api.transaction import TransactionRoute
from cluster.postgres import UnitOfWork
from features.paging import Page
from features.relationships.model import ListedPerson, PeopleList

router = APIRouter(tags=["relationships"], route_class=TransactionRoute)

ListId = Annotated[UUID, Path(description="One of the caller's lists.")]


class ListedPersonModel(BaseModel):
    """Somebody, and since when."""

    person: PersonModel
    since: datetime = Field(examples=["2026-01-02T03:04:05Z"])


class NewList(RequestModel):
    name: str = Field(
        description="Up to 50 characters; the caller has no other list of this name.", examples=["Climbing"]
    )


class ListModel(BaseModel):
    """A list of people to share things with. Nobody but its owner sees it."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    name: str = Field(examples=["Climbing"])
    members: int = Field(description="How many people are on it.", examples=[7])
    created_at: datetime = Field(examples=["2026-01-02T03:04:05Z"])


@router.put("/blocks/{username}", status_code=204)
async def block(username: Username, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now) -> None:
    """Block somebody: every tie and pending request ends at once, and neither finds the other any more."""
    whom = await services.profiles.resolve_for_unblock(uow, identity.account_id, username)
    await services.relationships.block(uow, identity.account_id, whom, now)


@router.delete("/blocks/{username}", status_code=204)
async def unblock(username: Username, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now) -> None:
    """End a block. Ties do not come back by themselves."""
    whom = await services.profiles.resolve_for_unblock(uow, identity.account_id, username)
    await services.relationships.unblock(uow, identity.account_id, whom, now)


@router.get("/blocks", name="list_blocks")
async def blocks(identity: SignedIn, services: ServicesDep, uow: Uow, page: PageDep) -> PageModel[ListedPersonModel]:
    """Whom the caller has blocked, newest first."""
    return await _people(services, uow, await services.relationships.blocks(uow, identity.account_id, page))


@router.put("/mutes/{username}", status_code=204)
async def mute(username: Username, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now) -> None:
    """Keep somebody's posts out of the caller's feed. The person is not told."""
    whom = await services.profiles.resolve(uow, identity.account_id, username)
    await services.relationships.mute(uow, identity.account_id, whom, now)


@router.delete("/mutes/{username}", status_code=204)
async def unmute(username: Username, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now) -> None:
    """End a mute."""
    whom = await services.profiles.resolve(uow, identity.account_id, username)
    await services.relationships.unmute(uow, identity.account_id, whom, now)


@router.get("/mutes", name="list_mutes")
async def mutes(identity: SignedIn, services: ServicesDep, uow: Uow, page: PageDep) -> PageModel[ListedPersonModel]:
    """Whom the caller has muted, newest first."""
    return await _people(services, uow, await services.relationships.mutes(uow, identity.account_id, page))


@router.put("/close-friends/{username}", status_code=204)
async def add_close_friend(username: Username, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now) -> None:
    """Share with somebody what is for close friends only. The person is not told."""
    member = await services.profiles.resolve(uow, identity.account_id, username)
    await services.relationships.add_close_friend(uow, identity.account_id, member, now)


@router.delete("/close-friends/{username}", status_code=204)
async def remove_close_friend(
    username: Username, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now
) -> None:
    """Count somebody among the close friends no longer. The person is not told."""
    member = await services.profiles.resolve(uow, identity.account_id, username)
    await services.relationships.remove_close_friend(uow, identity.account_id, member, now)


@router.get("/close-friends", name="list_close_friends")
async def close_friends(
    identity: SignedIn, services: ServicesDep, uow: Uow, page: PageDep
) -> PageModel[ListedPersonModel]:
    """The caller's close friends, newest first."""
    found = await services.relationships.close_friends(uow, identity.account_id, page)
    return await _people(services, uow, found)


@router.post("/lists", status_code=201)
async def create_list(body: NewList, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now) -> ListModel:
    """A new list of people to share things with."""
    return _render_list(await services.relationships.create_list(uow, identity.account_id, body.name, now))


@router.get("/lists", name="list_lists")
async def lists(identity: SignedIn, services: ServicesDep, uow: Uow, page: PageDep) -> PageModel[ListModel]:
    """The caller's lists, newest first."""
    return render_page(await services.relationships.lists(uow, identity.account_id, page), _render_list)


@router.delete("/lists/{list_id}", status_code=204)
async def delete_list(list_id: ListId, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now) -> None:
    """Delete a list. What was shared with it stays with its author."""
    await services.relationships.delete_list(uow, identity.account_id, list_id, now)


@router.get("/lists/{list_id}/members")
async def list_members(
    list_id: ListId, identity: SignedIn, services: ServicesDep, uow: Uow, page: PageDep
) -> PageModel[ListedPersonModel]:
    """Who is on a list, newest first."""
    found = await services.relationships.list_members(uow, identity.account_id, list_id, page)
    return await _people(services, uow, found)


@router.put("/lists/{list_id}/members/{username}", status_code=204)
async def add_list_member(
    list_id: ListId, username: Username, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now
) -> None:
    """Put somebody on a list. The person is not told."""
    member = await services.profiles.resolve(uow, identity.account_id, username)
    await services.relationships.add_list_member(uow, identity.account_id, list_id, member, now)


@router.delete("/lists/{list_id}/members/{username}", status_code=204)
async def remove_list_member(
    list_id: ListId, username: Username, identity: SignedIn, services: ServicesDep, uow: Uow, now: Now
) -> None:
    """Take somebody off a list. The person is not told."""
    member = await services.profiles.resolve(uow, identity.account_id, username)
    await services.relationships.remove_list_member(uow, identity.account_id, list_id, member, now)


async def _people(services: Services, uow: UnitOfWork, page: Page[ListedPerson]) -> PageModel[ListedPersonModel]:
    """Ties with names: the names are the profiles slice's, in one statement for the page."""
    people = await services.profiles.people(uow, [entry.person_id for entry in page.items])
    items = [
        ListedPersonModel(person=render_person(people[entry.person_id]), since=entry.since)
        for entry in page.items
        if entry.person_id in people
    ]
    return PageModel(items=items, next_cursor=page.next_cursor)


def _render_list(found: PeopleList) -> ListModel:
    return ListModel(id=found.id, name=found.name, members=found.members, created_at=found.created_at)
