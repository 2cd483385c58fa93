"""The settings of a brand: which there are, their defaults, and what a change makes of them. Pure.

Values are JSON: objects by section. Only what an account has chosen is stored, so that a new default reaches all who
have not. A stored value that this version of the code does not know is kept, and not shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from features.feature import SettingsSection, SettingsValues
from features.settings.errors import BadSetting

Values = Mapping[str, Mapping[str, Any]]
"""JSON values by section and setting."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class ChosenSettings:
    """What an account has chosen, as it is stored. `version` 0: nothing was ever changed."""

    version: int = 0
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """An account's settings, complete. `version` grows with every change; 0: nothing was ever changed."""

    version: int
    values: Values


class SettingsSchema:
    """The sections of a brand, with its defaults. Raises ValueError for defaults that no account could choose."""

    def __init__(self, sections: Sequence[SettingsSection], defaults: Values) -> None:
        self._sections = {section.name: section for section in sections}
        if len(self._sections) != len(sections):
            raise ValueError("two sections have one name")
        self.defaults: dict[str, dict[str, Any]] = {}
        for name in defaults:
            if name not in self._sections or self._sections[name].apply is not None:
                raise ValueError(f"a brand cannot set defaults of {name}")
        for name, section in self._sections.items():
            values = {**section.values().model_dump(mode="json"), **defaults.get(name, {})}
            self.defaults[name] = _valid(section.values, values).model_dump(mode="json")

    def complete(self, chosen: Values) -> dict[str, dict[str, Any]]:
        """Returns all settings. What was chosen and is not valid any more has its default."""
        return {name: self._complete_section(section, chosen.get(name, {})) for name, section in self._sections.items()}

    def _complete_section(self, section: SettingsSection, chosen: Mapping[str, Any]) -> dict[str, Any]:
        defaults = self.defaults[section.name]
        known = {key: value for key, value in chosen.items() if key in defaults}
        if not known:
            return dict(defaults)
        try:
            return _valid(section.values, {**defaults, **known}).model_dump(mode="json")
        except ValueError:
            valid = {key: value for key, value in known.items() if _is_valid(section.values, {**defaults, key: value})}
            return {**defaults, **valid}

    def change(self, chosen: Values, changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Returns what is chosen after a change, a JSON Merge Patch (RFC 7396): null takes a setting, or a section,
        back to its default. Raises BadSetting naming the member."""
        result = {name: dict(values) for name, values in chosen.items()}
        for name, change in changes.items():
            section = self._sections.get(name)
            if section is None:
                raise BadSetting("There is no such section of settings.", field=f"changes.{name}")
            result[name] = self._change_section(section, result.get(name, {}), change)
        return {name: values for name, values in result.items() if values}

    def _change_section(self, section: SettingsSection, chosen: dict[str, Any], change: Any) -> dict[str, Any]:
        defaults, place = self.defaults[section.name], f"changes.{section.name}"
        if change is None:
            change = dict.fromkeys(defaults)
        if not isinstance(change, Mapping):
            raise BadSetting("A section is an object.", field=place)
        for key, value in change.items():
            if key not in defaults:
                raise BadSetting("There is no such setting.", field=f"{place}.{key}")
            if value is None:
                chosen.pop(key, None)
                continue
            if not _is_flat(value):
                raise BadSetting(
                    "A setting is a text, a number, true, false or a list of these.", field=f"{place}.{key}"
                )
            try:
                valid = _valid(section.values, {**defaults, key: value}).model_dump(mode="json")
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                where = ".".join(map(str, first["loc"]))
                raise BadSetting(str(first["msg"]), field=f"{place}.{where or key}") from None
            chosen[key] = valid[key]
        return chosen

    def applied(self, before: Values, after: Values) -> list[tuple[SettingsSection, SettingsValues]]:
        """Returns the sections with `apply` whose values differ between two choices, with the values to apply."""
        was, now = self.complete(before), self.complete(after)
        return [
            (section, _valid(section.values, now[name]))
            for name, section in self._sections.items()
            if section.apply is not None and was[name] != now[name]
        ]

    @cached_property
    def published(self) -> dict[str, Any]:
        """The JSON Schema of all settings, as clients get it."""
        return self.json_schema()

    def json_schema(self, reference: str = "#/$defs/{model}") -> dict[str, Any]:
        """Returns the JSON Schema (draft 2020-12) of all settings, with the brand's defaults."""
        sections: dict[str, Any] = {name: (section.values, ...) for name, section in self._sections.items()}
        model: type[BaseModel] = create_model("Settings", __config__=ConfigDict(extra="forbid"), **sections)
        schema = model.model_json_schema(ref_template=reference, mode="serialization")
        for name, section in self._sections.items():
            for key, value in self.defaults[name].items():
                schema["$defs"][section.values.__name__]["properties"][key]["default"] = value
        return {"$schema": _DIALECT, **schema}

    def changes_schema(self) -> dict[str, Any]:
        """Returns the JSON Schema of a change, in which everything is optional and may be null."""
        schema = deepcopy(self.json_schema())
        definitions = schema.pop("$defs")
        sections = {}
        for name, section in self._sections.items():
            properties = definitions.pop(section.values.__name__)["properties"]
            sections[name] = {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {key: _nullable(_inlined(each, definitions)) for key, each in properties.items()},
                        "additionalProperties": False,
                    },
                    {"type": "null"},
                ]
            }
        return {"type": "object", "properties": sections, "additionalProperties": False}


def _valid(model: type[SettingsValues], values: Mapping[str, Any]) -> SettingsValues:
    # As JSON, which strict validation reads enums from. Not by orjson, which refuses numbers that JSON allows.
    return model.model_validate_json(json.dumps(values))


def _is_flat(value: Any) -> bool:
    each = value if isinstance(value, list) else [value]
    return all(isinstance(item, str | int | float) for item in each)


def _is_valid(model: type[SettingsValues], values: Mapping[str, Any]) -> bool:
    try:
        _valid(model, values)
    except ValueError:
        return False
    return True


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    schema.pop("default", None)
    described: dict[str, Any] = {key: schema.pop(key) for key in ("title", "description") if key in schema}
    options = schema.get("anyOf", [schema])
    return {**described, "anyOf": [*(each for each in options if each != {"type": "null"}), {"type": "null"}]}


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Returns a schema with the definitions that it refers to in their places."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**definitions[schema["$ref"].rpartition("/")[2]], **rest}
    return {key: _inlined(value, definitions) for key, value in schema.items()}
