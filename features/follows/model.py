"""The data of follows."""

from dataclasses import dataclass
from datetime import datetime

from features.profiles.model import Person


@dataclass(frozen=True, slots=True)
class Follow:
    """A person who follows or is followed, and since when."""

    person: Person
    since: datetime
