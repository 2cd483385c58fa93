"""Which format of an image a client gets at an address that says `.webp`: AVIF, where there is a file and it says that
it shows AVIF (RFC 9110, section 12.5.1)."""

from fastapi import Request

_WEBP, _AVIF = ".webp", ".avif"
NEGOTIATED = frozenset({"image/webp", "image/avif"})


def preferred_name(name: str, request: Request) -> str:
    """Returns the name of the file to look for; that of an AVIF file stands for the WebP file, too."""
    if name.endswith(_WEBP) and accepts_avif(request.headers.get("accept", "")):
        return name.removesuffix(_WEBP) + _AVIF
    return name


def accepts_avif(header: str) -> bool:
    """Returns whether an Accept header names image/avif, and not with the weight 0."""
    for accepted in header.lower().split(","):
        media_type, *parameters = (part.strip() for part in accepted.split(";"))
        if media_type == "image/avif":
            return not any(parameter.startswith("q=0") and not parameter[3:].strip(".0") for parameter in parameters)
    return False
