"""Resources at well-known addresses (RFC 8615), served by every application of a brand."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from api.deps import limit_address, service
from api.transaction import TransactionRoute
from features.auth.service import AuthService

router = APIRouter(tags=["auth"], route_class=TransactionRoute)


class KeySetModel(BaseModel):
    """A JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037)."""

    keys: list[dict[str, Annotated[str, Field(max_length=100)]]] = Field(
        max_length=100,
        examples=[[{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]],
    )


@router.get("/.well-known/jwks.json", response_model=KeySetModel, dependencies=[Depends(limit_address)])
async def key_set(auth: Annotated[AuthService, service(AuthService)]) -> Any:
    """Get the public keys that verify access tokens. Fetch them again for a token with an unknown `kid`."""
    return JSONResponse(auth.sessions.key_set(), headers={"Cache-Control": "public, max-age=300"})
