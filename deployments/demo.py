"""`entativa demo`: accounts, connections and posts on each brand.

It uses the API itself, inside this process and without rate limits, so what it makes is what users would have made.
Running it again adds nothing.
"""

import asyncio
import random
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from api.app import create_app
from api.routes import VERSION
from brands import Brand
from cluster.local.installation import Installation
from cluster.local.mail_sink import filed_mails
from cluster.local.processes import ServiceError
from cluster.settings import RateLimits, Settings
from deployments.console import step
from deployments.platform import open_platform

PASSWORD = "a-demo-password-for-everybody"  # noqa: S105 - printed on purpose
UNLIMITED = RateLimits.model_validate(
    {name: 60_000_000 if name.endswith("per_minute") else 1_000_000_000 for name in RateLimits.model_fields}
)
"""The burst is 1,000 s, since what clients of this machine have used up before counts here too."""

_STAYS = ("already_friends", "no_such_person")
"""Codes of a connection that stays as it is; a person who blocked another is not found."""

PEOPLE = {
    "ada": "Ada Okafor",
    "bruno": "Bruno Silva",
    "chidi": "Chidi Eze",
    "dana": "Dana Kowalska",
    "emil": "Emil Lindqvist",
    "fatou": "Fatou Diop",
    "goran": "Goran Petrović",
    "hana": "Hana Sato",
    "ines": "Inés Romero",
    "jonas": "Jonas Weber",
    "kamala": "Kamala Rao",
    "luca": "Luca Moretti",
}

POSTS = [
    "First frost on the allotment this morning. The kale is fine, the gardener less so. #garden",
    "Looking for someone to share a table at the repair café on Saturday. I bring the soldering iron. #repair",
    "Finished the trail in four hours, two of them under umbrellas. #hiking",
    "My sourdough has finally forgiven me. #baking",
    "@{friend} you were right about the second chapter. I take everything back. #books",
    "Who lent me the yellow tent? It is dry, clean and ready to go home.",
    "Choir starts again on Tuesday; we need tenors, and patience. #music",
    "Three hours of debugging, one missing comma. #work",
    "The market has quinces! Tell me your recipes, @{friend}. #cooking",
    "Night bus, full moon, and a dog that knew everybody's name.",
]
AUDIENCES = ["public", "public", "connections"]


@dataclass(frozen=True, slots=True)
class Login:
    brand: str
    username: str
    password: str


def fill(installation: Installation, brand: Brand) -> Login:
    """Fill one brand and return a login. Raises ServiceError when the platform does not run, mails real people, or
    refuses a request."""
    if not installation.private_mail:
        raise ServiceError("the demo makes up people with example addresses: run it without ENTATIVA_SMTP_URL")
    return asyncio.run(_fill(installation, brand))


async def _fill(installation: Installation, brand: Brand) -> Login:
    environment = installation.environment()
    settings = Settings(
        databases={brand.name: SecretStr(installation.databases()[brand.name])},
        redis_url=SecretStr(environment["ENTATIVA_REDIS_URL"]),
        keys_directory=installation.home / "keys",
        cluster_secret=SecretStr(environment["ENTATIVA_CLUSTER_SECRET"]),
        public_urls={brand.name: installation.addresses()[brand.name]["api"]},
        rate_limits=UNLIMITED,
    )
    platform = await open_platform(brand, settings)
    try:
        transport = httpx.ASGITransport(app=create_app(platform))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://demo{VERSION}") as client:
            await _populate(_DemoBrand(client, installation, brand))
    finally:
        await platform.close()
    return Login(brand.name, "ada", PASSWORD)


_TRIES = 20
"""Of a request while a storage service is down."""


