"""Presence settings over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from api.deps import SignedIn, Uow, service
from api.models import Body
from api.routes import VERSION, Routes
from api.transaction import TransactionRoute
from features.live_sessions.presence import PresenceAudience
from features.live_sessions.service import LiveSessionService

router = APIRouter(prefix=VERSION, tags=["realtime"], route_class=TransactionRoute)

ROUTES = Routes((router,))

LiveSessions = Annotated[LiveSessionService, service(LiveSessionService)]


class PresenceSettingsBody(Body):
    """Who may see whether the caller is online and when the caller was last online. A block always hides it."""

    audience: PresenceAudience = Field(
        description="`contacts` (the default) are friends (Entativa) or followers (Vignette).",
        examples=["contacts"],
    )


@router.get("/presence/settings")
async def presence_settings(identity: SignedIn, live: LiveSessions, uow: Uow) -> PresenceSettingsBody:
    """Get who may see the caller's presence."""
    return PresenceSettingsBody(audience=await live.presence_audience(uow, identity.account_id))


@router.put("/presence/settings")
async def change_presence_settings(
    body: PresenceSettingsBody, identity: SignedIn, live: LiveSessions, uow: Uow
) -> PresenceSettingsBody:
    """Set who may see the caller's presence."""
    await live.set_presence_audience(uow, identity.account_id, body.audience)
    return body
