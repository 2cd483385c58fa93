"""References to posts and stories for messages, over HTTP."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.conditional import ConditionalRoute
from api.deps import Now, SignedIn, Uow, service
from api.error_codes import raises
from api.post_views import PostModel, respond
from api.routes import VERSION, Routes
from api.story_views import StoryModel
from api.transaction import located
from features.message_references.errors import NoSuchReference, RepliesNotAllowed
from features.message_references.service import ReferenceService
from features.posts.errors import NoSuchPost
from features.relationships.errors import Yourself
from features.stories.errors import NoSuchStory

router = APIRouter(prefix=VERSION, tags=["messaging"], route_class=ConditionalRoute)

ROUTES = Routes((router,))

References = Annotated[ReferenceService, service(ReferenceService)]
PostId = Annotated[UUID, Path(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"])]
StoryId = Annotated[UUID, Path(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c31"])]
_SEALED = "AQGX8cBqK30AjD4KT29vnHwTAZfxwF0cfB6bDi8fb59_EQAGR-4sTWEAvKp0SoEG6YwWVY2n5rVuCsEd"


class ReferenceModel(BaseModel):
    """A reference to put into a message, inside the encryption."""

    reference: str = Field(max_length=200, description="What the recipient's client opens.", examples=[_SEALED])


class ReplyReferenceModel(ReferenceModel):
    """A reference for a reply to a story."""

    account_id: UUID = Field(
        description="The author: the reply is a message in the conversation with this account.",
        examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c12"],
    )


class ReferredModel(BaseModel):
    """What a message refers to, as you see it: one of `post` and `story` is not null."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["shared_post", "shared_story", "story_reply"] = Field(examples=["story_reply"])
    by: UUID = Field(
        description="Who was allowed to refer to it. If the message is somebody else's, do not show it as that.",
        examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"],
    )
    at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    post: PostModel | None
    story: StoryModel | None


@router.post("/posts/{post_id}/references", status_code=HTTPStatus.CREATED)
@raises(NoSuchPost)
@located("/references/{reference}")
async def share_post(post_id: PostId, identity: SignedIn, references: References, uow: Uow, now: Now) -> ReferenceModel:
    """Get a reference to a post that you may see, to share it in a message. It gives nobody a right to see the post,
    and nothing is stored or counted."""
    return ReferenceModel(reference=await references.share_post(uow, post_id, identity.account_id, now))


@router.post("/stories/{story_id}/references", status_code=HTTPStatus.CREATED)
@raises(NoSuchStory)
@located("/references/{reference}")
async def share_story(
    story_id: StoryId, identity: SignedIn, references: References, uow: Uow, now: Now
) -> ReferenceModel:
    """Get a reference to a story that you may see, to share it in a message. It ends with the story, and gives nobody a
    right to see that."""
    return ReferenceModel(reference=await references.share_story(uow, story_id, identity.account_id, now))


@router.post("/stories/{story_id}/reply-references", status_code=HTTPStatus.CREATED)
@raises(NoSuchStory, RepliesNotAllowed, Yourself)
@located("/references/{reference}")
async def reply_to_story(
    story_id: StoryId, identity: SignedIn, references: References, uow: Uow, now: Now
) -> ReplyReferenceModel:
    """Get a reference for a reply to a story, which you send to its author as a message. You have seen the story, then.
    Whose replies an author takes is a setting (`stories.replies`)."""
    reference, author_id = await references.reply(uow, story_id, identity.account_id, now)
    return ReplyReferenceModel(reference=reference, account_id=author_id)


@router.get("/references/{reference}", response_model=ReferredModel)
@raises(NoSuchReference)
async def open_reference(
    reference: Annotated[str, Path(max_length=200, examples=[_SEALED])],
    identity: SignedIn,
    references: References,
    uow: Uow,
    now: Now,
) -> Response:
    """Get what a message refers to, as you see it. A reply shows its story to the two whom it concerns."""
    found = await references.open(uow, reference, identity.account_id, now)
    made = found.reference
    return respond(
        {
            "kind": made.kind.name.lower(),
            "by": made.by,
            "at": made.at,
            "post": found.post,
            "story": found.story,
        }
    )
