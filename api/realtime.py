"""The way to a socket; what happens on it is in docs/realtime.md."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.deps import ServicesDep, SignedIn, Uow
from api.models import RequestModel
from api.transaction import TransactionRoute
from features.sessions.audience import Audience, audience_of, set_audience

router = APIRouter(tags=["realtime"], route_class=TransactionRoute)


class PresenceSettings(RequestModel):
    """Who may see whether the caller is there, and when the caller was there last. A block always hides it."""

    audience: Audience = Field(
        description="`contacts` are friends (Entativa) or followers (Vignette); so it is until it is changed.",
        examples=["contacts"],
    )


class TicketView(BaseModel):
    ticket: str = Field(description="Goes into the `hello` frame. Valid once.", examples=["q8Zb0m3..."])
    url: str = Field(description="Where to open the WebSocket.", examples=["wss://rt1.example.org/realtime"])
    expires_in_s: int = Field(description="Seconds until the ticket is worthless.", examples=[30])
    subprotocols: list[str] = Field(
        description="What the host speaks, its preference first.",
        examples=[["realtime.v1.msgpack", "realtime.v1.json"]],
    )


@router.post("/realtime/ticket", status_code=201)
async def ticket(identity: SignedIn, services: ServicesDep) -> TicketView:
    """A one-time ticket for a WebSocket of the caller's device session, and the address of a host that has room.

    Every connection needs a new one."""
    admission = await services.realtime.admit(identity)
    return TicketView(
        ticket=admission.ticket,
        url=admission.url,
        expires_in_s=admission.expires_in_s,
        subprotocols=list(admission.subprotocols),
    )


@router.get("/presence/settings")
async def presence_settings(identity: SignedIn, uow: Uow) -> PresenceSettings:
    """Who may see the caller's presence."""
    return PresenceSettings(audience=await audience_of(uow, identity.account_id))


@router.put("/presence/settings")
async def change_presence_settings(body: PresenceSettings, identity: SignedIn, uow: Uow) -> PresenceSettings:
    """Set who may see the caller's presence, from the next look on."""
    await set_audience(uow, identity.account_id, body.audience)
    return body
