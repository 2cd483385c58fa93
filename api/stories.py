"""Stories over HTTP."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api import highlights, models
from api.byte_range import RANGE_NOT_SATISFIABLE
from api.conditional import ConditionalRoute
from api.content import IfNoneMatch, IfRange, Range
from api.deps import MaybeSignedIn, Now, PageDep, Poster, SealedPageDep, SignedIn, Uow, account_or_none, service
from api.error_codes import TooManyRequests, raises
from api.image_formats import preferred_name
from api.media import CONTENT_RESPONSES, Service, grant_of, send_shown_file
from api.models import MAX_DECOMPOSED, Body, PageModel, render_page
from api.post_media import Name
from api.post_videos import Name as StreamName
from api.post_views import respond
from api.profiles import PersonModel, Username, render_person
from api.reactions import ReactionBody
from api.routes import VERSION, Routes
from api.story_views import StoryModel, StoryPage
from api.transaction import TransactionRoute, forget_responses, located
from api.videos import FILE_RESPONSES, send_stream_file
from features.counters.errors import ReactionNotStored
from features.counters.model import ReactionKind
from features.media.errors import NoSuchMedia
from features.posts.attachments import MediaDraft
from features.posts.model import Audience
from features.relationships.errors import NoSuchPerson
from features.stories.errors import CONTENT_ERRORS, NoSuchStory, NotYourStory, TooManyStories
from features.stories.model import Sticker, StoryContent, StoryViewer
from features.stories.policy import StoryPolicy
from features.stories.rings import Ring
from features.stories.service import StoryService
from features.videos.errors import NoSuchFile

router = APIRouter(prefix=VERSION, tags=["stories"], route_class=ConditionalRoute)
content = APIRouter(prefix=VERSION, tags=["stories"], route_class=TransactionRoute)

ROUTES = Routes((router, highlights.router, content))

Stories = Annotated[StoryService, service(StoryService)]
StoryId = Annotated[UUID, Path(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c31"])]

Token = Annotated[str, Path(max_length=200, examples=["AgGX8cBdHHwem"])]

_POLICY = StoryPolicy()
_RawText = Annotated[str, Field(max_length=MAX_DECOMPOSED * _POLICY.max_text_length)]
_RawAlt = Annotated[str, Field(max_length=MAX_DECOMPOSED * _POLICY.max_alt_length)]


class StoryMediaBody(Body):
    """An image or video to show in a story: one of your media that is ready and that nothing else shows. A video can be
    shown as soon as it is uploaded."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    alt: _RawAlt = Field(
        default="",
        description="What it shows, in one line of at most 1,000 characters, for people who do not see it.",
        examples=["A tram on a hill"],
    )


class StoryMentionBody(Body):
    """A person to mention on the image of a story. (One whose `@username` is in the text is mentioned by that.)"""

    username: models.Username = Field(examples=["grace"])
    x: float = Field(default=0.5, ge=0, le=1, description="From the left, as a fraction of the width.", examples=[0.5])
    y: float = Field(default=0.5, ge=0, le=1, description="From the top, as a fraction of the height.", examples=[0.8])


class StoryBody(Body):
    """A story to publish: an image or a video, a text, or both."""

    text: _RawText = Field(
        default="",
        description="Plain text, at most 500 characters (Unicode code points); required without a medium.",
        examples=["Good morning, Lisbon"],
    )
    media: StoryMediaBody | None = Field(default=None)
    mentions: list[StoryMentionBody] = Field(
        default=[],
        max_length=_POLICY.max_mentions,
        description="People mentioned on the image. They are told of the story if they may see it.",
    )
    audience: Audience = Field(default=Audience.PUBLIC, description="Who may see it.", examples=["close_friends"])
    list_id: UUID | None = Field(
        default=None,
        description="One of your own lists; required for the audience `list`, not allowed otherwise.",
        examples=[None],
    )

    def content(self) -> StoryContent:
        """Returns the story as the service takes it."""
        media = MediaDraft(self.media.id, self.media.alt) if self.media else None
        stickers = [Sticker(each.username, each.x, each.y) for each in self.mentions]
        return StoryContent(self.text, media, self.audience, self.list_id, stickers)


class StoryViewerModel(BaseModel):
    """Somebody who has seen a story, when first, and the reaction to it."""

    person: PersonModel
    at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    reaction: ReactionKind | None = Field(examples=["love"])


class StoryRingModel(BaseModel):
    """Somebody with stories for you."""

    person: PersonModel
    stories: int = Field(ge=1, description="How many you may see.", examples=[3])
    unseen: int = Field(ge=0, description="How many of them you have not seen.", examples=[1])
    latest_at: datetime = Field(description="When the newest was published.", examples=["2026-11-22T15:04:05.123456Z"])


@router.post("/stories", response_model=StoryModel, status_code=HTTPStatus.CREATED)
@raises(*CONTENT_ERRORS, TooManyStories, NoSuchPerson)
@located("/stories/{id}")
async def create(body: StoryBody, identity: Poster, stories: Stories, uow: Uow, now: Now) -> Response:
    """Publish a story. Others see it for 24 hours; you find it in your archive afterwards."""
    return respond(await stories.create(uow, identity.account_id, body.content(), now), HTTPStatus.CREATED)


