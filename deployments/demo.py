"""`entativa demo`: accounts, connections and posts on each brand.

It uses the API itself, inside this process and without rate limits, so what it makes is what users would have made.
Running it again adds nothing.
"""

import asyncio
import random
import re
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from api.app import create_app
from brands import Brand
from cluster.local.installation import Installation
from cluster.local.mail_sink import filed_mails
from cluster.local.processes import ServiceError
from cluster.settings import RateLimits, Settings
from deployments.platform import open_platform

PASSWORD = "a-demo-password-for-everybody"  # noqa: S105 - printed on purpose
UNLIMITED = RateLimits(
    identity_per_minute=60_000_000,
    address_per_minute=60_000_000,
    credentials_per_minute=60_000_000,
    posts_per_minute=60_000_000,
)

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
    """Fill one brand and return a login. Raises ServiceError when the platform does not run, or mails real people."""
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
        async with httpx.AsyncClient(transport=transport, base_url="http://demo") as client:
            await _populate(_DemoBrand(client, installation, brand))
    finally:
        await platform.close()
    return Login(brand.name, "ada", PASSWORD)


@dataclass(slots=True)
class _DemoBrand:
    client: httpx.AsyncClient
    installation: Installation
    brand: Brand

    async def call(self, method: str, path: str, token: str = "", **json: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.client.request(method, path, headers=headers, json=json or None)

    async def sign_up(self, username: str, name: str) -> None:
        """Sign up and confirm with the code that the mail sink caught."""
        email = f"{username}@{self.brand.name}.example"
        before = len(filed_mails(self.installation.mail_folder, email))
        answer = await self.call("POST", "/auth/sign-up", email=email, username=username, name=name, password=PASSWORD)
        if answer.status_code == httpx.codes.CONFLICT:
            return  # signed up already
        sign_up_id = answer.raise_for_status().json()["sign_up_id"]
        for _ in range(300):
            mails = filed_mails(self.installation.mail_folder, email)
            if len(mails) > before:
                found = re.search(r"\b(\d{6})\b", mails[0].text)
                code = found[1] if found else ""
                (await self.call("POST", "/auth/confirm", sign_up_id=sign_up_id, code=code)).raise_for_status()
                return
            await asyncio.sleep(0.1)
        raise ServiceError("no confirmation mail arrived: does the platform run? ('entativa status')")

    async def log_in(self, username: str) -> str:
        answer = await self.call("POST", "/auth/log-in", login=username, password=PASSWORD)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    async def connect(self, one: str, other: str, tokens: dict[str, str]) -> None:
        """A friendship or a follow, whichever the brand has."""
        if "friends" in self.brand.feature_names:
            await self.call("POST", "/friends/requests", tokens[one], username=other)
            await self.call("POST", "/friends/requests", tokens[other], username=one)
        if "follows" in self.brand.feature_names:
            await self.call("PUT", f"/follows/{other}", tokens[one])


async def _populate(demo: _DemoBrand) -> None:
    chance = random.Random(demo.brand.name)  # noqa: S311 - the same data every time
    await asyncio.gather(*(demo.sign_up(username, name) for username, name in PEOPLE.items()))
    tokens = {username: await demo.log_in(username) for username in PEOPLE}
    own = await demo.call("GET", "/profiles/ada/posts", tokens["ada"])
    if own.json()["items"]:
        return
    for username in PEOPLE:
        for other in chance.sample([one for one in PEOPLE if one != username], 4):
            await demo.connect(username, other, tokens)
    for number, text in enumerate(POSTS * 3):
        username = chance.choice(list(PEOPLE)) if number else "ada"
        friend = chance.choice([one for one in PEOPLE if one != username])
        answer = await demo.call(
            "POST",
            "/posts",
            tokens[username],
            text=text.format(friend=friend),
            audience=chance.choice(AUDIENCES),
        )
        answer.raise_for_status()
