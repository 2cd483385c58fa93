"""Accounts and sign-in sessions over HTTP: sign-up, log-in, tokens, sessions and the audit log."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, status
from pydantic import BaseModel, Field

from api import models
from api.deps import Now, PageDep, Requester, SignedIn, Uow, limit_address, limit_credentials, limit_refresh, service
from api.error_codes import raises
from api.models import Body, PageModel, render_page
from api.routes import VERSION, Routes
from api.transaction import TransactionRoute, UnrepeatableRoute, located
from features.accounts.errors import EmailRegistered, WrongAccountState
from features.auth.devices import device_name
from features.auth.errors import (
    PASSWORD_ERRORS,
    AccountSuspended,
    BadEmail,
    BadRefreshToken,
    CodeExpired,
    CodeJustSent,
    EmailNotConfirmed,
    HashingBusy,
    LockedOut,
    RefreshTokenReused,
    TooManyAttempts,
    TooManyCodes,
    TooManyMails,
    TooManySignUps,
    UnknownSession,
    UnknownSignUp,
    WrongCode,
    WrongCredentials,
)
from features.auth.model import AuditEntry, AuditKind, LoggedIn, Session, Tokens
from features.auth.service import AuthService
from features.profiles.errors import USERNAME_ERRORS, UsernameTaken
from features.text_errors import TEXT_ERRORS

router = APIRouter(prefix=VERSION, tags=["auth"], route_class=TransactionRoute)
secret_router = APIRouter(prefix=VERSION, tags=["auth"], route_class=UnrepeatableRoute)
"""Routes whose responses contain tokens."""

ROUTES = Routes((router, secret_router))

Auth = Annotated[AuthService, service(AuthService)]

_ID = "0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"
_DEVICE = "qX0pM8yYx2Wc1n7s5fJtUgAAAABvTk8Bz1cJ3cTq5m3h0m1Qk2b8S9VdJwP4uE6yLrXaNf7ZtHg"
_SECRETS = [Depends(limit_credentials)]


def get_device(user_agent: Annotated[str | None, Header(include_in_schema=False)] = None) -> str:
    return device_name(user_agent)


Device = Annotated[str, Depends(get_device)]


class SignUpBody(Body):
    email: str = Field(max_length=254, description="Where the code is sent.", examples=["ada@example.com"])
    username: str = Field(
        max_length=64,
        description="3 to 30 letters, digits, underscores and inner dots; unique in any spelling.",
        examples=["ada"],
    )
    name: str = Field(max_length=200, description="The displayed name.", examples=["Ada Lovelace"])
    password: str = Field(max_length=1000, description="Hard to guess.", examples=["correct horse battery staple"])


class SignUpModel(BaseModel):
    sign_up_id: UUID = Field(description="Names this sign-up in `confirm` and `resend`.", examples=[_ID])


class ResendBody(Body):
    sign_up_id: UUID = Field(description="From `sign-up`.", examples=[_ID])


class ConfirmBody(Body):
    sign_up_id: UUID = Field(description="From `sign-up`.", examples=[_ID])
    code: str = Field(
        pattern="^[0-9]{6}$", max_length=6, description="The six digits from the mail.", examples=["314159"]
    )


class LogInBody(Body):
    login: str = Field(max_length=254, description="E-mail address or username.", examples=["ada"])
    password: str = Field(
        max_length=1000, description="The account's password.", examples=["correct horse battery staple"]
    )
    device_token: str | None = Field(
        default=None,
        max_length=100,
        description="From this device's log-in or sign-up before. With it, attempts of others do not lock it out. One "
        "that is unknown or expired changes nothing.",
        examples=[_DEVICE],
    )


class RefreshBody(Body):
    refresh_token: str = Field(
        max_length=100,
        description="The latest one of this session; it can be used once.",
        examples=["rX3Vq0m0Yt2m1nq0l3kQb1W2cTn5sPz8wHfJd7uKeRs"],
    )


class TokensModel(BaseModel):
    """The tokens of a session. Keep the refresh token secret, and never use one twice."""

    account_id: UUID = Field(examples=[_ID])
    session_id: UUID = Field(examples=[_ID])
    token_type: Literal["Bearer"] = Field(examples=["Bearer"])
    access_token: str = Field(
        max_length=2048, description="For the Authorization header.", examples=["eyJhbGciOiJFZERTQSJ9..."]
    )
    expires_in: int = Field(description="Seconds until the access token expires.", examples=[900])
    refresh_token: str = Field(max_length=100, examples=["rX3Vq0m0Yt2m1nq0l3kQb1W2cTn5sPz8wHfJd7uKeRs"])
    refresh_token_expires_at: datetime


class LogInModel(TokensModel):
    """The tokens of a new session, and one by which the device is known."""

    device_token: str = Field(
        max_length=100,
        description="Send it with this device's next log-in, also after a log-out. It opens nothing.",
        examples=[_DEVICE],
    )


class SessionModel(BaseModel):
    id: UUID = Field(examples=[_ID])
    device: models.Device = Field(description="Derived from its User-Agent.", examples=["Firefox on Linux"])
    created_at: datetime
    last_used_at: datetime = Field(description="When it last logged in or refreshed its tokens.")
    current: bool = Field(description="Whether it is the session of this request.")


class RevokedModel(BaseModel):
    revoked: int = Field(description="How many sessions were ended.", examples=[2])


class AuditEntryModel(BaseModel):
    id: UUID = Field(examples=[_ID])
    kind: AuditKind = Field(examples=["logged_in"])
    session_id: UUID | None = Field(description="The session it is about.", examples=[_ID])
    device: models.Device = Field(description="The device that did it.", examples=["Firefox on Linux"])
    happened_at: datetime


def _render_tokens(tokens: Tokens) -> TokensModel:
    return TokensModel(
        account_id=tokens.account_id,
        session_id=tokens.session_id,
        token_type="Bearer",  # noqa: S106 - not a password
        access_token=tokens.access_token,
        expires_in=int(tokens.access_token_lifetime.total_seconds()),
        refresh_token=tokens.refresh_token,
        refresh_token_expires_at=tokens.refresh_token_expires_at,
    )


def _render_log_in(logged_in: LoggedIn) -> LogInModel:
    tokens = _render_tokens(logged_in.tokens)
    return LogInModel(**tokens.model_dump(), device_token=logged_in.device_token)


@router.post("/auth/sign-up", status_code=status.HTTP_202_ACCEPTED, dependencies=_SECRETS)
@raises(BadEmail, *USERNAME_ERRORS, *TEXT_ERRORS, *PASSWORD_ERRORS, HashingBusy, TooManySignUps, TooManyMails)
async def sign_up(body: SignUpBody, auth: Auth, uow: Uow, now: Now, requester: Requester) -> SignUpModel:
    """Request an account. A code is mailed to the address; `confirm` with that code creates the account. The response
    does not disclose whether the address has an account already: then its owner gets a mail that says so."""
    sign_up_id = await auth.sign_ups.request(
        uow,
        email=body.email,
        username=body.username,
        name=body.name,
        password=body.password,
        requester=requester,
        now=now,
    )
    return SignUpModel(sign_up_id=sign_up_id)


@router.post("/auth/resend", status_code=status.HTTP_202_ACCEPTED, dependencies=_SECRETS)
@raises(UnknownSignUp, TooManyCodes, CodeJustSent)
async def resend(body: ResendBody, auth: Auth, uow: Uow, now: Now) -> SignUpModel:
    """Request another code, which replaces the one before."""
    await auth.sign_ups.resend(uow, body.sign_up_id, now)
    return SignUpModel(sign_up_id=body.sign_up_id)


@secret_router.post("/auth/confirm", status_code=status.HTTP_201_CREATED, dependencies=_SECRETS)
@raises(UnknownSignUp, WrongCode, CodeExpired, TooManyAttempts, EmailRegistered, UsernameTaken)
@located("/people/{account_id}")
async def confirm(body: ConfirmBody, auth: Auth, uow: Uow, now: Now, device: Device) -> LogInModel:
    """Confirm a sign-up with its code: creates the account and logs this device in."""
    return _render_log_in(await auth.sign_ups.confirm(uow, body.sign_up_id, body.code, device, now))


@secret_router.post("/auth/log-in", dependencies=_SECRETS)
@raises(WrongCredentials, LockedOut, EmailNotConfirmed, AccountSuspended, WrongAccountState, HashingBusy)
async def log_in(body: LogInBody, auth: Auth, uow: Uow, now: Now, device: Device, requester: Requester) -> LogInModel:
    """Start a session on this device."""
    logged_in = await auth.log_ins.log_in(
        uow,
        identifier=body.login,
        password=body.password,
        device_token=body.device_token,
        requester=requester,
        device=device,
        now=now,
    )
    return _render_log_in(logged_in)


@secret_router.post("/auth/refresh", dependencies=[Depends(limit_address)])
@raises(BadRefreshToken, RefreshTokenReused)
async def refresh(body: RefreshBody, request: Request, auth: Auth, uow: Uow, now: Now, device: Device) -> TokensModel:
    """Exchange a refresh token for new tokens. If the response is lost, retry with the same token within 30 seconds; in
    every other case a refresh token that is used twice ends the session."""
    family = await auth.sessions.family_of(uow, body.refresh_token)
    if family is not None:
        await limit_refresh(request, family)
    return _render_tokens(await auth.sessions.refresh(uow, body.refresh_token, device, now))


@router.post("/auth/log-out", status_code=status.HTTP_204_NO_CONTENT)
async def log_out(identity: SignedIn, auth: Auth, uow: Uow, now: Now, device: Device) -> None:
    """End this session immediately, on every server."""
    await auth.sessions.log_out(uow, identity, device, now)


@router.get("/auth/sessions")
async def list_sessions(identity: SignedIn, auth: Auth, uow: Uow, now: Now, page: PageDep) -> PageModel[SessionModel]:
    """List the account's sessions, newest first."""

    def render(session: Session) -> SessionModel:
        return SessionModel(
            id=session.id,
            device=session.device,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            current=session.id == identity.session_id,
        )

    return render_page(await auth.sessions.list(uow, identity.account_id, page, now), render)


@router.delete("/auth/sessions/{session_id}", status_code=status.HTTP_204_NO_CONTENT)
@raises(UnknownSession)
async def revoke_session(session_id: UUID, identity: SignedIn, auth: Auth, uow: Uow, now: Now, device: Device) -> None:
    """End one session immediately, on every server."""
    await auth.sessions.revoke(uow, identity, session_id, device, now)


@router.post("/auth/sessions/revoke-others")
async def revoke_other_sessions(identity: SignedIn, auth: Auth, uow: Uow, now: Now, device: Device) -> RevokedModel:
    """End all other sessions."""
    return RevokedModel(revoked=await auth.sessions.revoke_others(uow, identity, device, now))


@router.get("/auth/audit")
async def audit(identity: SignedIn, auth: Auth, uow: Uow, page: PageDep) -> PageModel[AuditEntryModel]:
    """List the account's audit log, newest first. Entries are never changed."""

    def render(entry: AuditEntry) -> AuditEntryModel:
        return AuditEntryModel(
            id=entry.id,
            kind=entry.kind,
            session_id=entry.session_id,
            device=entry.device,
            happened_at=entry.happened_at,
        )

    return render_page(await auth.audit(uow, identity.account_id, page), render)