@router.get("/stories/archive", response_model=StoryPage)
async def archive(identity: SignedIn, page: PageDep, stories: Stories, uow: Uow, now: Now) -> Response:
    """List your stories that others do not see any more, newest first."""
    return respond(await stories.archive(uow, identity.account_id, page, now))


@router.get("/stories/rings")
async def rings(identity: SignedIn, page: PageDep, stories: Stories, uow: Uow, now: Now) -> PageModel[StoryRingModel]:
    """List your friends, or the people whom you follow, who have stories for you: those with unseen ones first, then by
    how close they are to you. Without people whom you have muted."""
    return render_page(await stories.rings(uow, identity.account_id, page, now), _render_ring)


@router.get("/stories/{story_id}", response_model=StoryModel)
@raises(NoSuchStory)
async def get(story_id: StoryId, identity: MaybeSignedIn, stories: Stories, uow: Uow, now: Now) -> Response:
    """Get a story."""
    return respond(await stories.get(uow, story_id, account_or_none(identity), now))


@router.delete("/stories/{story_id}", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchStory, NotYourStory)
async def delete(story_id: StoryId, identity: SignedIn, stories: Stories, uow: Uow, now: Now) -> None:
    """Delete a story of yours, from the archive, too."""
    await stories.delete(uow, story_id, identity.account_id, now)
    await forget_responses(uow, identity.account_id, story_id)


@router.put("/stories/{story_id}/view", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchStory)
async def view(story_id: StoryId, identity: SignedIn, stories: Stories, uow: Uow, now: Now) -> None:
    """Say that you have seen a story: its author is told so. Again, it changes nothing."""
    await stories.record_view(uow, story_id, identity.account_id, now)


@router.put("/stories/{story_id}/reaction", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchStory, ReactionNotStored)
async def react(
    story_id: StoryId, body: ReactionBody, identity: SignedIn, stories: Stories, uow: Uow, now: Now
) -> None:
    """React to a story, in place of your former reaction to it. Its author alone is told so."""
    await stories.react(uow, story_id, identity.account_id, body.kind, now)


@router.delete("/stories/{story_id}/reaction", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchStory, ReactionNotStored)
async def remove_reaction(story_id: StoryId, identity: SignedIn, stories: Stories, uow: Uow, now: Now) -> None:
    """Remove your reaction to a story, if there is one."""
    await stories.react(uow, story_id, identity.account_id, None, now)


@router.get("/stories/{story_id}/viewers")
@raises(NoSuchStory, NotYourStory)
async def viewers(
    story_id: StoryId, identity: SignedIn, page: SealedPageDep, stories: Stories, uow: Uow, now: Now
) -> PageModel[StoryViewerModel]:
    """List who has seen a story of yours, newest first, with their reactions. A page may have fewer items than asked
    for, even none, and a `next_cursor`."""
    return render_page(await stories.viewers(uow, story_id, identity.account_id, page, now), _render_viewer)


@router.get("/profiles/{username}/stories", response_model=StoryPage)
@raises(NoSuchPerson)
async def of_profile(
    username: Username, identity: MaybeSignedIn, page: PageDep, stories: Stories, uow: Uow, now: Now
) -> Response:
    """List a person's stories that you may see, oldest first."""
    return respond(await stories.of_author(uow, username, account_or_none(identity), page, now))


@content.get("/story-media/{token}/{name}", response_class=Response, responses=CONTENT_RESPONSES)
@raises(NoSuchMedia, TooManyRequests, RANGE_NOT_SATISFIABLE)
async def get_story_file(
    token: Token,
    name: Name,
    request: Request,
    stories: Stories,
    media: Service,
    uow: Uow,
    now: Now,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a file of a story's image by its path, without an access token."""
    grant = await grant_of(request, media, token, now, attached=True)
    file = await stories.get_file(uow, grant, preferred_name(name, request), now)
    return await send_shown_file(media, grant.media_id, file, now, range, if_range, if_none_match)


@content.get("/story-media/{token}/stream/{name}", response_class=Response, responses=FILE_RESPONSES)
@raises(NoSuchMedia, NoSuchFile, TooManyRequests, RANGE_NOT_SATISFIABLE)
async def get_story_stream_file(
    token: Token,
    name: StreamName,
    request: Request,
    stories: Stories,
    media: Service,
    uow: Uow,
    now: Now,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a file of the stream of a story's video by its path, without an access token."""
    grant = await grant_of(request, media, token, now, attached=True)
    file = await stories.get_stream_file(uow, grant, name, now)
    return await send_stream_file(stories.videos, file, range, if_range, if_none_match)


def _render_viewer(viewer: StoryViewer) -> StoryViewerModel:
    return StoryViewerModel(person=render_person(viewer.person), at=viewer.at, reaction=viewer.reaction)


def _render_ring(ring: Ring) -> StoryRingModel:
    return StoryRingModel(
        person=render_person(ring.person), stories=ring.stories, unseen=ring.unseen, latest_at=ring.latest_at
    )
