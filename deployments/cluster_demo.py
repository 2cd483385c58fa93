"""`make cluster-demo`: a head and two workers on network namespaces, started by cluster.yaml's commands, then broken.

Every step is checked, and an acknowledged post must be readable through every node for the rest of the story.
"""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from api.routes import VERSION
from brands.catalogue import BRANDS
from cluster.local.cluster import LocalCluster, local_cluster
from cluster.local.machines import Machine
from cluster.local.mail_sink import filed_mails
from cluster.local.processes import ServiceError
from deployments.console import console, step

UNLIMITED = {
    f"ENTATIVA_RATE_LIMITS__{whom}_{what}": "600000"
    for whom in ("IDENTITY", "ADDRESS", "CREDENTIALS", "POSTS")
    for what in ("PER_MINUTE", "BURST")
}
"""The demo is one address, and few people."""
_PATIENCE_S = 180.0


@dataclass(slots=True)
class Person:
    """Somebody with an account on a brand."""

    brand: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(slots=True)
class Story:
    """What happens to a cluster, and what was acknowledged meanwhile."""

    cluster: LocalCluster
    people: list[Person] = field(default_factory=list)
    posts: list[tuple[Person, str]] = field(default_factory=list)

    def start(self) -> None:
        """Start all machines, until each node's proxy answers for each brand."""
        for machine in self.cluster.machines:
            with step(f"start {machine.name}"):
                self.cluster.start(machine)
        self.check_ready(self.cluster.machines)

    def check_ready(self, machines: list[Machine]) -> None:
        """Wait until these nodes' proxies answer for all brands."""
        with step(f"both brands answer through {_names(machines)}"):
            for machine in machines:
                for brand in BRANDS:
                    _until(lambda m=machine, b=brand: _answers(self.cluster, m, f"/{b}/health/ready"))  # type: ignore[misc]

    def sign_up(self) -> None:
        """A new person on each brand, each by way of another node."""
        for brand, machine in zip(BRANDS, self.cluster.machines, strict=False):
            with step(f"sign up on {brand} through {machine.name}"):
                address = f"{self.cluster.address(machine)}/{brand}"
                self.people.append(Person(brand, sign_up(address, self.cluster)))

    def post(self, machines: list[Machine]) -> None:
        """Everybody posts through each of these nodes."""
        with step(f"post through {_names(machines)}"):
            for machine in machines:
                for person in self.people:
                    self.posts.append((person, _until(lambda m=machine, p=person: self._post(m, p))))  # type: ignore[misc]

    def _post(self, machine: Machine, person: Person) -> str | None:
        response = _ask(
            self.cluster, machine, "POST", f"/{person.brand}{VERSION}/posts", person, json={"text": "Still here."}
        )
        return str(response.json()["id"]) if response is not None and response.status_code == 201 else None

    def read(self, machines: list[Machine]) -> None:
        """Each of these nodes shows every acknowledged post. Raises ServiceError at a 404: what exists is found."""
        with step(f"read {len(self.posts)} posts through {_names(machines)}"):
            for machine in machines:
                for person, post in self.posts:
                    _until(lambda m=machine, p=person, i=post: self._reads(m, p, i))  # type: ignore[misc]

    def _reads(self, machine: Machine, person: Person, post: str) -> bool:
        response = _ask(self.cluster, machine, "GET", f"/{person.brand}{VERSION}/posts/{post}", person)
        if response is not None and response.status_code == 404:
            raise ServiceError(f"{machine.name} does not find a post that was acknowledged: {response.text}")
        return response is not None and response.is_success


def run() -> None:
    """The whole story. Raises typer.Exit when a step fails."""
    with local_cluster(sorted(BRANDS), settings=UNLIMITED) as cluster:
        story = Story(cluster)
        head, first, second = cluster.machines
        story.start()
        story.sign_up()
        story.post(cluster.machines)
        story.read(cluster.machines)

        with step(f"{second.name} loses its power"):
            second.lose_power()
        story.read([head, first])
        story.post([head, first])

        with step(f"{head.name} loses its power"):
            head.lose_power()
        story.read([first])
        story.post([first])

        with step(f"{head.name} starts again"):
            cluster.start(head)
        with step(f"{second.name} starts again"):
            cluster.start(second)
        story.check_ready(cluster.machines)
        story.post(cluster.machines)
        story.read(cluster.machines)
    console.print(f"all {len(story.posts)} acknowledged posts are there")


def sign_up(address: str, cluster: LocalCluster) -> str:
    """A new account at a brand's address; returns its access token. Raises httpx.HTTPError, ServiceError."""
    name = f"person_{secrets.token_hex(4)}"
    email = f"{name}@example.org"
    account = {"email": email, "username": name, "name": "A Person", "password": "correct horse battery staple"}
    with httpx.Client(base_url=address, timeout=30) as client:
        begun = client.post(f"{VERSION}/auth/sign-up", json=account).raise_for_status().json()
        code = _until(lambda: _code(cluster, email))
        confirmation = {"sign_up_id": begun["sign_up_id"], "code": code}
        return str(client.post(f"{VERSION}/auth/confirm", json=confirmation).raise_for_status().json()["access_token"])


def _code(cluster: LocalCluster, email: str) -> str | None:
    for mail in filed_mails(cluster.mail_folder, email):
        if found := re.search(r"\b\d{6}\b", mail.text):
            return found[0]
    return None


def _ask(
    cluster: LocalCluster, machine: Machine, method: str, path: str, person: Person | None = None, **options: Any
) -> httpx.Response | None:
    """None: the node did not answer."""
    headers = person.headers if person else {}
    try:
        return httpx.request(method, f"{cluster.address(machine)}{path}", headers=headers, timeout=10, **options)
    except httpx.HTTPError:
        return None


def _answers(cluster: LocalCluster, machine: Machine, path: str) -> bool:
    response = _ask(cluster, machine, "GET", path)
    return response is not None and response.is_success


def _until(ready: Callable[[], Any]) -> Any:
    """The first true value of `ready`. Raises ServiceError if none comes."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (found := ready()):
        if time.monotonic() > deadline:
            raise ServiceError(f"no answer within {_PATIENCE_S:.0f} s")
        time.sleep(0.3)
    return found


def _names(machines: list[Machine]) -> str:
    return ", ".join(machine.name for machine in machines)


if __name__ == "__main__":
    run()
