"""What is deployed on Serve, by way of Ray's dashboard on the head."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from cluster.code_version import CODE_VERSION
from cluster.local.processes import ServiceError
from cluster.node.settings import NodeSettings

_APPLICATIONS = "/api/serve/applications/"


@dataclass(frozen=True, slots=True)
class ServeApi:
    """The head's dashboard, asked with the cluster's token."""

    node: NodeSettings

    def request(self, method: str, path: str, *, timeout_s: float, json: Any = None) -> httpx.Response:
        """Raises httpx.HTTPError."""
        token = self.node.ray_token_file.read_text() if self.node.ray_token_file.exists() else ""
        return httpx.request(
            method,
            f"{self.node.dashboard}{path}",
            headers={"Authorization": f"Bearer {token}"},
            json=json,
            timeout=timeout_s,
        )

    def answers(self) -> bool:
        """Whether the dashboard is up."""
        try:
            return self.request("GET", "/api/version", timeout_s=2).is_success
        except httpx.HTTPError:
            return False

    def deploy(self, config: dict[str, Any], *, timeout_s: float = 60) -> None:
        """Hand the applications to Serve; it changes what differs and drops no request. A connection that is cut before
        the answer has come is made again: the same configuration twice changes nothing. Raises ServiceError."""
        deadline = time.monotonic() + timeout_s
        cut = False
        while True:
            try:
                response = self.request("PUT", _APPLICATIONS, json=config, timeout_s=60)
                break
            except httpx.HTTPError as error:
                cut = cut or isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError)
                if not cut or time.monotonic() > deadline:
                    raise ServiceError(f"Ray does not answer ({error}); its logs are in {self.node.folder}") from None
                time.sleep(0.5)
        if not response.is_success:
            raise ServiceError(f"Serve refused the configuration: {response.text[-2000:]}")

    def delete_applications(self) -> None:
        """Let all applications finish the requests at hand and end. Raises httpx.HTTPError."""
        self.request("DELETE", _APPLICATIONS, timeout_s=45)

    def applications(self) -> dict[str, dict[str, Any]]:
        """What Serve says about each application: status, message, deployments. Raises httpx.HTTPError."""
        response = self.request("GET", _APPLICATIONS, timeout_s=10)
        response.raise_for_status()
        found: dict[str, dict[str, Any]] = response.json()["applications"]
        return found

    def wait_for_applications(self, names: set[str], *, timeout_s: float = 240) -> None:
        """Wait until all of them run. Raises ServiceError with Serve's own words when one fails to deploy."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                found = self.applications()
            except httpx.HTTPError:
                found = {}
            status = {name: found.get(name, {}).get("status", "MISSING") for name in names}
            if set(status.values()) == {"RUNNING"}:
                return
            failed = {name: found[name]["message"] for name, value in status.items() if value == "DEPLOY_FAILED"}
            if failed:
                raise ServiceError("\n".join(f"{name}: {message[-3000:]}" for name, message in failed.items()))
            if time.monotonic() > deadline:
                raise ServiceError(f"not running after {timeout_s:.0f} s: {status}")
            time.sleep(0.3)


_OURS = "deployments."


def load_config(path: Path, node: NodeSettings) -> dict[str, Any]:
    """A Serve configuration with this node's HTTP port, and the version of the code as an argument of each application
    of ours: Serve replaces an application's replicas, one after the other, when its arguments change. What operators
    deploy besides is left as it is."""
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    config.setdefault("http_options", {})["port"] = node.ports.http_port
    for application in config["applications"]:
        if application["import_path"].startswith(_OURS):
            application.setdefault("args", {})["code_version"] = CODE_VERSION
    return config
