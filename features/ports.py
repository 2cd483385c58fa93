"""Ports: interfaces of features that the layer above them implements (entities on Ray)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Port(Generic[T]):
    """The key of one interface T. Equal by name: a deployment of Ray Serve gets copies of all that its class refers to,
    its brand's features among them."""

    name: str


class Ports:
    """Implementations of ports in one process. Commands and tests that run without entities have none."""

    def __init__(self, implementations: Mapping[Port[Any], object] | None = None) -> None:
        self._implementations = dict(implementations or {})

    def connect(self, port: Port[T], implementation: T) -> Ports:
        """Returns these and one more."""
        return Ports({**self._implementations, port: implementation})

    def get(self, port: Port[T]) -> T | None:
        """Returns the implementation of a port, if there is one."""
        found: Any = self._implementations.get(port)
        implementation: T | None = found
        return implementation
