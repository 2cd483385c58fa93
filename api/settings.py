"""Settings over HTTP: the same on all of an account's devices.

Which there are depends on the brand's features, so the document gets their schemas from the brand's service.
"""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, RootModel

from api.conditional import ConditionalRoute
from api.deps import MaybeSignedIn, Now, SignedIn, Uow, service
from api.error_codes import raises
from api.models import Body
from api.platform import Platform
from api.routes import VERSION, Routes
from features.settings.errors import BadSetting, StaleSettings
from features.settings.model import Settings
from features.settings.service import SettingsService

router = APIRouter(prefix=VERSION, tags=["settings"], route_class=ConditionalRoute)

SettingsDep = Annotated[SettingsService, service(SettingsService)]

_MAX_VERSION = 2**53


class SettingsValuesModel(RootModel[dict[str, dict[str, Any]]]):
    """All settings, by section."""


class SettingsChangesBody(RootModel[dict[str, Any]]):
    """The settings to change, by section (a JSON Merge Patch, RFC 7396). null takes a setting, or a section, back to
    its default; what is absent stays."""


class AccountSettingsModel(BaseModel):
    """An account's settings."""

    version: int = Field(
        description="Grows with each change; 0: nothing was changed yet.", ge=0, le=_MAX_VERSION, examples=[3]
    )
    settings: SettingsValuesModel


class SettingsChangeBody(Body):
    """A change of settings."""

    version: int = Field(description="The version that the change is based on.", ge=0, le=_MAX_VERSION, examples=[3])
    changes: SettingsChangesBody = Field(examples=[{"presence": {"audience": "nobody"}}])


class SettingsSchemaModel(RootModel[dict[str, Any]]):
    """A JSON Schema (draft 2020-12)."""


@router.get("/settings")
async def show(identity: SignedIn, settings: SettingsDep, uow: Uow) -> AccountSettingsModel:
    """Get the caller's settings, complete with the defaults of what was never changed."""
    return _render(await settings.get(uow, identity.account_id))


@router.patch("/settings")
@raises(BadSetting, StaleSettings)
async def change(
    body: SettingsChangeBody, identity: SignedIn, settings: SettingsDep, uow: Uow, now: Now
) -> AccountSettingsModel:
    """Change the caller's settings, all together or not at all. All devices of the account are sent the new settings
    over their sockets (the event `settings`). If there is a version newer than `version`, the answer is 409
    `stale_settings`, whose `current` has the present settings."""
    return _render(await settings.change(uow, identity.account_id, body.version, body.changes.root, now))


@router.get("/settings/schema")
async def schema(_: MaybeSignedIn, settings: SettingsDep) -> SettingsSchemaModel:
    """Get the JSON Schema of all settings, with their descriptions and defaults."""
    return SettingsSchemaModel(settings.schema.published)


def _render(settings: Settings) -> AccountSettingsModel:
    values = {name: dict(section) for name, section in settings.values.items()}
    return AccountSettingsModel(version=settings.version, settings=SettingsValuesModel(values))


def _schemas(platform: Platform) -> dict[str, Any]:
    known = platform.service(SettingsService).schema
    values = known.json_schema("#/components/schemas/{model}")
    values.pop("$schema")
    definitions = values.pop("$defs")
    values["description"] = SettingsValuesModel.__doc__
    changes = {**known.changes_schema(), "description": " ".join((SettingsChangesBody.__doc__ or "").split())}
    return {**definitions, "SettingsValuesModel": values, "SettingsChangesBody": changes}


ROUTES = Routes((router,), schemas=_schemas)
