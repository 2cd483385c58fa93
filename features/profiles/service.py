"""The service of profiles. Every username from a client is resolved here, so that who is apart is so everywhere."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.events import publish
from features.profiles import store
from features.profiles.errors import BadLink, TooManyLinks, UsernameTaken
from features.profiles.events import ProfileCreated, ProfileUpdated
from features.profiles.model import Images, Person, Profile, ProfileView, canonical_username
from features.profiles.policy import ProfilePolicy
from features.relationships.errors import NoSuchPerson
from features.relationships.service import RelationshipService
from features.text import clean_line, clean_paragraphs


@dataclass(frozen=True, slots=True)
class ProfileService:
    policy: ProfilePolicy
    relationships: RelationshipService

    async def create(self, uow: UnitOfWork, account_id: UUID, username: str, name: str, now: datetime) -> Profile:
        """Creates the profile of a new account. Raises UsernameTaken, and the errors of usernames and names."""
        username = canonical_username(username, reserved=self.policy.reserved_usernames)
        name = clean_line(name, field="name", max_characters=self.policy.max_name_characters)
        if not await store.insert(uow, account_id, username, name, now):
            raise UsernameTaken
        await self.relationships.add_account(uow, account_id)
        publish(uow, ProfileCreated(account_id, username), now)
        return Profile(account_id, username, name, "", "", (), Images(None, None), now)

    async def resolve(self, uow: UnitOfWork, viewer_id: UUID | None, username: str) -> UUID:
        """Returns the account of a username, in any spelling. Raises the same NoSuchPerson if there is none and if it
        is apart from the viewer."""
        account_id = await store.resolve(uow, viewer_id, username.lower())
        if account_id is None:
            raise NoSuchPerson
        return account_id

    async def holder(self, uow: UnitOfWork, username: str) -> UUID | None:
        """Returns the account that has a username, in any spelling and whatever its state: for log-in and sign-up, and
        for operators. Requests that show or change anything else use `resolve`."""
        return await store.holder(uow, username.lower())

    async def resolve_for_unblock(self, uow: UnitOfWork, viewer_id: UUID, username: str) -> UUID:
        """Like `resolve`, but finds accounts that the viewer has blocked: for requests that set and end a block."""
        account_id = await store.resolve_blocked_too(uow, viewer_id, username.lower())
        if account_id is None:
            raise NoSuchPerson
        return account_id

    async def resolve_many(
        self, uow: UnitOfWork, viewer_id: UUID | None, usernames: Collection[str]
    ) -> dict[str, UUID]:
        """Returns the accounts of lower-case usernames, without those that `resolve` would not find. One statement."""
        return await store.resolve_many(uow, viewer_id, usernames) if usernames else {}

    async def resolve_for(
        self, uow: UnitOfWork, account_id: UUID, usernames: Collection[str]
    ) -> tuple[Person, dict[str, UUID]]:
        """Returns the names of the caller, and what `resolve_many` does. One statement, which begins no transaction.
        Raises NoSuchPerson for a caller who has no profile any longer."""
        found = await store.resolve_for(uow, account_id, usernames)
        caller = next((person for person in found if person.id == account_id), None)
        if caller is None:
            raise NoSuchPerson
        return caller, {person.username: person.id for person in found if person.username in usernames}

    async def people(self, uow: UnitOfWork, account_ids: Collection[UUID]) -> dict[UUID, Person]:
        """Returns the names of accounts that the caller may see, without deleted ones. One statement."""
        return await store.people(uow, account_ids) if account_ids else {}

    async def own(self, uow: UnitOfWork, account_id: UUID) -> ProfileView:
        """Returns the caller's own profile."""
        profile = await store.find(uow, account_id)
        if profile is None:
            raise NoSuchPerson
        found = await self.relationships.relationship(uow, None, account_id)
        return ProfileView(profile, found.counts, None)

    async def view(self, uow: UnitOfWork, viewer_id: UUID | None, username: str) -> ProfileView:
        """Returns a profile as the viewer sees it, in two statements. Raises NoSuchPerson like `resolve`."""
        return await self._view(uow, viewer_id, await store.find_visible(uow, viewer_id, username.lower()))

    async def view_by_id(self, uow: UnitOfWork, viewer_id: UUID | None, account_id: UUID) -> ProfileView:
        """Like `view`, by the account's id."""
        return await self._view(uow, viewer_id, await store.find_visible_by_id(uow, viewer_id, account_id))

    async def _view(self, uow: UnitOfWork, viewer_id: UUID | None, profile: Profile | None) -> ProfileView:
        if profile is None:
            raise NoSuchPerson
        found = await self.relationships.relationship(uow, viewer_id, profile.account_id)
        anonymous_or_own = viewer_id is None or viewer_id == profile.account_id
        return ProfileView(profile, found.counts, None if anonymous_or_own else found.state)

    async def update(
        self,
        uow: UnitOfWork,
        account_id: UUID,
        *,
        name: str | None,
        bio: str | None,
        pronouns: str | None,
        links: list[str] | None,
        now: datetime,
    ) -> ProfileView:
        """Changes what is not None. Raises Invalid naming the field."""
        policy = self.policy
        if name is not None:
            name = clean_line(name, field="name", max_characters=policy.max_name_characters)
        if bio is not None:
            bio = clean_paragraphs(bio, field="bio", max_characters=policy.max_bio_characters)
        if pronouns is not None:
            limit = policy.max_pronouns_characters
            pronouns = clean_line(pronouns, field="pronouns", max_characters=limit, required=False)
        if links is not None:
            links = self._clean_links(links)
        return await self._updated(
            uow, account_id, await store.update(uow, account_id, name, bio, pronouns, links, now), now
        )

    async def lock_images(self, uow: UnitOfWork, account_id: UUID) -> Images:
        """Returns the images that a profile shows, locked until the unit of work ends. Raises NoSuchPerson."""
        images = await store.lock_images(uow, account_id)
        if images is None:
            raise NoSuchPerson
        return images

    async def show_images(self, uow: UnitOfWork, account_id: UUID, images: Images, now: datetime) -> ProfileView:
        """Has a profile, whose images are locked, show these, which are attached to the account."""
        await store.store_images(uow, account_id, images)
        return await self._updated(uow, account_id, await store.find(uow, account_id), now)

    async def _updated(self, uow: UnitOfWork, account_id: UUID, profile: Profile | None, now: datetime) -> ProfileView:
        if profile is None:
            raise NoSuchPerson
        publish(uow, ProfileUpdated(account_id), now)
        found = await self.relationships.relationship(uow, None, account_id)
        return ProfileView(profile, found.counts, None)

    def _clean_links(self, links: list[str]) -> list[str]:
        if len(links) > self.policy.max_links:
            raise TooManyLinks(f"A profile may have at most {self.policy.max_links} links.")
        return [self._clean_link(link) for link in links]

    def _clean_link(self, link: str) -> str:
        """Accepts web addresses only: another scheme (javascript:) could run in the reader's client."""
        link = clean_line(link, field="links", max_characters=self.policy.max_link_characters)
        try:
            parts = urlsplit(link)
            host = parts.hostname
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https") or parts.username is not None or " " in link:
            raise BadLink
        return link
