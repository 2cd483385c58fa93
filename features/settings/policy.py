"""What a brand can change about settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SettingsPolicy:
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The brand's own defaults (JSON values) by section and setting. What an account has not chosen follows them. Not
    for sections with `apply`: their statements know the defaults of the code."""
