"""What type a file is, by its first bytes."""

from features.media.model import MediaType

SIGNATURE_BYTES = 64
"""How many of a file's first bytes are enough."""

_PREFIXES = {
    b"\xff\xd8\xff": MediaType.JPEG,
    b"\x89PNG\r\n\x1a\n": MediaType.PNG,
    b"GIF87a": MediaType.GIF,
    b"GIF89a": MediaType.GIF,
    b"\x1a\x45\xdf\xa3": MediaType.WEBM,
}

# ISO/IEC 14496-12: a file begins with a box `ftyp` whose brands say what it is.
_BRANDS = {
    b"avif": MediaType.AVIF,
    b"avis": MediaType.AVIF,
    b"heic": MediaType.HEIC,
    b"heix": MediaType.HEIC,
    b"hevc": MediaType.HEIC,
    b"qt  ": MediaType.QUICKTIME,
    **dict.fromkeys((b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1"), MediaType.MP4),
    **dict.fromkeys((b"M4V ", b"dash", b"MSNV", b"3gp4", b"3gp5", b"3gp6"), MediaType.MP4),
}
_STILL_IMAGES = {b"mif1", b"msf1"}
"""General brands, of which the compatible ones say more."""


def type_of(head: bytes) -> MediaType | None:
    """Returns the type of the file that begins with `head` (at least SIGNATURE_BYTES, or the whole file); None: none
    that can be uploaded."""
    for prefix, found in _PREFIXES.items():
        if head.startswith(prefix):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return MediaType.WEBP
    if head[4:8] == b"ftyp":
        major, box = head[8:12], min(int.from_bytes(head[:4], "big"), len(head))
        compatible = [head[at : at + 4] for at in range(16, box - 3, 4)]
        brands = compatible if major in _STILL_IMAGES else [major, *compatible]
        return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
    return None
