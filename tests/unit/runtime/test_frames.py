"""The stream's bytes: whatever arrives, in whatever pieces, is a frame or a typed error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.errors import (
    BY_STATUS,
    BadFrame,
    CallError,
    EntityFailed,
    FrameTooLarge,
    Refused,
    from_wire,
    to_wire,
)
from actors.runtime.store.rows import StaleEpoch as Stale
from actors.runtime.transport.frames import (
    CALLS,
    DONE,
    MAX_BODY,
    FrameBuffer,
    answers_frame,
    calls_frame,
    frame,
    pack,
    pack_answer,
    pack_body,
    unpack,
    unpack_answer,
    unpack_body,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.lists(st.binary(max_size=50)), st.data())
def test_frames_come_out_whole_however_the_stream_is_cut(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(frame, payloads))
    buffer, out = FrameBuffer(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += buffer.feed(stream[:size])
        stream = stream[size:]
    assert out == payloads


def test_an_oversized_length_is_refused_before_its_bytes_arrive() -> None:
    with pytest.raises(FrameTooLarge):
        FrameBuffer(100).feed((101).to_bytes(4, "big"))


@given(st.binary(max_size=200))
def test_garbage_is_a_bad_frame_or_a_list_that_starts_with_a_number(payload: bytes) -> None:
    try:
        items = unpack(payload)
    except BadFrame:
        return
    assert type(items[0]) is int


def test_deep_nesting_is_a_bad_frame() -> None:
    with pytest.raises(BadFrame):
        unpack(b"\x91" * 100_000)


@given(st.integers(0, 2**62), VALUES)
def test_a_call_survives_the_wire(number: int, body: object) -> None:
    packed = pack_body(body)
    items = unpack(calls_frame(number, [pack((number, "kind", "entity-é", 1500, packed))])[4:])
    assert items == [CALLS, number, [number, "kind", "entity-é", 1500, packed]]
    assert unpack_body(packed) == body


def test_a_message_too_large_is_refused_where_it_is_made() -> None:
    with pytest.raises(FrameTooLarge):
        pack_body(b"x" * MAX_BODY)
    with pytest.raises(TypeError):
        pack_body({1, 2})


def test_a_reply_that_cannot_travel_becomes_a_typed_fault() -> None:
    answers = [pack_answer(7, DONE, b"x" * MAX_BODY), pack_answer(8, DONE, object())]
    large, odd = map(unpack_answer, unpack(answers_frame(answers)[4:])[1:])
    assert isinstance(from_wire(large[1], large[2]), FrameTooLarge)
    assert isinstance(from_wire(odd[1], odd[2]), EntityFailed)


@pytest.mark.parametrize("depth", [1, 1019, 1020, 1021, 1022])
def test_what_cannot_be_read_is_a_fault_of_that_message_alone(depth: int) -> None:
    odd: object = {(1, 2): 3}
    for _ in range(depth):
        odd = [odd]
    body = pack_body(odd)
    items = unpack(calls_frame(1, [pack((1, "k", "e", 5, body)), pack((2, "k", "e", 5, pack_body("fine")))])[4:])
    with pytest.raises(BadFrame):
        unpack_body(items[2][4])
    assert unpack_body(items[3][4]) == "fine"
    *_, bad, good = unpack(answers_frame([pack_answer(1, DONE, odd), pack_answer(2, DONE, "fine")])[4:])
    call, status, _ = unpack_answer(bad)
    assert (call, status in {BadFrame.status, EntityFailed.status}) == (1, True)
    assert unpack_answer(good) == (2, DONE, "fine")


@pytest.mark.parametrize("answer", [b"", b"\x93", pack((1, 2)), pack(7), pack("abcd"), 7])
def test_what_is_no_answer_is_a_bad_frame(answer: bytes) -> None:
    with pytest.raises(BadFrame):
        unpack_answer(answer)


def test_every_fault_comes_back_as_itself() -> None:
    for kind in BY_STATUS.values():
        error = from_wire(*to_wire(kind("why")))
        assert type(error) is kind
        assert str(error) == "why"
    refused = from_wire(*to_wire(Refused("full", "no room")))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.detail) == ("full", "no room")
    assert type(from_wire(*to_wire(Stale("late")))) is BY_STATUS[6]
    assert type(from_wire(*to_wire(ZeroDivisionError("x")))) is EntityFailed
    assert type(from_wire(999, None)) is CallError
