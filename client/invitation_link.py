"""The link of an invitation to a group: the address of the brand, the token with which somebody may ask to join, and
what the group is called.

    https://entativa.example/entativa#join.TOKEN.NAME

Token and name are in the fragment, which stays on the device of whoever opens the link (RFC 3986, section 3.5): the
server is told the token with a request to join, and the name never. NAME is UTF-8 in Base64 for URLs (RFC 4648, section
5) without padding; whoever made the link has written it, nobody has checked it.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Self

from client.messaging.body import check_group_name

_LINK = re.compile(r"(https?://[!-\"$-~]+)#join\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class InvitationLink:
    """`url`: of the brand. `name`: of the group, when the link was made."""

    url: str
    token: str = field(repr=False)
    name: str = field(repr=False)

    def __str__(self) -> str:
        name = base64.urlsafe_b64encode(self.name.encode()).decode().rstrip("=")
        return f"{self.url.rstrip('/')}#join.{self.token}.{name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads what `str` wrote. Raises ValueError, whose text is for the user."""
        found = _LINK.fullmatch(text.strip())
        if found is None:
            raise ValueError("This is no invitation to a group.")
        url, token, encoded = found.groups()
        try:
            name = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
            check_group_name(name)
        except (binascii.Error, ValueError):
            raise ValueError("This invitation to a group is damaged.") from None
        return cls(url.rstrip("/"), token, name)
