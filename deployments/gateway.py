"""The gateway: the HTTP application of one brand on Ray Serve, whole or some of its features.

How many replicas, how many requests each takes at once and how it drains is set in serve_config.yaml.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ray import serve
from ray.serve import Application
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import create_app
from brands.catalogue import BRANDS
from cluster.garbage_collection import collect_garbage_rarely
from cluster.logs import configure_logs
from cluster.settings import load_settings
from deployments.runtime import open_platform_on_ray


class GatewayArguments(BaseModel):
    """What an application of serve_config.yaml says under `args`."""

    model_config = ConfigDict(extra="forbid")

    brand: str = Field(description="a name from brands/")
    features: frozenset[str] = Field(
        default=frozenset(), description="which of the brand's features this application serves; empty: all of them"
    )

    base: str | None = Field(
        default=None,
        description="the brand's own prefix, where this application has a longer route_prefix than that",
    )
    code_version: str = Field(default="", description="set by `deploy`: new code takes new replicas")

    @model_validator(mode="after")
    def _known(self) -> "GatewayArguments":
        if self.brand not in BRANDS:
            raise ValueError(f"there is no brand {self.brand!r}: choose one of {sorted(BRANDS)}")
        unknown = self.features - {*BRANDS[self.brand].feature_names}
        if unknown:
            raise ValueError(f"{self.brand} has no feature {sorted(unknown)}")
        return self


@serve.deployment(name="gateway")
@serve.ingress()
class Gateway:
    """One replica: a process with its own connection pools."""

    def __init__(self, arguments: GatewayArguments) -> None:
        self._arguments = arguments

    async def __serve_build_asgi_app__(self) -> ASGIApp:
        brand, settings = BRANDS[self._arguments.brand], load_settings()
        configure_logs(settings.log_level, brand=brand.name, process="gateway")
        collect_garbage_rarely()
        app = create_app(await open_platform_on_ray(brand, settings, features=self._arguments.features))
        base = self._arguments.base
        return app if base is None else _Rebased(app, base)


class _Rebased:
    """Routes by the path below the brand's prefix, though Serve strips this application's longer one."""

    def __init__(self, app: ASGIApp, base: str) -> None:
        self._app = app
        self._base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "root_path": self._base}
        await self._app(scope, receive, send)


def build(arguments: GatewayArguments) -> Application:
    """The application builder that serve_config.yaml names as `deployments.gateway:build`."""
    gateway: Any = Gateway
    application: Application = gateway.bind(arguments)
    return application
