"""The wire format of the realtime protocol, and the errors for everything else."""

import contextlib

import msgpack
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.realtime.codec import CODECS, JSON, MSGPACK, BadFrame, Codec
from features.realtime.events import Item
from features.realtime.frames import (
    Ack,
    CloseCode,
    ErrorFrame,
    Events,
    Hello,
    Ping,
    Pong,
    Reconnect,
    Request,
    Response,
    Resume,
    Resync,
    ServerFrame,
    SetPresence,
    Signal,
    Slow,
    StreamChanged,
    Watch,
    Welcome,
)

USER = "018f3a52-7c1e-7d53-9d0a-3b1f6c2a9e10"


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.subprotocol)
@pytest.mark.parametrize(
    ("message", "frame"),
    [
        ({"t": "hello", "ticket": "abc"}, Hello("abc")),
        (
            {"t": "hello", "ticket": "abc", "resume": {"stream": "s1", "seq": 7}},
            Hello("abc", Resume("s1", 7)),
        ),
        ({"t": "ack", "seq": 12}, Ack(12)),
        ({"t": "ping"}, Ping(0)),
        ({"t": "ping", "n": 5}, Ping(5)),
        ({"t": "presence", "state": "away"}, SetPresence(False)),
        ({"t": "watch", "users": [USER.upper()]}, Watch((USER,))),
        ({"t": "ack", "seq": 1, "a later version's key": True}, Ack(1)),
        ({"t": "request", "id": 3, "what": "message", "data": {"n": 1}}, Request(3, "message", {"n": 1})),
    ],
)
def test_client_frames_mean_the_same_in_both_subprotocols(codec: Codec, message: object, frame: object) -> None:
    assert codec.decode(codec.pack(message), binary=codec.binary) == frame


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.subprotocol)
@pytest.mark.parametrize(
    ("message", "code", "close"),
    [
        ([1, 2], "bad_frame", CloseCode.BAD_FRAME),
        (None, "bad_frame", CloseCode.BAD_FRAME),
        ({}, "unknown_frame", None),
        ({"t": "teleport"}, "unknown_frame", None),
        ({"t": ["ack"]}, "unknown_frame", None),
        ({"t": "ack"}, "bad_frame", None),
        ({"t": "ack", "seq": -1}, "bad_frame", None),
        ({"t": "ack", "seq": True}, "bad_frame", None),
        ({"t": "ack", "seq": 1.0}, "bad_frame", None),
        ({"t": "ack", "seq": 2**53}, "bad_frame", None),
        ({"t": "hello"}, "bad_frame", None),
        ({"t": "hello", "ticket": ""}, "bad_frame", None),
        ({"t": "hello", "ticket": "x" * 257}, "bad_frame", None),
        ({"t": "hello", "ticket": "x", "resume": 5}, "bad_frame", None),
        ({"t": "hello", "ticket": "x", "resume": {"stream": "s"}}, "bad_frame", None),
        ({"t": "presence", "state": "asleep"}, "bad_frame", None),
        ({"t": "watch", "users": ["ada"]}, "bad_frame", None),
        ({"t": "watch", "users": [7]}, "bad_frame", None),
        ({"t": "watch", "users": [USER] * 1001}, "bad_frame", None),
        ({"t": "request", "id": 3, "what": "message"}, "bad_frame", None),
        ({"t": "request", "id": 3, "what": "message", "data": []}, "bad_frame", None),
        ({"t": "request", "id": 3, "what": "", "data": {}}, "bad_frame", None),
        ({"t": "request", "what": "message", "data": {}}, "bad_frame", None),
    ],
)
def test_bad_frames_are_named(codec: Codec, message: object, code: str, close: CloseCode | None) -> None:
    with pytest.raises(BadFrame) as caught:
        codec.decode(codec.pack(message), binary=codec.binary)
    assert (caught.value.code, caught.value.close) == (code, close)


