"""Tags of delivered messages: each is for one message, one sender and one recipient, and names its key."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from crypto.envelope import Envelope, Protocol
from features.delivery_tags import TAG_BYTES, Delivered, DeliveryTags, commitment_of_envelope

TAGS = DeliveryTags.of_brand(b"secret", "entativa")
DELIVERED = Delivered(uuid4(), uuid4(), 1_795_694_400_123_456)
RECIPIENT = uuid4()
COMMITMENT = bytes(range(32))


def tag() -> bytes:
    made = TAGS.tag(COMMITMENT, DELIVERED, RECIPIENT)
    assert made is not None
    return made


def test_a_tag_is_made_again_and_fits_nothing_else() -> None:
    assert len(tag()) == TAG_BYTES
    assert TAGS.knows(tag())
    assert TAGS.fits(tag(), COMMITMENT, DELIVERED, RECIPIENT)
    assert DeliveryTags.of_brand(b"secret", "entativa") == TAGS
    others: list[tuple[bytes, Delivered, UUID]] = [
        (bytes(32), DELIVERED, RECIPIENT),
        (COMMITMENT, replace(DELIVERED, conversation_id=uuid4()), RECIPIENT),
        (COMMITMENT, replace(DELIVERED, sender_id=uuid4()), RECIPIENT),
        (COMMITMENT, replace(DELIVERED, seq=DELIVERED.seq + 1_000), RECIPIENT),
        (COMMITMENT, DELIVERED, uuid4()),
    ]
    for commitment, delivered, recipient in others:
        assert not TAGS.fits(tag(), commitment, delivered, recipient)


@pytest.mark.parametrize(("secret", "brand"), [(b"another", "entativa"), (b"secret", "vignette")])
def test_another_key_is_told_by_its_id(secret: bytes, brand: str) -> None:
    others = DeliveryTags.of_brand(secret, brand)
    assert not others.knows(tag())
    assert not others.fits(tag(), COMMITMENT, DELIVERED, RECIPIENT)


def test_the_commitment_of_an_envelope() -> None:
    assert commitment_of_envelope(Envelope(Protocol.SESSION, COMMITMENT, b"sealed").encode()) == COMMITMENT
    for junk in (b"", b"sealed", b"\x01\x01" + bytes(31)):
        assert commitment_of_envelope(junk) is None
    assert TAGS.tag(None, DELIVERED, RECIPIENT) is None
