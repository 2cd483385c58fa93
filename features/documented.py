"""Limits of policies that the API's document states.

The document is the same for all brands: it has the defaults. A brand can set less, and more where the limit is a lower
one (`min_`); who wants to allow more changes the default, with which the API changes.
"""

from dataclasses import field, fields
from typing import Any, TypeVar, cast

T = TypeVar("T", bound=Any)

_MOST = "most"


def documented(default: T, *, most: T | None = None) -> T:
    """Returns the field of a limit that the API states. `most`: what it states, if that is not the default."""
    return cast(T, field(default=default, metadata={_MOST: default if most is None else most}))


def documented_limits(policy: type[Any]) -> dict[str, Any]:
    """Returns the limits of a policy that the API states, by name."""
    return {each.name: each.metadata[_MOST] for each in fields(policy) if _MOST in each.metadata}


def check_documented(policy: Any) -> None:
    """Raises ValueError if a policy allows what the API does not."""
    for name, most in documented_limits(type(policy)).items():
        value = getattr(policy, name)
        if value < most if name.startswith("min_") else value > most:
            raise ValueError(
                f"{type(policy).__name__}.{name} is {value}, and the API's document says {most}: it allows what the "
                "API refuses. Change the default, which the API takes over."
            )
