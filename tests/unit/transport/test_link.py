# SPDX-License-Identifier: Apache-2.0
"""The descriptor protocol, the side that answers, on a wire within this process."""

import errno

import pytest

from paracore import ConfigError, GrantError, MessageError, PermissionRefused, QuotaExceeded, RemoteProtocolError
from paracore.classes import link
from paracore.protocol import (
    EVENT,
    FAILURE,
    PAGE_SIZE,
    PROTOCOL_VERSION,
    REPLY,
    REQUEST,
    RING_ORDER_MAX,
    RING_ORDER_MIN,
    TRACE_RECORDS,
    mapping_size,
    message,
    split,
)
from paracore.transport import Peer, Refused
from paracore.transport._link import LinkPort
from paracore.transport._link_rules import TABLE, LinkState
from paracore.transport.memory._listener import MemoryWire
from paracore.transport.memory._pages import MemoryPages

HELLO = link.Hello(PROTOCOL_VERSION, PROTOCOL_VERSION)
WRITABLE = link.BufferFlag(0)


class PlannedHost:
    def __init__(self):
        self.granted = []
        self.channels = []
        self.refusal = None
        self.answers = []
        self.changes = []
        self.heard = lambda: None

    def _may(self):
        if self.refusal:
            raise self.refusal

    def admit(self, port):
        self._may()
        return "guest"

    def channel_open(self, port, ring_order, descriptors):
        self._may()
        self.channels.append((ring_order, descriptors))
        return 17

    def grant(self, port, length):
        self._may()
        self.granted.append(length)

    def ungrant(self, port, length):
        self.granted.remove(length)

    def revoking(self, port):
        self.heard()

    def status(self, port, answer):
        self.answers.append(answer)

    def configure(self, port, changes):
        self.changes.append(changes)
        self._may()

    def trace(self, port, domain):
        self._may()
        return self.pages.allocate(PAGE_SIZE), domain or "guest"


class Link:
    """Both ends."""

    def __init__(self, *, administrator=True):
        self.pages = MemoryPages()
        ours, self.theirs = MemoryWire.pair(self.pages)
        self.host = PlannedHost()
        self.host.pages = self.pages
        peer = Peer(("uid:1",), administrator=administrator, text="peer")
        self.port = LinkPort(ours, self.pages, self.host, peer)

    def say(self, octets):
        self.theirs.send(octets)
        return self.port.receive()

    def call(self, request, serial=1):
        """The flags, payload and descriptors of the reply."""
        self.say(message(request.OPCODE, REQUEST, 0, serial, request.pack()))
        packet = self.theirs.receive()
        header, payload = split(packet.message)
        assert (header.opcode, header.serial) == (request.OPCODE, serial)
        return header.flags, bytes(payload), packet.descriptors

    def refused(self, request):
        flags, payload, _ = self.call(request)
        assert flags == FAILURE
        return link.Failure.unpack(payload)

    def open(self):
        self.call(HELLO)
        return self.call(link.ChannelOpen(2))

    def grant(self, length=PAGE_SIZE, flags=WRITABLE):
        return link.GrantReply.unpack(self.call(link.Grant(length, flags))[1]).grant


@pytest.fixture
def pair():
    return Link()


def test_the_table_is_total():
    assert set(TABLE) == set(LinkState)
    calls = {row.opcode for row in link.MESSAGES.values() if row.reply}
    assert set().union(*TABLE.values()) == calls == set(LinkPort.HANDLERS)


@pytest.mark.parametrize("state", LinkState)
@pytest.mark.parametrize("row", link.MESSAGES.values(), ids=lambda row: row.name)
def test_what_the_table_lacks_is_the_peers_fault(pair, state, row):
    pair.port.rules.state = state
    if row.opcode in TABLE[state] or state is LinkState.ENDING:
        return
    with pytest.raises(RemoteProtocolError):
        pair.say(message(row.opcode, REQUEST, 0, 1, bytes(row.request.SIZE)))


