"""What requests may do to an upload, and when a part is stored."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from features.errors import DomainError
from features.media.machine import (
    PART_BYTES,
    SMALL_PART_BYTES,
    Upload,
    UploadKind,
    Usage,
    check_append,
    check_first_part,
    check_new,
    parse_file_type,
    part_is_due,
)
from features.media.model import MediaType
from features.media.policy import MediaPolicy

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
POLICY = MediaPolicy(max_image_bytes=100, max_video_bytes=1000, max_bytes_per_account=5000, max_open_uploads=3)
UPLOAD = Upload(
    UUID(int=1), UUID(int=2), UploadKind.WHOLE, 500, 200, 3, MediaType.JPEG, "", "", 1, NOW + timedelta(hours=1)
)


def _code(error: pytest.ExceptionInfo[DomainError]) -> str:
    return error.value.code


@pytest.mark.parametrize(
    ("length", "media_type", "usage", "code"),
    [
        (0, MediaType.JPEG, Usage(0, 0), "empty_upload"),
        (101, MediaType.PNG, Usage(0, 0), "upload_too_large"),
        (1001, MediaType.MP4, Usage(0, 0), "upload_too_large"),
        (1001, None, Usage(0, 0), "upload_too_large"),
        (1000, MediaType.MP4, Usage(0, 4001), "storage_full"),
        (1, MediaType.MP4, Usage(3, 0), "too_many_open_uploads"),
    ],
)
def test_an_upload_over_a_limit_does_not_begin(
    length: int, media_type: MediaType | None, usage: Usage, code: str
) -> None:
    with pytest.raises(DomainError) as error:
        check_new(length, media_type, usage, POLICY)
    assert _code(error) == code


def test_an_upload_at_every_limit_begins() -> None:
    check_new(100, MediaType.PNG, Usage(2, 4900), POLICY)
    check_new(1000, MediaType.MP4, Usage(2, 4000), POLICY)
    check_new(1000, None, Usage(0, 0), POLICY)


@pytest.mark.parametrize(
    ("upload", "offset", "announced", "code"),
    [
        (replace(UPLOAD, expires_at=NOW), 200, None, "no_such_upload"),
        (replace(UPLOAD, kind=UploadKind.FINAL), 200, None, "final_upload"),
        (UPLOAD, 199, None, "offset_mismatch"),
        (UPLOAD, 201, None, "offset_mismatch"),
        (UPLOAD, 200, 301, "beyond_length"),
    ],
)
def test_a_request_that_does_not_fit_appends_nothing(
    upload: Upload, offset: int, announced: int | None, code: str
) -> None:
    with pytest.raises(DomainError) as error:
        check_append(upload, offset, announced, NOW)
    assert _code(error) == code


def test_a_request_appends_where_the_upload_stands() -> None:
    check_append(UPLOAD, 200, 300, NOW)
    check_append(UPLOAD, 200, None, NOW)


def test_the_first_part_shows_the_type() -> None:
    jpeg = b"\xff\xd8\xff\xe0" + bytes(60)
    check_first_part(UPLOAD, 0, jpeg)
    check_first_part(replace(UPLOAD, length=10), 0, jpeg[:10])
    check_first_part(UPLOAD, 64, b"anything")
    check_first_part(replace(UPLOAD, media_type=None), 0, b"x")
    for part, code in ((jpeg[:63], "first_part_too_small"), (bytes(64), "wrong_content")):
        with pytest.raises(DomainError) as error:
            check_first_part(UPLOAD, 0, part)
        assert _code(error) == code


def test_parts_are_smaller_while_much_is_in_memory() -> None:
    budget = 10 * PART_BYTES
    assert part_is_due(PART_BYTES, PART_BYTES, budget)
    assert not part_is_due(PART_BYTES - 1, budget, budget)
    assert part_is_due(SMALL_PART_BYTES, budget + 1, budget)
    assert not part_is_due(SMALL_PART_BYTES - 1, budget + 1, budget)


@pytest.mark.parametrize("text", ["image/jpeg", "IMAGE/JPEG", " image/jpeg ; q=1"])
def test_a_file_type_is_read(text: str) -> None:
    assert parse_file_type(text) is MediaType.JPEG


@pytest.mark.parametrize("text", [None, "", "image/svg+xml", "text/html", "image"])
def test_other_file_types_are_refused(text: str | None) -> None:
    with pytest.raises(DomainError) as error:
        parse_file_type(text)
    assert _code(error) == "bad_file_type"
