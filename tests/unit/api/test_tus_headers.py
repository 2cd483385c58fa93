"""The headers of the tus protocol."""

import base64
import hashlib
from uuid import UUID

import pytest

from api.tus_headers import BadUploadChecksum, BadUploadMetadata, parse_checksum, parse_concat, parse_metadata
from features.media.errors import BadConcatenation

ID = "0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"


def test_metadata_is_read() -> None:
    assert parse_metadata("") == {}
    name = base64.b64encode("größe.jpg".encode()).decode()
    assert parse_metadata(f"filename {name}, filetype aW1hZ2UvanBlZw== ,is_confidential") == {
        "filename": "größe.jpg",
        "filetype": "image/jpeg",
        "is_confidential": "",
    }


@pytest.mark.parametrize("header", ["a b c", "a !!!!", "a /w==", "a YQ==,a Yg=="])
def test_other_metadata_is_refused(header: str) -> None:
    with pytest.raises(BadUploadMetadata):
        parse_metadata(header)


def test_a_checksum_is_read_and_compared() -> None:
    digest = base64.b64encode(hashlib.sha1(b"hello world").digest()).decode()
    checksum = parse_checksum(f"sha1 {digest}")
    assert checksum is not None
    checksum.update(b"hello ")
    assert not checksum.matches()
    checksum.update(b"world")
    assert checksum.matches()
    assert parse_checksum(None) is None


@pytest.mark.parametrize(
    "header", ["", "sha1", "md5 AAAA", "sha1 AAAA", "sha1 !!", "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="]
)
def test_other_checksums_are_refused(header: str) -> None:
    with pytest.raises(BadUploadChecksum):
        parse_checksum(header)


def test_a_concatenation_is_read() -> None:
    assert parse_concat(None) is None
    assert parse_concat("partial") is None
    assert parse_concat(f"final;/v1/uploads/{ID} https://a.example/entativa/v1/uploads/{ID}/") == [UUID(ID), UUID(ID)]


@pytest.mark.parametrize("header", ["", "final;/uploads/17", "whole", "partial;"])
def test_other_concatenations_are_refused(header: str) -> None:
    with pytest.raises(BadConcatenation):
        parse_concat(header)
