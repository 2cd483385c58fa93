"""What the benchmark of cut uploads counts as sent again."""

from tests.support.app_server import SentContent


def _patch(offset: int, body: bytes) -> bytes:
    return f"PATCH /v1/uploads/1 HTTP/1.1\r\nUpload-Offset: {offset}\r\ncontent-length: 10\r\n\r\n".encode() + body


def test_bytes_that_are_sent_a_second_time_are_counted_for_each_interruption() -> None:
    sent = SentContent()
    first, second, third = (sent.connection() for _ in range(3))
    for byte in b"POST /v1/uploads HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + _patch(0, b"0123456"):
        first(bytes([byte]))
    second(b"HEAD /v1/uploads/1 HTTP/1.1\r\n\r\n" + _patch(4, b"45678"))
    third(_patch(9, b"9"))
    assert (sent.furthest, sent.again) == (10, [3])