@pytest.mark.parametrize(
    "octets",
    [
        b"x",
        bytes(64),
        message(link.Hello.OPCODE, EVENT, 0, 0, HELLO.pack()),
        message(link.Hello.OPCODE, REPLY, 0, 1, HELLO.pack()),
        message(link.Hello.OPCODE, REQUEST, 3, 1, HELLO.pack()),
        message(link.Hello.OPCODE, REQUEST, 0, 1, HELLO.pack() + bytes(8)),
        message(link.Hello.OPCODE, REQUEST, 0, 1, HELLO.pack())[:-8],
    ],
)
def test_octets_that_are_no_hello(pair, octets):
    with pytest.raises(RemoteProtocolError):
        pair.say(octets)


@pytest.mark.parametrize(("oldest", "newest"), [(2, 9), (0, 0), (5, 1)])
def test_no_version_in_common(pair, oldest, newest):
    with pytest.raises(Refused) as caught:
        pair.say(message(link.Hello.OPCODE, REQUEST, 0, 1, link.Hello(oldest, newest).pack()))
    assert caught.value.reason is link.Refusal.VERSION


def test_a_wide_range_of_versions_is_met(pair):
    _, payload, _ = pair.call(link.Hello(0, 99))
    assert link.HelloReply.unpack(payload) == (PROTOCOL_VERSION, "guest")


def test_a_channel_is_handed_out(pair):
    flags, payload, descriptors = pair.open()
    assert flags == REPLY
    assert link.ChannelOpenReply.unpack(payload) == (17, 2, 0)
    assert len(descriptors) == 3
    pair.pages.map(descriptors[0], mapping_size(2), read_only=False)
    for descriptor in descriptors:
        pair.pages.close(descriptor)
    assert len(pair.pages) == 0, "the answering side keeps nothing of it"


@pytest.mark.parametrize(("wished", "given"), [(0, RING_ORDER_MIN), (2**32 - 1, RING_ORDER_MAX), (5, 5)])
def test_a_ring_has_a_possible_size(pair, wished, given):
    pair.call(HELLO)
    assert link.ChannelOpenReply.unpack(pair.call(link.ChannelOpen(wished))[1]).ring_order == given
    assert pair.host.channels[0][0] == given


def test_what_the_host_refuses_is_told(pair):
    pair.call(HELLO)
    pair.host.refusal = QuotaExceeded("channels", 3)
    assert pair.refused(link.ChannelOpen(2)) == (link.Error.NO_SPACE, link.Limit.CHANNELS, 3)
    pair.host.refusal = None
    assert pair.port.rules.state is LinkState.GREETED
    pair.call(link.ChannelOpen(2))
    pair.host.refusal = QuotaExceeded("bytes", 7)
    assert pair.refused(link.Grant(PAGE_SIZE, WRITABLE)) == (link.Error.NO_SPACE, link.Limit.BYTES, 7)


@pytest.mark.parametrize("length", [0, 1, PAGE_SIZE - 1, 2**30 + PAGE_SIZE, 2**63])
def test_lengths_that_no_grant_has(pair, length):
    pair.open()
    assert pair.refused(link.Grant(length, WRITABLE)).error is link.Error.INVALID
    assert pair.host.granted == []


def test_grants_are_counted_and_given_back(pair, monkeypatch):
    pair.open()
    pair.grant(3 * PAGE_SIZE)
    number = pair.grant()
    assert pair.host.granted == [3 * PAGE_SIZE, PAGE_SIZE]
    pair.call(link.Revoke(number))
    assert pair.host.granted == [3 * PAGE_SIZE]
    assert pair.refused(link.Revoke(number)).error is link.Error.NO_ENTRY
    assert pair.grant() == number + 1, "numbers are not used again"

    def fail(length):
        raise GrantError(errno.ENOSPC, "full")

    monkeypatch.setattr(pair.pages, "allocate", fail)
    assert pair.refused(link.Grant(PAGE_SIZE, WRITABLE)).error is link.Error.NO_SPACE
    assert len(pair.host.granted) == 2
    pair.port.close()
    assert pair.host.granted == []


