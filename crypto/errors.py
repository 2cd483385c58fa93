"""The base of every error that this package raises on purpose."""


class CryptoError(Exception):
    """Base of all typed errors of ``crypto``.

    Messages name the rule that was broken, never a key, a secret or a plaintext.
    """


class DecodeError(CryptoError):
    """Bytes that are not a valid encoding: the only error a decoder raises."""


class UnsupportedStateVersion(CryptoError):
    """Stored state was written by a newer version of this package than the one that reads it.

    ``found`` is the version in the state, ``supported`` the newest one this package reads.
    """

    def __init__(self, what: str, found: int, supported: int) -> None:
        super().__init__(f"{what}: state version {found} is newer than the supported version {supported}")
        self.what = what
        self.found = found
        self.supported = supported
