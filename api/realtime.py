"""Realtime tickets over HTTP. docs/realtime.md specifies the sockets."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.deps import SignedIn, service
from api.error_codes import raises
from api.routes import VERSION, Routes
from api.transaction import TransactionRoute
from features.realtime.errors import NoRealtimeHost, TicketsUnavailable
from features.realtime.service import RealtimeService

router = APIRouter(prefix=VERSION, tags=["realtime"], route_class=TransactionRoute)

ROUTES = Routes((router,))

Realtime = Annotated[RealtimeService, service(RealtimeService)]


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
@raises(NoRealtimeHost, TicketsUnavailable)
async def ticket(identity: SignedIn, realtime: Realtime) -> TicketModel:
    """Issue a one-time ticket for a WebSocket of the caller's sign-in session, with the address of a host.

    Every connection needs a new ticket."""
    admission = await realtime.admit(identity)
    return TicketModel(
        ticket=admission.ticket,
        url=admission.url,
        expires_in_s=admission.expires_in_s,
        subprotocols=list(admission.subprotocols),
    )
