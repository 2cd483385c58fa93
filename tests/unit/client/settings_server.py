"""The requests about conversations' settings and about blocks at a server in memory."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx

from client.api import Connection, Tokens

URL = "http://server"
_NOTHING_CHOSEN = {"muted_until": None, "archived": False, "pinned": False}


class SettingsServer:
    """`people`: accounts by username. `away`: no request is answered."""

    def __init__(self, account_id: str, people: dict[str, str]) -> None:
        self.account_id = account_id
        self.people = people
        self.chosen: dict[str, dict[str, Any]] = {}
        self.blocked: list[str] = []
        self.away = False

    def connection(self) -> Connection:
        tokens = Tokens(self.account_id, self.account_id, "1")
        return Connection(URL, tokens, transport=httpx.MockTransport(self._handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1")
        if self.away:
            return httpx.Response(503)
        if path == "/auth/refresh":
            session = {"account_id": self.account_id, "session_id": self.account_id, "refresh_token": "2"}
            return httpx.Response(200, json={**session, "access_token": "3", "expires_in": 900})
        body = json.loads(request.content or "{}")
        match request.method, path.strip("/").split("/"):
            case "PATCH", ["conversations", id]:
                self.chosen[id] = {**_NOTHING_CHOSEN, **self.chosen.get(id, {}), **body}
                return httpx.Response(200, json=self.chosen[id])
            case "GET", ["conversations"]:
                return _page([{"id": id, **chosen} for id, chosen in self.chosen.items()])
            case "GET", ["blocks"]:
                return _page([{"person": {"id": str(UUID(self.people[each]))}} for each in self.blocked])
            case "PUT", ["blocks", username] if username in self.people:
                self.blocked.append(username)
                return httpx.Response(204)
            case "DELETE", ["blocks", username] if username in self.people:
                self.blocked = [each for each in self.blocked if each != username]
                return httpx.Response(204)
        return httpx.Response(404, json={"code": "no_such_person", "detail": "There is no such person."})


def _page(items: list[dict[str, Any]]) -> httpx.Response:
    return httpx.Response(200, json={"items": items, "next_cursor": None})
