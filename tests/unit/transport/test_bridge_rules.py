# SPDX-License-Identifier: Apache-2.0
"""What one connection of a guest may say when, on no ring at all."""

import pytest

from paracore import RemoteProtocolError
from paracore.classes import bridge
from paracore.protocol import EVENT, REPLY, REQUEST, message, split
from paracore.transport.xen._bridge_rules import TABLE, BridgeRules, BridgeState
from paracore.transport.xen._port import XenPort

CALLS = {row.opcode: row for row in bridge.MESSAGES.values() if row.reply and row.request is not bridge.Ping}


def octets(opcode, number=5):
    return message(opcode, REQUEST, number, 1, bytes(CALLS[opcode].request.SIZE))


def test_the_table_is_total():
    assert set(TABLE) == set(BridgeState)
    assert set().union(*TABLE.values()) == set(CALLS)
    assert set(XenPort.HANDLERS) == set(CALLS) - {bridge.Disconnect.OPCODE}


@pytest.mark.parametrize("state", BridgeState)
@pytest.mark.parametrize("opcode", CALLS, ids=lambda opcode: CALLS[opcode].name)
def test_what_the_table_lacks_is_the_guests_fault(state, opcode):
    rules = BridgeRules(5)
    rules.state = state
    if opcode not in TABLE[state]:
        with pytest.raises(RemoteProtocolError):
            rules.accept(octets(opcode))
    else:
        header, _ = rules.accept(octets(opcode))
        answered = split(rules.reply(header, b""))[0]
        assert (answered.flags, answered.object, answered.serial) == (REPLY, 5, 1)
        assert rules.state is TABLE[state][opcode]


def test_a_number_that_is_not_its_own():
    with pytest.raises(RemoteProtocolError):
        BridgeRules(5).accept(octets(bridge.Connect.OPCODE, number=6))


def test_after_a_goodbye_it_can_only_disconnect():
    rules = BridgeRules(5)
    header, payload = split(rules.goodbye(bridge.Refusal.SHUTDOWN))
    assert (header.opcode, header.flags, header.object) == (bridge.Goodbye.OPCODE, EVENT, 5)
    assert bridge.Goodbye.unpack(payload).reason is bridge.Refusal.SHUTDOWN
    assert rules.ending
    rules.accept(octets(bridge.Disconnect.OPCODE))
    with pytest.raises(RemoteProtocolError):
        rules.accept(octets(bridge.Connect.OPCODE))
