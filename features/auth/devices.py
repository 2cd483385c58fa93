"""Names for devices, from the User-Agent header (RFC 9110, section 10.1.5): "Firefox on Linux"."""

_BROWSERS = (
    # Order matters: most browsers also name the browsers they are compatible with.
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
MAX_CHARACTERS = 80


def device_name(user_agent: str | None) -> str:
    """Returns a readable name for a device, at most 80 printable characters."""
    text = "".join(character for character in user_agent or "" if character.isprintable()).strip()
    if not text:
        return "Unknown device"
    system = next((name for token, name in _SYSTEMS if token in text), None)
    browser = next((name for token, name in _BROWSERS if token in text), None)
    program = browser or text.split("/")[0].split(" ")[0]
    return (f"{program} on {system}" if system else program)[:MAX_CHARACTERS] or "Unknown device"
