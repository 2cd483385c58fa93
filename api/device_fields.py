"""Fields with the keys and signatures of devices."""

from typing import Annotated

from pydantic import Field

from api.base64_fields import Base64

MAX_ACCOUNT_KEYS = 4_096
MAX_NUMBER = 2**31 - 1
"""Of a device."""

_KEY = "BQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ"
_KEYS = "AQAAACAwMTk3ZjFjMDVkMWM3YzFlOWIwZTJmMWY2ZjlmN2MxMQAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
_SIGNATURE = "B" * 85 + "A=="

IdentityKeyField = Annotated[
    bytes,
    Base64(33, 33),
    Field(description="The device's public identity key (EncodeEC: 33 bytes), in Base64.", examples=[_KEY]),
]
AccountKeysField = Annotated[
    bytes,
    Base64(1, MAX_ACCOUNT_KEYS),
    Field(description="A version of the account's keys (`crypto.directory.AccountKeys`), in Base64.", examples=[_KEYS]),
]
SessionBindingField = Annotated[
    bytes,
    Base64(64, 64),
    Field(
        description="The device's signature that your sign-in session acts for it"
        " (`crypto.identity.bind_session`: 64 bytes), in Base64.",
        examples=[_SIGNATURE],
    ),
]
