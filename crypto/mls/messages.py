"""MLSMessage: the outermost envelope (RFC 9420 section 6)."""

from crypto.errors import DecodeError
from crypto.mls.capabilities import MLS10
from crypto.mls.codec import Reader, decode_exactly, u16
from crypto.mls.framing import WireFormat
from crypto.mls.key_package import KeyPackage
from crypto.mls.private_message import PrivateMessage
from crypto.mls.public_message import PublicMessage
from crypto.mls.welcome import GroupInfo, Welcome

Message = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackage

_WIRE_FORMATS: dict[type, WireFormat] = {
    PublicMessage: WireFormat.PUBLIC_MESSAGE,
    PrivateMessage: WireFormat.PRIVATE_MESSAGE,
    Welcome: WireFormat.WELCOME,
    GroupInfo: WireFormat.GROUP_INFO,
    KeyPackage: WireFormat.KEY_PACKAGE,
}


def encode_message(message: Message) -> bytes:
    """``message`` in its envelope."""
    return u16(MLS10) + u16(_WIRE_FORMATS[type(message)]) + message.encode()


def decode_message(data: bytes) -> Message:
    """The message in an envelope that must span all of ``data``; DecodeError for anything else."""
    return decode_exactly(data, _read)


def _read(reader: Reader) -> Message:
    if reader.u16() != MLS10:
        raise DecodeError("unsupported protocol version")
    match reader.u16():
        case WireFormat.PUBLIC_MESSAGE:
            return PublicMessage.decode(reader)
        case WireFormat.PRIVATE_MESSAGE:
            return PrivateMessage.decode(reader)
        case WireFormat.WELCOME:
            return Welcome.decode(reader)
        case WireFormat.GROUP_INFO:
            return GroupInfo.decode(reader)
        case WireFormat.KEY_PACKAGE:
            package = KeyPackage.decode(reader)
            if package.version != MLS10:
                raise DecodeError("the versions of message and KeyPackage differ")
            return package
        case _:
            raise DecodeError("unsupported wire format")
