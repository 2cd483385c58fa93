"""What the author of a post does about its comments, and for all posts at once by filter words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.comments import store
from features.comments.changes import count, fields_of
from features.comments.errors import NoSuchComment, NotTheModerator
from features.comments.events import CommentHidden, CommentShown
from features.comments.model import Commenters
from features.comments.policy import CommentPolicy
from features.comments.text import clean_words
from features.events import publish
from features.posts.errors import NoSuchPost


@dataclass(frozen=True, slots=True)
class CommentModeration:
    """Operations of moderators. They raise NotTheModerator for somebody else's post."""

    policy: CommentPolicy

    async def hide(self, uow: UnitOfWork, comment_id: UUID, moderator_id: UUID, now: datetime, *, hidden: bool) -> None:
        """Hides a comment from everybody but its author and the moderator, or shows it again. Raises NoSuchComment."""
        row = await store.lock(uow, comment_id, moderator_id)
        if row is None or row["author_id"] is None:
            raise NoSuchComment
        if row["moderator_id"] != moderator_id:
            raise NotTheModerator
        if row["hidden"] == hidden:
            return
        await store.hide(uow, comment_id, now if hidden else None)
        await count(uow, row, -1 if hidden else 1)
        publish(uow, (CommentHidden if hidden else CommentShown)(**fields_of(row)), now)

    async def commenters(self, uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None) -> Commenters:
        """Returns who may comment on a post. Raises NoSuchPost."""
        post = await store.post(uow, post_id, viewer_id)
        if post is None:
            raise NoSuchPost
        return Commenters(post.commenters or Commenters.EVERYBODY)

    async def restrict(self, uow: UnitOfWork, post_id: UUID, moderator_id: UUID, commenters: Commenters) -> None:
        """Sets who may comment on a post. Raises NoSuchPost."""
        post = await store.post(uow, post_id, moderator_id)
        if post is None:
            raise NoSuchPost
        if post.author_id != moderator_id:
            raise NotTheModerator
        await store.restrict(uow, post_id, None if commenters is Commenters.EVERYBODY else commenters)

    async def words(self, uow: UnitOfWork, account_id: UUID) -> list[str]:
        """Returns the caller's filter words."""
        return await store.words(uow, account_id)

    async def filter_words(self, uow: UnitOfWork, account_id: UUID, words: Sequence[str]) -> list[str]:
        """Sets the words with which comments on the caller's posts are hidden from now on. Returns them as they are
        compared. Raises BadFilterWord."""
        cleaned = clean_words(words, self.policy)
        await store.filter_words(uow, account_id, cleaned)
        return cleaned
