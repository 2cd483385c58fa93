"""Bytes in JSON have one spelling, and a length within bounds."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from api.base64_fields import Base64


class _Model(BaseModel):
    key: Annotated[bytes, Base64(2, 4)]


@pytest.mark.parametrize("data", [b"ab", b"abc", b"abcd"])
def test_bytes_are_read_as_they_are_written(data: bytes) -> None:
    written = _Model(key=data).model_dump_json()
    assert _Model.model_validate_json(written).key == data


@pytest.mark.parametrize("wrong", ["", "YQ==", "YWJjZGU=", "YWJ", "YWL=", "YW I=", "YWI=\n", "_-_-", "ä", 7, None])
def test_what_is_not_base64_of_the_right_length_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        _Model.model_validate({"key": wrong})


def test_the_schema_tells_the_length_of_the_text() -> None:
    schema = _Model.model_json_schema()["properties"]["key"]
    assert (schema["minLength"], schema["maxLength"], schema["contentEncoding"]) == (4, 8, "base64")
