# SPDX-License-Identifier: Apache-2.0
"""The header: what it lets through and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paracore._errors import LimitExceeded, LocalProtocolError, MessageError
from paracore.protocol import (
    EVENT,
    FAILURE,
    HEADER_SIZE,
    MESSAGE_MAX,
    PAYLOAD_MAX,
    REPLY,
    REQUEST,
    Header,
    MessageFlag,
    message,
    split,
)

U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)
PAYLOADS = st.integers(0, 16).flatmap(lambda n: st.binary(min_size=8 * n, max_size=8 * n))


@given(U16, st.sampled_from([REQUEST, REPLY, FAILURE]), U32, U32, PAYLOADS)
def test_a_message_is_split_into_what_it_was_made_of(opcode, flags, of, serial, payload):
    header, rest = split(message(opcode, flags, of, serial, payload))
    assert header == (HEADER_SIZE + len(payload), opcode, flags, of, serial)
    assert isinstance(header.flags, MessageFlag)
    assert bytes(rest) == payload
    assert header.class_number == opcode >> 8
    assert Header.unpack(header.pack()) == header


def test_an_event_has_no_serial():
    assert split(message(0x0110, EVENT, 3, 0))[0].flags is MessageFlag.EVENT
    with pytest.raises(MessageError, match="serial 1"):
        split(message(0x0110, EVENT, 3, 1))


@given(U16.filter(lambda flags: flags not in (REQUEST, REPLY, FAILURE, EVENT)))
def test_flags_are_those_of_one_kind(flags):
    with pytest.raises(MessageError, match="no kind"):
        Header.unpack(Header(16, 1, REQUEST, 0, 0).pack()[:6] + flags.to_bytes(2, "little") + bytes(8))


@pytest.mark.parametrize("size", [0, 8, 15, 17, 20])
def test_a_size_that_cannot_be_is_refused(size):
    with pytest.raises(MessageError, match=f"{size} octets"):
        Header.unpack(Header(size, 1, REQUEST, 0, 0).pack())


@pytest.mark.parametrize("size", [MESSAGE_MAX + 8, 0xFFFFFFF8])
def test_a_size_beyond_the_limit_says_so(size):
    with pytest.raises(LimitExceeded) as caught:
        Header.unpack(Header(size, 1, REQUEST, 0, 0).pack())
    assert (caught.value.limit, caught.value.seen) == ("message_max", size)


@given(st.binary(max_size=HEADER_SIZE - 1))
def test_less_than_a_header_is_refused(octets):
    with pytest.raises(MessageError, match="a header has 16"):
        split(octets)


def test_a_datagram_is_one_message():
    octets = message(1, REQUEST, 0, 0, bytes(8))
    with pytest.raises(MessageError, match="32 octets that say they are 24"):
        split(octets + bytes(8))


@pytest.mark.parametrize("length", [1, 7, PAYLOAD_MAX + 8])
def test_a_payload_without_a_place_is_not_sent(length):
    with pytest.raises(LocalProtocolError):
        message(1, REQUEST, 0, 0, bytes(length))
    assert len(message(1, REQUEST, 0, 0, bytes(PAYLOAD_MAX))) == MESSAGE_MAX
