"""The requests about invitations to a group at a server in memory."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx

from client.api import Connection, Tokens
from client.api.group_invitations import GroupInvitationsApi

URL = "http://server"
TOKEN = "Yk3vS0mQb1mJ8n5w2xqT7A"
_TIME = "2026-11-22T15:04:05.123456Z"


class InvitationServer:
    """`waiting`: who asks to join, by the id of the request: group, account, username. `lost`: whether responses get
    lost, after the request was carried out."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        self.invitations: dict[str, dict[str, Any]] = {}
        self.waiting: dict[str, tuple[str, str, str]] = {}
        self.answered: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.reads = 0
        self.lost = False

    def api(self) -> GroupInvitationsApi:
        tokens = Tokens(self.account_id, self.account_id, "1")
        return GroupInvitationsApi(Connection(URL, tokens, transport=httpx.MockTransport(self._handle)))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1")
        if path == "/auth/refresh":
            session = {"account_id": self.account_id, "session_id": self.account_id, "refresh_token": "2"}
            return httpx.Response(200, json={**session, "access_token": "3", "expires_in": 900})
        answer = self._answer(request.method, path.strip("/").split("/"), json.loads(request.content or "{}"))
        return httpx.Response(503) if self.lost else answer

    def _answer(self, method: str, path: list[str], body: Any) -> httpx.Response:
        match method, path:
            case "POST", ["groups", _, "invitations"]:
                id = str(UUID(int=len(self.invitations) + 1))
                made = {"id": id, "max_uses": body["max_uses"], "uses": 0, "expires_at": _TIME}
                self.invitations[id] = {**made, "expires_in_s": body["expires_in_s"]}
                return httpx.Response(201, json={**made, "token": TOKEN})
            case "GET", ["groups", _, "invitations"]:
                return _page(list(self.invitations.values()))
            case "DELETE", ["groups", _, "invitations", id]:
                del self.invitations[id]
            case "POST", ["group-join-requests"]:
                self.asked.append(body["token"])
                return httpx.Response(201, json={})
            case "GET", ["group-join-requests"]:
                self.reads += 1
                return _page([_request(id, *each) for id, each in self.waiting.items()])
            case "POST", ["group-join-requests", id, what]:
                self.answered.append((UUID(id).hex, what))
                self.waiting.pop(UUID(id).hex, None)
        return httpx.Response(204)


def _request(id: str, group_id: str, account_id: str, username: str) -> dict[str, Any]:
    person = {"id": account_id, "username": username}
    return {"id": id, "group_id": group_id, "person": person, "asked_at": _TIME}


def _page(items: list[dict[str, Any]]) -> httpx.Response:
    return httpx.Response(200, json={"items": items, "next_cursor": None})
