"""The service of links to posts. A link gives nobody a right: it shows its post to those who may see it anyway, while
whoever made it may see it, too."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.events import publish
from features.paging import Page, PageRequest, page_of
from features.posts.errors import NoSuchPost
from features.posts.model import PostView
from features.posts.service import PostService
from features.posts.views import Row
from features.share_links import store, tokens
from features.share_links.errors import BadLinkLifetime, NoSharedPost, NoSuchShareLink, TooManyShareLinks
from features.share_links.events import ShareLinkCreated, ShareLinkRevoked
from features.share_links.model import ShareLink
from features.share_links.policy import ShareLinkPolicy


@dataclass(frozen=True, slots=True)
class ShareLinkService:
    """Operations on links. `key` is that of their tokens."""

    policy: ShareLinkPolicy
    posts: PostService
    key: bytes

    async def create(
        self, uow: UnitOfWork, account_id: UUID, post_id: UUID, lifetime: timedelta | None, now: datetime
    ) -> ShareLink:
        """Makes a link to a post that the caller may see. Raises NoSuchPost, BadLinkLifetime, TooManyShareLinks."""
        policy = self.policy
        lifetime = policy.lifetime if lifetime is None else lifetime
        if not policy.min_lifetime <= lifetime <= policy.max_lifetime:
            shortest, longest = int(policy.min_lifetime.total_seconds()), policy.max_lifetime.days
            raise BadLinkLifetime(f"A link is good for {shortest} seconds to {longest} days.")
        if await store.lock(uow, account_id, now) >= policy.max_links:
            raise TooManyShareLinks(f"You can have at most {policy.max_links} links.")
        link_id, expires_at = new_id(now), (now + lifetime).replace(microsecond=0)
        if not await store.insert(uow, link_id, account_id, post_id, now, expires_at):
            raise NoSuchPost
        publish(uow, ShareLinkCreated(link_id, post_id, account_id), now)
        return ShareLink(link_id, post_id, tokens.seal(link_id, expires_at, self.key), now, expires_at)

    async def get(self, uow: UnitOfWork, account_id: UUID, link_id: UUID, now: datetime) -> ShareLink:
        """Returns a link of the caller. Raises NoSuchShareLink."""
        row = await store.find(uow, account_id, link_id, now)
        if row is None:
            raise NoSuchShareLink
        return self._link(row)

    async def of_account(
        self, uow: UnitOfWork, account_id: UUID, post_id: UUID | None, page: PageRequest, now: datetime
    ) -> Page[ShareLink]:
        """Returns the caller's links that have not expired, newest first; only those to a post, if it is given."""
        rows = await store.of_account(uow, account_id, post_id, page, now)
        return page_of([self._link(row) for row in rows], page.limit, ShareLink.cursor)

    async def revoke(self, uow: UnitOfWork, account_id: UUID, link_id: UUID, now: datetime) -> None:
        """Ends a link of the caller. Raises NoSuchShareLink."""
        post_id = await store.delete(uow, account_id, link_id)
        if post_id is None:
            raise NoSuchShareLink
        publish(uow, ShareLinkRevoked(link_id, post_id, account_id), now)

    async def open(self, uow: UnitOfWork, token: str, viewer_id: UUID | None, now: datetime) -> PostView:
        """Returns the post of a link as the viewer sees it. Raises NoSharedPost."""
        link_id = tokens.open_token(token, self.key, now)
        post_id = await store.post_of(uow, link_id, now) if link_id else None
        if post_id is None:
            raise NoSharedPost
        try:
            return await self.posts.get(uow, post_id, viewer_id, now)
        except NoSuchPost:
            raise NoSharedPost from None

    def _link(self, row: Row) -> ShareLink:
        token = tokens.seal(row["id"], row["expires_at"], self.key)
        return ShareLink(row["id"], row["post_id"], token, row["created_at"], row["expires_at"])
