"""The feed over HTTP."""

from fastapi import APIRouter
from starlette.responses import Response

from api.deps import PageDep, ServicesDep, SignedIn, Uow
from api.direct import DirectPageRoute
from api.post_views import PostPage, respond

router = APIRouter(tags=["feed"], route_class=DirectPageRoute)


@router.get("/feed", response_model=PostPage)
async def newest(identity: SignedIn, page: PageDep, services: ServicesDep, uow: Uow) -> Response:
    """Your own posts and those of your friends or of those you follow, newest first."""
    return respond(await services.feed.newest(uow, identity.account_id, page))
