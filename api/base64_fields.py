"""Bytes in JSON: Base64 with padding (RFC 4648, section 4), in the one spelling that each value has."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

_PATTERN = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_MAX_WITH_PATTERN = 256 * 1024
"""Programs that make values by the document take seconds for a longer one with a pattern."""


def encode(value: bytes) -> str:
    """Returns the text of a value."""
    return base64.b64encode(value).decode()


def _characters(length: int) -> int:
    return -(-length // 3) * 4


@dataclass(frozen=True, slots=True)
class Base64:
    """The annotation of a field with `min_length` to `max_length` bytes: ``Annotated[bytes, Base64(33, 33)]``."""

    min_length: int
    max_length: int

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(encode, when_used="json")
        return core_schema.no_info_plain_validator_function(self._read, serialization=written)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = {
            "type": "string",
            "contentEncoding": "base64",
            "minLength": _characters(self.min_length),
            "maxLength": _characters(self.max_length),
        }
        return {**schema, "pattern": _PATTERN} if self.max_length <= _MAX_WITH_PATTERN else schema

    def _read(self, given: Any) -> bytes:
        """Returns the bytes of a text; bytes, which no JSON has, as they are."""
        if isinstance(given, bytes):
            return given
        if not isinstance(given, str):
            raise ValueError("must be a string")
        if len(given) > _characters(self.max_length):
            raise ValueError(f"must have at most {self.max_length} bytes")
        try:
            value = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("must be Base64") from None
        if encode(value) != given:
            raise ValueError("must be Base64 whose unused bits are zero")
        if not self.min_length <= len(value) <= self.max_length:
            raise ValueError(f"must have {self.min_length} to {self.max_length} bytes")
        return value
