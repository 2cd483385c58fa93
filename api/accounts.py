"""The life of the caller's account over HTTP: deactivation and deletion."""

from datetime import datetime

from fastapi import APIRouter, Depends, status
from pydantic import BaseModel, Field

from api.auth import Auth, Device
from api.deps import Now, SignedIn, Uow, limit_credentials
from api.error_codes import raises
from api.models import Body
from api.routes import VERSION, Routes
from api.transaction import UnrepeatableRoute
from features.accounts.errors import WrongAccountState
from features.auth.errors import PASSWORD_CHECK_ERRORS

router = APIRouter(prefix=VERSION, tags=["accounts"], route_class=UnrepeatableRoute)
"""Checking the password commits in the middle of a request, so no response is kept for its repetition."""

ROUTES = Routes((router,))

_PASSWORD = [Depends(limit_credentials)]


class PasswordBody(Body):
    """The caller's password: these requests end all sessions, this one included."""

    password: str = Field(
        max_length=1000, description="The account's password.", examples=["correct horse battery staple"]
    )


class DeletionModel(BaseModel):
    """A requested deletion."""

    deletes_at: datetime = Field(
        description="When the account and everything in it is erased, unless its owner logs in before.",
        examples=["2026-12-25T15:04:05.123456Z"],
    )


@router.post("/account/deactivate", status_code=status.HTTP_204_NO_CONTENT, dependencies=_PASSWORD)
@raises(*PASSWORD_CHECK_ERRORS, WrongAccountState)
async def deactivate(body: PasswordBody, identity: SignedIn, auth: Auth, uow: Uow, now: Now, device: Device) -> None:
    """Deactivate the caller's account: nobody sees it any more, and all its sessions end. Logging in brings it back."""
    await auth.account_life.deactivate(uow, identity, body.password, device, now)


@router.post("/account/delete", status_code=status.HTTP_202_ACCEPTED, dependencies=_PASSWORD)
@raises(*PASSWORD_CHECK_ERRORS, WrongAccountState)
async def delete(
    body: PasswordBody, identity: SignedIn, auth: Auth, uow: Uow, now: Now, device: Device
) -> DeletionModel:
    """Delete the caller's account: nobody sees it any more, and all its sessions end. It is erased after a grace
    period; logging in before that takes the deletion back."""
    return DeletionModel(deletes_at=await auth.account_life.request_deletion(uow, identity, body.password, device, now))
