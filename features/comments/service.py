"""The service of comments. moderation.py has what only the author of a post may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.bounded_lists import page_until
from features.comments import store
from features.comments.changes import count, fields_of, remove
from features.comments.errors import CommentingRestricted, NoSuchComment, NoSuchParent, NotTheCommenter, TooDeep
from features.comments.events import CommentCreated, CommentEdited, CommentHidden
from features.comments.model import Commenters, CommentOrder, CommentView
from features.comments.moderation import CommentModeration
from features.comments.policy import CommentPolicy
from features.comments.store import Row
from features.comments.text import CommentText, has_filtered, parse_text
from features.comments.views import cursor_at, cursor_of, sort_key, views
from features.events import publish
from features.paging import Page
from features.posts.errors import NoSuchPost
from features.posts.text import Mention
from features.profiles.service import ProfileService
from features.sealed_cursors import SealedCursors, SealedPageRequest


@dataclass(frozen=True, slots=True)
class CommentService:
    """Operations on comments. They raise NoSuchPost and NoSuchComment for what does not exist or the caller may not
    see."""

    policy: CommentPolicy
    profiles: ProfileService
    moderation: CommentModeration
    cursors: SealedCursors

    async def create(
        self, uow: UnitOfWork, author_id: UUID, post_id: UUID, parent_id: UUID | None, text: str, now: datetime
    ) -> CommentView:
        """Comments on a post, or replies to a comment on it. Raises CommentingRestricted, NoSuchParent, TooDeep, and
        the errors of texts."""
        parsed = parse_text(text, self.policy)
        post = await self._post(uow, post_id, author_id)
        if not _may_comment(post, author_id):
            raise CommentingRestricted
        depth = 1 if parent_id is None else await self._depth_below(uow, post_id, parent_id, author_id)
        author, people = await self.profiles.resolve_for(uow, author_id, parsed.usernames)
        hidden = author_id != post.author_id and has_filtered(parsed.text, post.words)
        entities = _entities(parsed, people)
        draft = store.Draft(new_id(now), post_id, parent_id, depth, author_id, parsed.text, entities, hidden)
        if not await store.insert(uow, draft, now):
            raise NoSuchPost
        row: dict[str, Any] = {
            "id": str(draft.id),
            "post_id": str(post_id),
            "parent_id": str(parent_id) if parent_id else None,
            "depth": depth,
            "author_id": str(author_id),
            "username": author.username,
            "name": author.name,
            "avatar": author.avatar,
            "text": parsed.text,
            "entities": entities,
            "hidden": hidden,
            "created_at": now,
            "edited_at": None,
            "counts": None,
            "own_reaction": None,
        }
        if not hidden:
            await count(uow, row, 1)
        publish(uow, CommentCreated(**fields_of(row), hidden=hidden), now)
        return (await views(uow, author_id, [row]))[0]

    async def get(self, uow: UnitOfWork, comment_id: UUID, viewer_id: UUID | None) -> CommentView:
        """Returns a comment."""
        return (await views(uow, viewer_id, [await self._find(uow, comment_id, viewer_id)]))[0]

    async def require_visible(self, uow: UnitOfWork, comment_id: UUID, viewer_id: UUID | None) -> None:
        """Raises NoSuchComment unless the viewer may see the comment, and it is not deleted."""
        if (await self._find(uow, comment_id, viewer_id))["author_id"] is None:
            raise NoSuchComment

    async def on_post(
        self, uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None, order: CommentOrder, page: SealedPageRequest
    ) -> Page[CommentView]:
        """Returns the comments on a post, without their replies. Two statements; three if they mention somebody."""
        author_id = await store.author_of(uow, post_id, viewer_id)
        if author_id is None:
            raise NoSuchPost
        return await self._level(uow, post_id, viewer_id, author_id, order, page)

    async def replies(
        self, uow: UnitOfWork, comment_id: UUID, viewer_id: UUID | None, order: CommentOrder, page: SealedPageRequest
    ) -> Page[CommentView]:
        """Returns the replies to a comment, without theirs. Statements as in `on_post`."""
        comment = await self._find(uow, comment_id, viewer_id)
        return await self._level(uow, comment_id, viewer_id, comment["moderator_id"], order, page)

    async def edit(self, uow: UnitOfWork, comment_id: UUID, author_id: UUID, text: str, now: datetime) -> CommentView:
        """Changes the text of a comment. Raises NotTheCommenter for somebody else's, CommentingRestricted where the
        author may not comment any more, and the errors of texts."""
        parsed = parse_text(text, self.policy)
        before = await self._lock(uow, comment_id, author_id)
        if before["author_id"] != str(author_id):
            raise NotTheCommenter
        post = await self._post(uow, UUID(before["post_id"]), author_id)
        if not _may_comment(post, author_id):
            raise CommentingRestricted
        people = await self.profiles.resolve_many(uow, author_id, parsed.usernames)
        entities = _entities(parsed, people)
        filtered = author_id != post.author_id and has_filtered(parsed.text, post.words)
        await store.update(uow, comment_id, parsed.text, entities, now, hidden=filtered)
        row = {**before, "text": parsed.text, "entities": entities, "edited_at": now}
        row["hidden"] = before["hidden"] or filtered
        publish(uow, CommentEdited(**fields_of(row)), now)
        if filtered and not before["hidden"]:
            await count(uow, row, -1)
            publish(uow, CommentHidden(**fields_of(row)), now)
        return (await views(uow, author_id, [row]))[0]

    async def delete(self, uow: UnitOfWork, comment_id: UUID, caller_id: UUID, now: datetime) -> UUID:
        """Deletes a comment of the caller's, on whatever post it is, or one on a post of the caller's. One that has
        replies keeps its place. Returns its author. Raises NotTheCommenter for others."""
        row = await store.lock_own(uow, comment_id, caller_id) or await self._lock(uow, comment_id, caller_id)
        if str(caller_id) != row["author_id"] and caller_id != row["moderator_id"]:
            raise NotTheCommenter
        await remove(uow, row, now)
        return UUID(row["author_id"])

    async def _depth_below(self, uow: UnitOfWork, post_id: UUID, parent_id: UUID, viewer_id: UUID) -> int:
        parent = await store.find(uow, parent_id, viewer_id)
        if parent is None or parent["post_id"] != str(post_id) or not await store.keep(uow, parent_id):
            raise NoSuchParent
        if parent["depth"] >= self.policy.max_depth:
            raise TooDeep(f"Comments are nested at most {self.policy.max_depth} deep.")
        return int(parent["depth"]) + 1

    async def _post(self, uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None) -> store.Post:
        post = await store.post(uow, post_id, viewer_id)
        if post is None:
            raise NoSuchPost
        return post

    async def _find(self, uow: UnitOfWork, comment_id: UUID, viewer_id: UUID | None) -> Row:
        row = await store.find(uow, comment_id, viewer_id)
        if row is None:
            raise NoSuchComment
        return row

    async def _lock(self, uow: UnitOfWork, comment_id: UUID, caller_id: UUID) -> Row:
        row = await store.lock(uow, comment_id, caller_id)
        if row is None or row["author_id"] is None:
            raise NoSuchComment
        return row

    async def _level(
        self,
        uow: UnitOfWork,
        level_id: UUID,
        viewer_id: UUID | None,
        moderator_id: UUID,
        order: CommentOrder,
        asked: SealedPageRequest,
    ) -> Page[CommentView]:
        cursors = self.cursors.of(f"comments {order} {level_id}")
        page = cursors.open(asked)
        after = sort_key(page.cursor, order)
        found = await store.level(uow, level_id, viewer_id, moderator_id, order, after, page.limit + 1)
        bound = cursor_at(*found.bound, order) if found.bound else None
        paged = page_until(found.rows, page.limit, lambda row: cursor_of(row, order), bound, cursors)
        return Page(await views(uow, viewer_id, paged.items), paged.next_cursor)


def _may_comment(post: store.Post, account_id: UUID) -> bool:
    if post.commenters is None or account_id == post.author_id:
        return True
    return post.commenters == Commenters.CONNECTIONS and post.connected


def _entities(parsed: CommentText, people: Mapping[str, UUID]) -> list[dict[str, Any]]:
    """Returns entities as they are stored, given who is mentioned."""
    entities: list[dict[str, Any]] = []
    for entity in parsed.found:
        place = {"start": entity.start, "end": entity.end}
        if not isinstance(entity, Mention):
            entities.append({"tag": entity.tag, **place})
        elif entity.username in people:
            entities.append({"account_id": str(people[entity.username]), **place})
    return entities
