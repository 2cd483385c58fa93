"""The tags with which the server delivers messages, so that they can be reported."""

import base64
from typing import Any


def delivery_tag(item: dict[str, Any]) -> bytes | None:
    """That of an item of the inbox, or of the data of a signal; None if there is none. Raises ValueError."""
    tag = item.get("delivery_tag")
    return tag if tag is None or isinstance(tag, bytes) else base64.b64decode(tag, validate=True)
