"""What clients' backups use of a WebDAV server and of Google Drive, as ASGI applications."""

import base64
import hashlib
import json
import secrets
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

WEBDAV_USER, WEBDAV_PASSWORD = "ada", "an app password"
REFRESH_TOKEN = "1//a refresh token"


class WebDav:
    """A folder /backup over RFC 4918: MKCOL, PROPFIND with depth 1, and conditional PUT."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] | None = None
        self.app = Starlette(
            routes=[
                Route("/backup", self._folder, methods=["MKCOL", "PROPFIND"]),
                Route("/backup/{name}", self._file, methods=["GET", "PUT", "DELETE"]),
            ]
        )

    def _refused(self, request: Request) -> bool:
        expected = base64.b64encode(f"{WEBDAV_USER}:{WEBDAV_PASSWORD}".encode()).decode()
        return request.headers.get("Authorization") != f"Basic {expected}"

    async def _folder(self, request: Request) -> Response:
        if self._refused(request):
            return Response(status_code=401)
        if request.method == "MKCOL":
            if self.files is not None:
                return Response(status_code=405)
            self.files = {}
            return Response(status_code=201)
        if self.files is None:
            return Response(status_code=404)
        assert request.headers["Depth"] == "1"
        hrefs = "".join(f"<d:response><d:href>/backup/{name}</d:href></d:response>" for name in ("", *self.files))
        return Response(f'<d:multistatus xmlns:d="DAV:">{hrefs}</d:multistatus>', 207, media_type="application/xml")

    async def _file(self, request: Request) -> Response:
        if self._refused(request):
            return Response(status_code=401)
        name, body = request.path_params["name"], await request.body()
        if self.files is None:
            return Response(status_code=404 if request.method == "GET" else 409)
        found = self.files.get(name)
        if request.method == "PUT":
            wanted = request.headers.get("If-Match")
            if (wanted and wanted != _tag(found)) or (
                request.headers.get("If-None-Match") == "*" and found is not None
            ):
                return Response(status_code=412)
            self.files[name] = body
            return Response(status_code=204 if found is not None else 201)
        if found is None:
            return Response(status_code=404)
        if request.method == "DELETE":
            del self.files[name]
            return Response(status_code=204)
        return Response(found, headers={"ETag": _tag(found)})


def _tag(data: bytes | None) -> str:
    return "" if data is None else f'"{hashlib.sha256(data).hexdigest()[:16]}"'


class GoogleDrive:
    """The appDataFolder of one user over Drive v3, with the token endpoint."""

    PAGE = 2
    """Files in a page, whatever is asked for."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[dict[str, Any], bytes]] = {}
        self.generated: set[str] = set()
        self.tokens: set[str] = set()
        self.code_challenge = ""
        self.app = Starlette(
            routes=[
                Route("/token", self._token, methods=["POST"]),
                Route("/drive/v3/files", self._list, methods=["GET"]),
                Route("/drive/v3/files/generateIds", self._generate, methods=["GET"]),
                Route("/drive/v3/files/{id}", self._file, methods=["GET", "DELETE"]),
                Route("/upload/drive/v3/files", self._create, methods=["POST"]),
            ]
        )

    async def _token(self, request: Request) -> Response:
        form = {name: value for name, (value, *_) in parse_qs((await request.body()).decode()).items()}
        match form.get("grant_type"):
            case "refresh_token":
                granted = form.get("refresh_token") == REFRESH_TOKEN
            case "authorization_code":
                digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
                challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                granted = form.get("code") == "a code" and challenge == self.code_challenge
            case _:
                granted = False
        if not granted:
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = secrets.token_hex(8)
        self.tokens.add(token)
        answer = {"access_token": token, "expires_in": 3600, "token_type": "Bearer", "refresh_token": REFRESH_TOKEN}
        return JSONResponse(answer)

    def _refused(self, request: Request) -> bool:
        return request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens

    async def _list(self, request: Request) -> Response:
        if self._refused(request) or request.query_params["spaces"] != "appDataFolder":
            return Response(status_code=401)
        query = request.query_params.get("q", "")
        wanted = query.removeprefix("name = '").removesuffix("'")
        files = [each for each, _ in self.files.values() if not query or each["name"] == wanted]
        start = int(request.query_params.get("pageToken", "0"))
        page: dict[str, Any] = {"files": files[start : start + self.PAGE]}
        if len(files) > start + self.PAGE:
            page["nextPageToken"] = str(start + self.PAGE)
        return JSONResponse(page)

    async def _generate(self, request: Request) -> Response:
        if self._refused(request):
            return Response(status_code=401)
        ids = [secrets.token_hex(8) for _ in range(int(request.query_params["count"]))]
        self.generated.update(ids)
        return JSONResponse({"ids": ids, "space": request.query_params["space"]})

    async def _file(self, request: Request) -> Response:
        if self._refused(request):
            return Response(status_code=401)
        found = self.files.get(request.path_params["id"])
        if found is None:
            return Response(status_code=404)
        if request.method == "DELETE":
            del self.files[request.path_params["id"]]
            return Response(status_code=204)
        return Response(found[1])

    async def _create(self, request: Request) -> Response:
        if self._refused(request):
            return Response(status_code=401)
        boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
        _, first, second, _ = (await request.body()).split(b"--" + boundary)
        metadata = json.loads(first.partition(b"\r\n\r\n")[2])
        data = second.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        assert metadata.pop("parents") == ["appDataFolder"]
        if "id" in metadata and metadata["id"] not in self.generated:
            return Response(status_code=400)
        metadata.setdefault("id", secrets.token_hex(8))
        if metadata["id"] in self.files:
            return Response(status_code=409)
        self.files[metadata["id"]] = (metadata, data)
        return JSONResponse({"id": metadata["id"]})
