# SPDX-License-Identifier: Apache-2.0
"""For any octets from a backend: they answer what is outstanding, or they are the backend's fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paracore import LocalProtocolError, RemoteProtocolError
from paracore.classes import bridge
from paracore.frontend._daemon._outstanding import Answer, Farewell, Outstanding
from paracore.protocol import EVENT, FAILURE, PROTOCOL_VERSION, REPLY, MessageFlag, message, split

CONNECT = bridge.Connect(PROTOCOL_VERSION, PROTOCOL_VERSION, 1, 2)
CONNECTED = bridge.ConnectReply(PROTOCOL_VERSION, "guest")
FAILED = bridge.Failure(bridge.Error.BUSY, bridge.Limit.NONE, 0)
GOODBYE = bridge.Goodbye(bridge.Refusal.DETACHED, bridge.Limit.NONE)


def answer_to(call, reply=CONNECTED, flags=REPLY):
    header, _ = split(call)
    return message(header.opcode, flags, header.object, header.serial, reply.pack())


def test_an_answer():
    rules = Outstanding()
    call = rules.call(7, CONNECT)
    assert 7 in rules
    assert rules.receive(answer_to(call)) == Answer(7, CONNECTED, None)
    assert 7 not in rules


def test_a_failure():
    rules = Outstanding()
    call = rules.call(7, CONNECT)
    assert rules.receive(answer_to(call, FAILED, FAILURE)) == Answer(7, None, FAILED)


def test_one_call_of_a_connection_at_a_time():
    rules = Outstanding()
    rules.call(7, CONNECT)
    rules.call(8, CONNECT)
    with pytest.raises(LocalProtocolError):
        rules.call(7, bridge.Disconnect())


def test_an_answer_that_nobody_waits_for():
    rules = Outstanding()
    call = rules.call(7, CONNECT)
    rules.receive(answer_to(call))
    with pytest.raises(RemoteProtocolError):
        rules.receive(answer_to(call))


def test_what_a_goodbye_overtook():
    rules = Outstanding()
    call = rules.call(7, CONNECT)
    said = message(bridge.Goodbye.OPCODE, EVENT, 7, 0, GOODBYE.pack())
    assert rules.receive(said) == Farewell(7, GOODBYE)
    leave = rules.call(7, bridge.Disconnect())
    assert rules.receive(answer_to(call)) is None
    assert rules.receive(answer_to(leave, bridge.DisconnectReply())) == Answer(7, bridge.DisconnectReply(), None)
    for late in (said, answer_to(call)):
        with pytest.raises(RemoteProtocolError):
            rules.receive(late)


def test_a_goodbye_that_crosses_the_disconnect():
    rules = Outstanding()
    rules.receive(answer_to(rules.call(7, CONNECT)))
    leave = rules.call(7, bridge.Disconnect())
    rules.receive(message(bridge.Goodbye.OPCODE, EVENT, 7, 0, GOODBYE.pack()))
    assert rules.receive(answer_to(leave, bridge.DisconnectReply())).connection == 7


MESSAGES = st.builds(
    message,
    st.sampled_from([*bridge.MESSAGES, 0, 0x7001]),
    st.sampled_from([REPLY, FAILURE, EVENT, MessageFlag(0)]),
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from([b"", CONNECTED.pack(), FAILED.pack(), GOODBYE.pack(), bytes(8), bytes(16)]),
)


@given(st.lists(st.one_of(MESSAGES, st.binary(max_size=64))))
def test_any_octets(octets):
    rules = Outstanding()
    for connection in range(3):
        rules.call(connection, bridge.Ping() if connection == 0 else CONNECT)
    for each in octets:
        try:
            told = rules.receive(each)
        except RemoteProtocolError:
            return
        assert told is None or told.connection in range(3)
