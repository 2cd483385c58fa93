"""The service of references. A reference gives nobody a right: what it refers to is shown to those who may see it at
that moment. It proves to the recipient of a message that its sender was allowed to refer to it, and when."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.message_references.errors import NoSuchReference, RepliesNotAllowed
from features.message_references.model import Reference, ReferenceKind, Referred
from features.message_references.tokens import open_token, seal
from features.posts.errors import NoSuchPost
from features.posts.service import PostService
from features.relationships.errors import Yourself
from features.stories.errors import NoSuchStory
from features.stories.service import StoryService


@dataclass(frozen=True, slots=True)
class ReferenceService:
    """Operations on references. `key` is that of their tokens."""

    posts: PostService
    stories: StoryService
    key: bytes

    async def share_post(self, uow: UnitOfWork, post_id: UUID, by: UUID, now: datetime) -> str:
        """Returns a reference to a post that the caller may see. Raises NoSuchPost."""
        await self.posts.require_visible(uow, post_id, by)
        return seal(Reference(ReferenceKind.SHARED_POST, post_id, by, now), self.key)

    async def share_story(self, uow: UnitOfWork, story_id: UUID, by: UUID, now: datetime) -> str:
        """Returns a reference to a story that the caller may see. Raises NoSuchStory."""
        await self.stories.get(uow, story_id, by, now)
        return seal(Reference(ReferenceKind.SHARED_STORY, story_id, by, now), self.key)

    async def reply(self, uow: UnitOfWork, story_id: UUID, by: UUID, now: datetime) -> tuple[str, UUID]:
        """Returns a reference for a reply to a story, and the account to which it goes. Who replies has seen the story.
        Raises NoSuchStory, Yourself, RepliesNotAllowed."""
        story = await self.stories.get(uow, story_id, by, now)
        author_id = UUID(story["author"]["id"])
        if author_id == by:
            raise Yourself(field="story_id")
        if not story["may_reply"]:
            raise RepliesNotAllowed
        await self.stories.record_view(uow, story_id, by, now)
        return seal(Reference(ReferenceKind.STORY_REPLY, story_id, by, now), self.key), author_id

    async def open(self, uow: UnitOfWork, token: str, viewer_id: UUID, now: datetime) -> Referred:
        """Returns what a token refers to, as the viewer sees it. A reply shows its story to the two whom it concerns.
        Raises NoSuchReference."""
        reference = open_token(token, self.key)
        if reference is None:
            raise NoSuchReference
        try:
            if reference.kind is ReferenceKind.SHARED_POST:
                return Referred(reference, post=await self.posts.get(uow, reference.target_id, viewer_id, now))
            story = await self.stories.get(uow, reference.target_id, viewer_id, now)
        except (NoSuchPost, NoSuchStory):
            raise NoSuchReference from None
        concerned = {reference.by, UUID(story["author"]["id"])}
        if reference.kind is ReferenceKind.STORY_REPLY and viewer_id not in concerned:
            raise NoSuchReference
        return Referred(reference, story=story)
