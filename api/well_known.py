"""What other systems look for at fixed addresses (RFC 8615); every application of a brand answers it."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from api.deps import ServicesDep
from api.transaction import TransactionRoute

router = APIRouter(tags=["auth"], route_class=TransactionRoute)


class KeySetModel(BaseModel):
    """A JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037)."""

    keys: list[dict[str, str]] = Field(
        examples=[[{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]]
    )


@router.get("/.well-known/jwks.json", response_model=KeySetModel)
async def key_set(services: ServicesDep) -> Any:
    """The public keys that verify access tokens. A token under an unknown `kid` means: fetch this again."""
    return JSONResponse(services.auth.sessions.key_set(), headers={"Cache-Control": "public, max-age=300"})
