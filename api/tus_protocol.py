"""What tus 1.0 has in all requests and responses: the version of the protocol, and a method that POST stands for."""

from typing import Annotated

from fastapi import Header
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.error_codes import raises
from api.platform import Platform
from api.routes import VERSION as API_VERSION
from api.tus_headers import VERSION
from features.errors import PreconditionFailed

PATH = f"{API_VERSION}/uploads"
_OVERRIDABLE = {"HEAD", "PATCH", "DELETE"}


class WrongTusVersion(PreconditionFailed):
    """Tus-Resumable is missing, or not the version of this server."""

    code = "wrong_tus_version"
    detail = f"Send Tus-Resumable: {VERSION}."
    field = "Tus-Resumable"


@raises(WrongTusVersion)
async def tus_version(
    tus_resumable: Annotated[
        str | None, Header(max_length=20, description="The version of the protocol.", examples=[VERSION])
    ] = None,
) -> None:
    """Raises WrongTusVersion unless the request names the version of this server."""
    if tus_resumable != VERSION:
        raise WrongTusVersion


class TusMiddleware:
    """Names the version of the protocol in every response to uploads, errors included, and takes the method from
    X-HTTP-Method-Override where a client can send no other than POST."""

    def __init__(self, app: ASGIApp, platform: Platform) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_upload_path(scope):
            await self._app(scope, receive, send)
            return
        method = Headers(scope=scope).get("x-http-method-override", "").upper()
        if scope["method"] == "POST" and method in _OVERRIDABLE:
            scope["method"] = method

        async def add_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Tus-Resumable"] = VERSION
                headers["Tus-Version"] = VERSION
            await send(message)

        await self._app(scope, receive, add_version)


def _is_upload_path(scope: Scope) -> bool:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path == PATH or path.startswith(f"{PATH}/")