@pytest.mark.parametrize(
    ("codec", "payload", "code", "close"),
    [
        (JSON, b'{"t":"ack"', "bad_encoding", CloseCode.BAD_FRAME),
        (JSON, b'{"t":"hello","ticket":"\xff\xfe"}', "bad_utf8", CloseCode.INVALID_TEXT),
        (JSON, b'{"t":"ack","seq":NaN}', "bad_encoding", CloseCode.BAD_FRAME),
        (JSON, b"[" * 5000, "bad_encoding", CloseCode.BAD_FRAME),
        (MSGPACK, b"\x81\xa1t", "bad_encoding", CloseCode.BAD_FRAME),
        (MSGPACK, b"\x81\xa1t\xa2\xff\xfe", "bad_utf8", CloseCode.INVALID_TEXT),
        (MSGPACK, b"\xc1", "bad_encoding", CloseCode.BAD_FRAME),
        (MSGPACK, b"\x91" * 5000, "bad_encoding", CloseCode.BAD_FRAME),
        (MSGPACK, b"\x01\x02", "bad_encoding", CloseCode.BAD_FRAME),
    ],
)
def test_undecodable_messages_close_the_connection(codec: Codec, payload: bytes, code: str, close: CloseCode) -> None:
    with pytest.raises(BadFrame) as caught:
        codec.decode(payload, binary=codec.binary)
    assert (caught.value.code, caught.value.close) == (code, close)


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.subprotocol)
def test_the_other_message_type_is_refused(codec: Codec) -> None:
    with pytest.raises(BadFrame) as caught:
        codec.decode(codec.pack({"t": "ping"}), binary=not codec.binary)
    assert caught.value.close is CloseCode.UNSUPPORTED_DATA


@given(st.sampled_from([JSON, MSGPACK]), st.binary(max_size=200), st.booleans())
def test_no_input_raises_anything_else(codec: Codec, payload: bytes, binary: bool) -> None:
    with contextlib.suppress(BadFrame):
        assert codec.decode(payload, binary=binary) is not None


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            Events(4, (Item("note", 1700000000000, msgpack.packb({"text": "hé"})),)),
            {"t": "events", "seq": 4, "items": [{"kind": "note", "at": 1700000000000, "data": {"text": "hé"}}]},
        ),
        (
            Welcome("c1", "s1", 9, True, 30000, 512),
            {
                "t": "welcome",
                "connection": "c1",
                "stream": "s1",
                "seq": 9,
                "resumed": True,
                "heartbeat_ms": 30000,
                "window": 512,
            },
        ),
        (Signal("typing", [1]), {"t": "signal", "kind": "typing", "data": [1]}),
        (Resync("s2", 3, "too_old"), {"t": "resync", "stream": "s2", "seq": 3, "reason": "too_old"}),
        (StreamChanged("s3"), {"t": "stream", "stream": "s3"}),
        (Slow(8), {"t": "slow", "seq": 8}),
        (Pong(5), {"t": "pong", "n": 5}),
        (Response(3, {"seq": 1}), {"t": "response", "id": 3, "data": {"seq": 1}}),
        (Response(3, problem={"code": "x"}), {"t": "response", "id": 3, "problem": {"code": "x"}}),
        (Reconnect(1500), {"t": "reconnect", "after_ms": 1500}),
        (ErrorFrame("x", "y", True), {"t": "error", "code": "x", "detail": "y", "fatal": True}),
    ],
)
def test_server_frames_as_documented(frame: ServerFrame, message: object) -> None:
    assert orjson.loads(JSON.encode(frame)) == message
    assert msgpack.unpackb(MSGPACK.encode(frame)) == message


def test_bytes_are_text_where_there_are_none() -> None:
    frame = Signal("message", {"envelope": b"\xff\x00"})
    assert msgpack.unpackb(MSGPACK.encode(frame))["data"] == {"envelope": b"\xff\x00"}
    assert orjson.loads(JSON.encode(frame))["data"] == {"envelope": "/wA="}
    with pytest.raises(TypeError):
        JSON.encode(Signal("message", {"envelope": object()}))
