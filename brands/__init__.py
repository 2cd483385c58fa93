"""The brands: which features each has, with which policies. Values only."""

from dataclasses import dataclass, replace
from typing import Any, TypeVar

from features.documented import check_documented
from features.feature import Feature

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Brand:
    """A product: its name (lower case; also the name of its database and its route), title, features and policies.

    Where two features have routes for a path, the earlier one's is used; the most used come first. `policies` are those
    that differ from their defaults; one that allows more than the API's document raises ValueError."""

    name: str
    title: str
    features: tuple[Feature, ...]
    policies: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        for policy in self.policies:
            check_documented(policy)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names by which settings and Serve applications choose features."""
        return tuple(feature.name for feature in self.features)

    def policy(self, kind: type[P]) -> P:
        """Returns the policy of this class: the brand's own, or the defaults."""
        return next((policy for policy in self.policies if isinstance(policy, kind)), None) or kind()

    def with_policy(self, policy: object) -> "Brand":
        """Returns this brand with another policy."""
        others = tuple(other for other in self.policies if type(other) is not type(policy))
        return replace(self, policies=(*others, policy))
