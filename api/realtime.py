"""Realtime tickets and presence settings over HTTP. docs/realtime.md specifies the sockets."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.deps import ServicesDep, SignedIn, Uow
from api.models import Body
from api.transaction import TransactionRoute
from features.live_sessions.presence import PresenceAudience, presence_audience_of, set_presence_audience

router = APIRouter(tags=["realtime"], route_class=TransactionRoute)


class PresenceSettingsBody(Body):
    """Who may see whether the caller is online and when the caller was last online. A block always hides it."""

    audience: PresenceAudience = Field(
        description="`contacts` (the default) are friends (Entativa) or followers (Vignette).",
        examples=["contacts"],
    )


class TicketModel(BaseModel):
    ticket: str = Field(max_length=64, description="For the `hello` frame. Valid once.", examples=["q8Zb0m3..."])
    url: str = Field(
        max_length=500, description="Where to open the WebSocket.", examples=["wss://rt1.example.org/realtime"]
    )
    expires_in_s: int = Field(description="Seconds until the ticket expires.", examples=[30])
    subprotocols: list[Annotated[str, Field(max_length=40)]] = Field(
        max_length=10,
        description="The subprotocols that the host supports, preferred first.",
        examples=[["realtime.v1.msgpack", "realtime.v1.json"]],
    )


@router.post("/realtime/ticket", status_code=201)
async def ticket(identity: SignedIn, services: ServicesDep) -> TicketModel:
    """Issue a one-time ticket for a WebSocket of the caller's sign-in session, with the address of a host.

    Every connection needs a new ticket."""
    admission = await services.realtime.admit(identity)
    return TicketModel(
        ticket=admission.ticket,
        url=admission.url,
        expires_in_s=admission.expires_in_s,
        subprotocols=list(admission.subprotocols),
    )


@router.get("/presence/settings")
async def presence_settings(identity: SignedIn, uow: Uow) -> PresenceSettingsBody:
    """Get who may see the caller's presence."""
    return PresenceSettingsBody(audience=await presence_audience_of(uow, identity.account_id))


@router.put("/presence/settings")
async def change_presence_settings(body: PresenceSettingsBody, identity: SignedIn, uow: Uow) -> PresenceSettingsBody:
    """Set who may see the caller's presence."""
    await set_presence_audience(uow, identity.account_id, body.audience)
    return body
