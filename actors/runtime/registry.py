"""Entity kinds by name: "package.module:ATTRIBUTE", so that every process can make its own."""

from __future__ import annotations

from importlib import import_module

from actors.runtime.entity import EntityKind


def load_kind(path: str) -> EntityKind:
    """The kind that ``path`` names. Raises ValueError for a path that names none."""
    module, _, attribute = path.partition(":")
    kind = getattr(import_module(module), attribute, None)
    if not isinstance(kind, EntityKind):
        raise ValueError(f"{path!r} names no EntityKind")
    return kind
