"""What messages, replies and snapshots are made of."""

from __future__ import annotations

from typing import Any, TypeAlias

Value: TypeAlias = Any
"""What msgpack carries: None, bool, int (64 bit), float, str, bytes, lists, dicts with string keys."""
