# SPDX-License-Identifier: Apache-2.0
"""The generated classes: round trips, refusals, and the tables over them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paracore._errors import LocalProtocolError, MessageError
from paracore.classes import Kind, core, link, video, worker
from paracore.protocol import PAYLOAD_MAX
from tests.payloads import CASES, case_id, specification, values

# There are some seventy payloads, so a few examples of each are many.
few = settings(max_examples=15)

MODULES = {"core": core, "video": video, "link": link, "worker": worker}


@pytest.mark.parametrize("case", CASES, ids=case_id)
@few
@given(data=st.data())
def test_what_is_packed_is_unpacked(case, data):
    value = data.draw(values(case.layout, case.module))
    octets = value.pack()
    assert type(value).unpack(octets) == value
    assert type(value).unpack(memoryview(octets)) == value
    assert len(octets) % 8 == 0
    assert len(octets) <= PAYLOAD_MAX


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_a_payload_says_what_it_is(case):
    kind = Kind.REPLY if case.is_reply else case.module.MESSAGES[case.opcode].kind
    said = (case.type.OPCODE, case.type.NAME, case.type.KIND, case.type.SIZE)
    assert said == (case.opcode, case.layout.name, kind, case.layout.size)


@pytest.mark.parametrize("case", CASES, ids=case_id)
@few
@given(data=st.data())
def test_another_length_is_refused(case, data):
    octets = data.draw(values(case.layout, case.module)).pack()
    length = data.draw(st.integers(0, len(octets) + 16).filter(lambda n: n != len(octets)))
    with pytest.raises(MessageError, match=case.layout.name):
        case.type.unpack((octets + bytes(16))[:length])


RESERVED = [(case, field) for case in CASES for field in case.layout.fields if field.reserved]


@pytest.mark.parametrize(("case", "field"), RESERVED, ids=lambda thing: getattr(thing, "name", None))
@few
@given(data=st.data())
def test_a_reserved_field_is_zero(case, field, data):
    octets = bytearray(data.draw(values(case.layout, case.module)).pack())
    octets[data.draw(st.integers(field.offset, field.offset + field.size - 1))] = data.draw(st.integers(1, 255))
    with pytest.raises(MessageError, match="reserved"):
        case.type.unpack(octets)


@pytest.mark.parametrize("octets", [b"\xff\xff\xff\xff", (1 << 31).to_bytes(4, "little")])
@pytest.mark.parametrize("place", [4, 8, 12])
def test_enumerations_and_flags_are_closed(place, octets):
    payload = bytearray(video.Open(0, video.Codec.H264, video.Direction.DECODE, video.OpenFlag(0)).pack())
    payload[place : place + 4] = octets
    with pytest.raises(MessageError, match="open"):
        video.Open.unpack(payload)


@pytest.mark.parametrize(
    "name",
    [
        b"a" * 32,  # not ended
        b"a\0b".ljust(32, b"\0"),  # something after the end
        b"\xff".ljust(32, b"\0"),  # not UTF-8
        b"\xed\xa0\x80".ljust(32, b"\0"),  # a surrogate
        b"\xc0\x80".ljust(32, b"\0"),  # an overlong zero
    ],
)
def test_a_text_is_utf8_ended_and_padded_by_zeros(name):
    octets = core.DeviceQueryReply("", "null", core.DeviceClass.VIDEO, 0).pack()
    with pytest.raises(MessageError, match="device_query_reply"):
        core.DeviceQueryReply.unpack(name + octets[32:])


@pytest.mark.parametrize("text", ["a" * 32, "ä" * 16, "a\0b"])
def test_a_text_without_a_place_is_not_sent(text):
    with pytest.raises(LocalProtocolError, match="does not fit"):
        core.DeviceQueryReply(text, "null", core.DeviceClass.VIDEO, 0).pack()


@pytest.mark.parametrize("value", [-1, 1 << 64])
def test_a_number_without_a_place_is_not_sent(value):
    with pytest.raises(LocalProtocolError, match="ping"):
        core.Ping(value).pack()


def test_a_tail_is_as_long_as_it_says_and_padded_by_zeros():
    octets = worker.Violation(1, b"hello").pack()
    assert octets == b"\x01\0\0\0\x05\0\0\0hello\0\0\0"
    with pytest.raises(MessageError, match="violation"):
        worker.Violation.unpack(octets[:-1] + b"!")
    with pytest.raises(MessageError, match="said to be 9"):
        worker.Violation.unpack(octets[:4] + b"\x09" + octets[5:])
    with pytest.raises(MessageError, match="violation"):
        worker.Violation.unpack(octets[:4] + b"\xff\xff\xff\xff" + octets[8:])


def test_a_tail_without_a_place_is_not_sent():
    assert len(worker.Violation(1, bytes(PAYLOAD_MAX - 8)).pack()) == PAYLOAD_MAX
    with pytest.raises(LocalProtocolError, match="room for"):
        worker.Violation(1, bytes(PAYLOAD_MAX - 7)).pack()


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_the_table_of_a_class_is_the_specifications(module):
    of = next(of for of in specification().classes if MODULES[of.name] is module)
    assert list(module.MESSAGES) == [message.opcode for message in of.messages]
    for message in of.messages:
        row = module.MESSAGES[message.opcode]
        said = (row.opcode, row.name, row.kind.name.lower(), row.native)
        assert said == (message.opcode, message.name, message.kind, message.native)
        assert message.name == row.request.NAME
        assert (row.reply is None) == (message.kind != "call")


def test_shared_names_are_one():
    assert video.Error is core.Error is link.Error is worker.Error
    assert core.BufferFlag is link.BufferFlag is worker.BufferFlag
    assert video.Failure.unpack(core.Failure(core.Error.BUSY, core.Limit.NONE, 0).pack()).error is video.Error.BUSY


def test_values_are_immutable_tuples():
    span = video.Span(1, 2, 3)
    assert span == (1, 2, 3)
    assert span._replace(length=5).length == 5
    with pytest.raises(AttributeError):
        span.length = 4
    with pytest.raises(AttributeError):
        span.other = 4
