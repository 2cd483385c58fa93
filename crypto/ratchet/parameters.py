"""What an application chooses when it uses the Double Ratchet (specification, revision 1, §5.2 and §3.1)."""

from dataclasses import dataclass, field

from crypto.ratchet.formats import EncryptedHeaderFormat, MessageFormat, RekeyingFormat


@dataclass(frozen=True, slots=True)
class RatchetParameters:
    """Both sides of a session must use the same values; they are not stored with it.

    ``root_info`` and ``initial_info`` are HKDF infos (§5.2). ``chain_limit`` is MAX_SKIP (§3.1): how many keys
    one chain may skip and keep; ``total_limit`` bounds all chains together, the oldest keys go first.
    ``rekey_interval``: how many of the initiator's sending chains pass between two rekeys with ML-KEM, None for none.
    """

    root_info: bytes = b"Entativa ratchet 1 root"
    initial_info: bytes = b"Entativa ratchet 1 initial"
    message_format: MessageFormat = field(default_factory=EncryptedHeaderFormat)
    chain_limit: int = 1_000
    total_limit: int = 2_000
    rekey_interval: int | None = None

    def __post_init__(self) -> None:
        if (self.rekey_interval is not None) != isinstance(self.message_format, RekeyingFormat):
            raise ValueError("rekeying needs its format, and the format needs rekeying")


VERSION_1_PARAMETERS = RatchetParameters()
"""Sessions that began before there was a post-quantum part, and those with devices that do not know of it."""

DEFAULT_PARAMETERS = RatchetParameters(
    b"Entativa ratchet 2 root", b"Entativa ratchet 2 initial", RekeyingFormat(), rekey_interval=16
)
