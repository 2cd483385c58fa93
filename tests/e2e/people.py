"""People who use a brand over HTTP through Serve's proxy."""

import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from cluster.local.mail_sink import filed_mails
from tests.e2e.running import RunningPlatform

PASSWORD = "correct horse battery staple"


def mailed_code(platform: RunningPlatform, email: str) -> str:
    """Waits for a mail to an address and returns the code in it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for mail in filed_mails(platform.installation.mail_folder, email):
            found = re.search(r"\b(\d{6})\b", mail.text)
            assert found, mail.text
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"no mail came to {email}")


@dataclass(slots=True)
class Device:
    """One device of a person: it holds the tokens of a session."""

    client: httpx.Client
    username: str
    tokens: dict[str, Any]

    def ask(self, method: str, path: str, **json: Any) -> httpx.Response:
        """A request with the access token; keyword arguments are the body."""
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        deadline = time.monotonic() + 60
        while True:
            answer = self.client.request(method, path, headers=headers, json=json or None)
            # A storage service that stalls is down for a moment: clients ask again what they may ask twice.
            if answer.status_code != 503 or method not in ("GET", "PUT") or time.monotonic() > deadline:
                return answer
            time.sleep(1)

    def expect(self, status: int, method: str, path: str, **json: Any) -> Any:
        """A request that must be answered with this status; returns the body."""
        answer = self.ask(method, path, **json)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def refresh(self, refresh_token: str | None = None) -> httpx.Response:
        """Exchange a refresh token, by default the present one; keeps the new tokens."""
        token = refresh_token or self.tokens["refresh_token"]
        answer = self.client.post("/auth/refresh", json={"refresh_token": token})
        if answer.is_success:
            self.tokens = answer.json()
        return answer

    def pages(self, path: str, limit: int) -> list[list[dict[str, Any]]]:
        """Every page of a list, to its end."""
        pages, cursor = [], ""
        while True:
            page = self.expect(200, "GET", f"{path}?limit={limit}{cursor}")
            pages.append(page["items"])
            if page["next_cursor"] is None:
                return pages
            cursor = f"&cursor={page['next_cursor']}"


@dataclass(slots=True)
class People:
    """People on one brand of a running platform, under usernames that nobody has taken yet."""

    platform: RunningPlatform
    client: httpx.Client
    surname: str = field(default_factory=lambda: f"x{secrets.token_hex(4)}")

    def sign_up(self, name: str) -> Device:
        """Sign up, wait for the mail, and confirm with the code in it: the first device is logged in."""
        username = f"{name}_{self.surname}"
        person = {"email": f"{username}@example.org", "username": username, "name": name.title(), "password": PASSWORD}
        answer = self.client.post("/auth/sign-up", json=person)
        assert answer.status_code == 202, answer.text
        code = mailed_code(self.platform, person["email"])
        confirmation = {"sign_up_id": answer.json()["sign_up_id"], "code": code}
        answer = self.client.post("/auth/confirm", json=confirmation)
        assert answer.status_code == 201, answer.text
        return Device(self.client, username, answer.json())

    def log_in(self, username: str) -> Device:
        """Another device."""
        answer = self.client.post("/auth/log-in", json={"login": username, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return Device(self.client, username, answer.json())

    def has(self, path: str) -> bool:
        """Whether the brand's document lists this path."""
        return self.client.options(path).is_success

    def connect(self, one: Device, other: Device) -> None:
        """Makes `one` a friend or a follower of `other`, whichever the brand has."""
        if self.has("/friends/requests"):
            request = one.expect(201, "POST", "/friends/requests", username=other.username)
            assert request["state"] == "pending"
            answered = other.expect(201, "POST", "/friends/requests", username=one.username)
            assert answered["state"] == "accepted"
        else:
            one.expect(200, "PUT", f"/follows/{other.username}")

    def are_connected(self, one: Device, other: Device) -> bool:
        relationship = one.expect(200, "GET", f"/profiles/{other.username}")["relationship"]
        return bool(relationship["friends"] or relationship["following"])
