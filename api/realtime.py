"""The way to a socket; what happens on it is in docs/realtime.md."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.deps import ServicesDep, SignedIn
from api.transaction import TransactionRoute

router = APIRouter(tags=["realtime"], route_class=TransactionRoute)


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
