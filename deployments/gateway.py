"""The gateway: the HTTP application of one brand on Ray Serve, whole or some of its features.

How many replicas, how many requests each takes at once and how it drains is set in serve_config.yaml.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ray import serve
from ray.serve import Application
from starlette.types import ASGIApp

from api.app import create_app
from brands.catalogue import BRANDS
from cluster.logs import configure_logs
from cluster.settings import load_settings
from deployments.platform import open_platform


class GatewayArguments(BaseModel):
    """What an application of serve_config.yaml says under `args`."""

    model_config = ConfigDict(extra="forbid")

    brand: str = Field(description="a name from brands/")
    features: frozenset[str] = Field(
        default=frozenset(), description="which of the brand's features this application serves; empty: all of them"
    )

    @model_validator(mode="after")
    def _known(self) -> "GatewayArguments":
        if self.brand not in BRANDS:
            raise ValueError(f"there is no brand {self.brand!r}: choose one of {sorted(BRANDS)}")
        unknown = self.features - BRANDS[self.brand].features
        if unknown:
            raise ValueError(f"{self.brand} has no feature {sorted(unknown)}")
        return self


@serve.deployment(name="gateway")
@serve.ingress()
class Gateway:
    """One replica: a process with its own connection pools."""

    def __init__(self, brand: str, features: frozenset[str]) -> None:
        self._brand = brand
        self._features = features

    async def __serve_build_asgi_app__(self) -> ASGIApp:
        settings = load_settings()
        configure_logs(settings.log_level, brand=self._brand, process="gateway")
        return create_app(await open_platform(BRANDS[self._brand], settings, features=self._features))


def build(arguments: GatewayArguments) -> Application:
    """The application builder that serve_config.yaml names as `deployments.gateway:build`."""
    gateway: Any = Gateway
    application: Application = gateway.bind(arguments.brand, arguments.features)
    return application