@dataclass(slots=True)
class _DemoBrand:
    client: httpx.AsyncClient
    installation: Installation
    brand: Brand

    async def call(
        self, method: str, path: str, token: str = "", *, also: tuple[str, ...] = (), **json: Any
    ) -> httpx.Response:
        """A request that must succeed, or be refused with one of the error codes in `also`. Raises ServiceError."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        for _ in range(_TRIES):
            response = await self.client.request(method, path, headers=headers, json=json or None)
            if response.status_code != 503:
                break
            await asyncio.sleep(1)  # as Retry-After says: a storage service is down for a moment
        if response.is_error and response.json()["code"] not in also:
            problem = response.json()
            raise ServiceError(
                f"{self.brand.title} refused {method} {path}: {problem['code']} ({problem.get('detail', '')}); "
                "'entativa doctor' says whether everything runs"
            )
        return response

    async def sign_up(self, username: str, name: str) -> None:
        """Sign up and confirm with the code that the mail sink caught; nothing if the account exists."""
        email = f"{username}@{self.brand.name}.example"
        before = len(filed_mails(self.installation.mail_folder, email))
        response = await self.call(
            *("POST", "/auth/sign-up"),
            also=("username_taken",),
            email=email,
            username=username,
            name=name,
            password=PASSWORD,
        )
        if response.is_error:
            return
        sign_up_id = response.json()["sign_up_id"]
        for _ in range(600):
            mails = filed_mails(self.installation.mail_folder, email)
            if len(mails) > before:
                found = re.search(r"\b(\d{6})\b", mails[0].text)
                code = found[1] if found else ""
                # Another demo that runs now may have been first.
                taken = ("email_registered", "username_taken")
                await self.call("POST", "/auth/confirm", also=taken, sign_up_id=sign_up_id, code=code)
                return
            await asyncio.sleep(0.1)
        raise ServiceError("no confirmation mail came within a minute: 'entativa status' says whether everything runs")

    async def log_in(self, username: str) -> str:
        response = await self.call(
            "POST", "/auth/log-in", also=("wrong_credentials",), login=username, password=PASSWORD
        )
        if response.is_error:
            raise ServiceError(
                f"somebody else is '{username}' on {self.brand.title} already: the demo needs that name "
                "('make clean run' starts over and deletes all local data)"
            )
        return str(response.json()["access_token"])

    async def connect(self, one: str, other: str, tokens: dict[str, str]) -> None:
        """A friendship or a follow, whichever the brand has."""
        if "friends" in self.brand.feature_names:
            for asking, asked in ((one, other), (other, one)):
                await self.call("POST", "/friends/requests", tokens[asking], also=_STAYS, username=asked)
        if "follows" in self.brand.feature_names:
            await self.call("PUT", f"/follows/{other}", tokens[one])

    async def posts(self, username: str, token: str) -> list[str]:
        """The texts of somebody's newest posts."""
        response = await self.call("GET", f"/profiles/{username}/posts?limit=100", token)
        return [str(post["text"]) for post in response.json()["items"]]


async def _populate(demo: _DemoBrand) -> None:
    """Adds what is missing: a demo that was interrupted goes on where it stopped."""
    title, chance = demo.brand.title, random.Random(demo.brand.name)  # noqa: S311 - the same data every time
    tokens: dict[str, str] = {}
    with step(f"{title}: {len(PEOPLE)} people") as show:
        await asyncio.gather(*(demo.sign_up(username, name) for username, name in PEOPLE.items()))
        for username in PEOPLE:
            tokens[username] = await demo.log_in(username)
            show(f"{len(tokens)} logged in")
    pairs = [
        (username, other)
        for username in PEOPLE
        for other in chance.sample([one for one in PEOPLE if one != username], 4)
    ]
    with step(f"{title}: {len(pairs)} connections") as show:
        for number, (one, other) in enumerate(pairs):
            show(f"{number} made")
            await demo.connect(one, other, tokens)
    written: Counter[tuple[str, str]] = Counter()
    for username, token in tokens.items():
        written.update((username, text) for text in await demo.posts(username, token))
    with step(f"{title}: {len(POSTS) * 3} posts") as show:
        for number, text in enumerate(POSTS * 3):
            show(f"{number} written")
            username = chance.choice(list(PEOPLE)) if number else "ada"
            friend = chance.choice([one for one in PEOPLE if one != username])
            post, audience = text.format(friend=friend), chance.choice(AUDIENCES)
            if written[username, post]:
                written[username, post] -= 1
            else:
                await demo.call("POST", "/posts", tokens[username], text=post, audience=audience)