def test_a_mapped_grant_is_busy_until_the_worker_is_heard(pair):
    pair.open()
    number = pair.grant()
    pair.port.map(number, PAGE_SIZE, WRITABLE)
    assert pair.refused(link.Revoke(number)).error is link.Error.BUSY
    pair.port.unmap(99)
    pair.host.heard = lambda: pair.port.unmap(number)  # its word was on its way
    assert pair.call(link.Revoke(number))[0] == REPLY


def test_the_status_comes_later(pair):
    pair.call(HELLO)
    pair.say(message(link.Status.OPCODE, REQUEST, 0, 5))
    assert pair.theirs.receive() is None
    assert pair.refused(link.Status()).error is link.Error.BUSY
    pair.host.answers[0](b'{"a": 1}')
    packet = pair.theirs.receive()
    header, payload = split(packet.message)
    assert (header.serial, link.StatusReply.unpack(payload).length) == (5, 8)
    with pair.pages.map(packet.descriptors[0], 8, read_only=True).view() as view:
        assert bytes(view) == b'{"a": 1}'


def test_the_status_comes_too_late(pair):
    pair.call(HELLO)
    pair.say(message(link.Status.OPCODE, REQUEST, 0, 5))
    pair.port.close()
    pair.host.answers[0](b"{}")
    assert len(pair.pages) == 0


def test_the_status_is_for_the_administrator():
    pair = Link(administrator=False)
    pair.call(HELLO)
    assert pair.refused(link.Status()).error is link.Error.PERMISSION


def test_settings_are_the_administrators():
    pair = Link(administrator=False)
    pair.call(HELLO)
    assert pair.refused(link.Configure(b"{}")).error is link.Error.PERMISSION
    assert pair.host.changes == []


def test_a_trace(pair):
    """Its memory travels with the reply and is nobody's here any more; who may have it the host says."""
    pair.call(HELLO)
    flags, payload, descriptors = pair.call(link.Trace(""))
    assert (flags, link.TraceReply.unpack(payload)) == (REPLY, (TRACE_RECORDS, "guest"))
    assert len(pair.pages) == len(descriptors) == 1
    pair.pages.close(*descriptors)
    pair.host.refusal = PermissionRefused("no")
    assert pair.refused(link.Trace("other")).error is link.Error.PERMISSION
    assert len(pair.pages) == 0


def test_settings(pair):
    pair.call(HELLO)
    flags, payload, _ = pair.call(link.Configure(b"{}"))
    assert (flags, link.ConfigureReply.unpack(payload).text) == (REPLY, b"")
    pair.host.refusal = ConfigError("domain.a", "\u20ac" * 4000)
    flags, payload, _ = pair.call(link.Configure(b"[]"))
    assert flags == REPLY
    assert link.ConfigureReply.unpack(payload).text.startswith(b"domain.a: ")
    assert pair.host.changes == [b"{}", b"[]"]


def test_goodbye_is_the_last_word(pair):
    pair.open()
    pair.grant()
    pair.port.goodbye(link.Refusal.DETACHED)
    assert pair.host.granted == []
    _, goodbye = (pair.theirs.receive() for _ in range(2))
    assert goodbye.message == b""
    assert pair.say(b"whatever it says now") is True
    pair.theirs.close()
    assert pair.port.receive() is False


def test_one_that_reads_no_replies(pair):
    pair.open()
    calls = (message(link.Revoke.OPCODE, REQUEST, 0, serial, link.Revoke(1).pack()) for serial in range(200))
    with pytest.raises(RemoteProtocolError, match="does not read"):
        list(map(pair.say, calls))


def test_a_burst_is_bounded(pair):
    pair.open()
    for serial in range(20):
        pair.theirs.send(message(link.Revoke.OPCODE, REQUEST, 0, serial, link.Revoke(1).pack()))
    assert pair.port.receive()
    replies = 0
    while pair.theirs.receive():
        replies += 1
    assert 0 < replies < 10, "others have their turn"


def test_a_message_error_is_a_remote_protocol_error():
    assert issubclass(MessageError, RemoteProtocolError)
