# SPDX-License-Identifier: Apache-2.0
"""The control ring on the fake hypervisor: order, room, patience, and what a hostile peer can write."""

import select
import struct

import pytest

from paracore._errors import LocalProtocolError, RemoteProtocolError
from paracore.protocol import PAGE_SIZE, REQUEST, Role, format_page, mapping_size, message
from paracore.testing import FakeXen
from paracore.transport import WireFull
from paracore.transport.local._pages import LocalPages
from paracore.transport.xen import CONTROL_RING_ORDER, ControlRing

SIZE = mapping_size(CONTROL_RING_ORDER)
OUT_PROD, IN_CONS = 64, 68
pages = LocalPages()


class Pair:
    """Both ends, and the guest's octets."""

    def __init__(self):
        self.xen = FakeXen()
        guest, backend = self.xen.domain(3), self.xen.domain(0)
        self.allocation = guest.allocate(0, SIZE)
        self.mapping = pages.map(self.allocation.descriptor, SIZE, read_only=False)
        self.view = self.mapping.view()
        format_page(self.view, CONTROL_RING_ORDER)
        offered = guest.unbound(0)
        bound = backend.interdomain(3, offered.remote_port)
        self.descriptor = backend.map(3, self.allocation.references)
        self.backend = backend
        theirs = pages.map(self.descriptor, SIZE, read_only=False)
        self.frontend_end = ControlRing(self.mapping, CONTROL_RING_ORDER, Role.FRONTEND, offered)
        self.backend_end = ControlRing(theirs, CONTROL_RING_ORDER, Role.BACKEND, bound)
        self.backend_end.receive()

    def write(self, place, word):
        struct.pack_into("<I", self.view, place, word % (1 << 32))

    def close(self):
        self.view.release()
        self.frontend_end.close()
        self.backend_end.close()
        self.backend.unmap(self.descriptor)
        self.allocation.close()


@pytest.fixture
def pair():
    made = Pair()
    yield made
    made.close()
    assert len(made.xen) == 0


def readable(ring):
    return bool(select.select([ring], [], [], 0)[0])


def said(number, size=32):
    return message(0x7201, REQUEST, number, number, bytes(size))


def send_many(end):
    for number in range(1, 1000):
        end.send(said(number, 1000))


def test_messages_keep_their_order_both_ways(pair):
    for start in range(0, 3000, 100):
        there = [said(start + n, 8 * (n % 9)) for n in range(100)]
        for octets in there:
            pair.frontend_end.send(octets)
        assert readable(pair.backend_end)
        assert pair.backend_end.receive() == there
        for octets in there[:10]:
            pair.backend_end.send(octets)
        assert pair.frontend_end.receive() == there[:10]


def test_nothing_there_is_nothing_and_rings_nobody(pair):
    assert pair.backend_end.receive() == []
    assert not readable(pair.backend_end)
    assert not readable(pair.frontend_end)


def test_what_does_not_fit_waits_and_arrives_in_order(pair):
    there = [said(n, 1000) for n in range(1, 30)]
    for octets in there:
        pair.frontend_end.send(octets)
    got = []
    while len(got) < len(there):
        assert readable(pair.backend_end)
        got += pair.backend_end.receive()
        if readable(pair.frontend_end):
            assert pair.frontend_end.receive() == []
    assert got == there


def test_one_that_never_reads_is_found_out(pair):
    with pytest.raises(WireFull):
        send_many(pair.backend_end)


def test_what_cannot_be_a_message_is_not_sent(pair):
    for octets in (b"", bytes(8), bytes(17), bytes(5000)):
        with pytest.raises(LocalProtocolError):
            pair.frontend_end.send(octets)


@pytest.mark.parametrize("order", [0, 1, 9, 31])
def test_an_order_that_cannot_be(pair, order):
    with pytest.raises(LocalProtocolError):
        ControlRing(pair.mapping, order, Role.BACKEND, None)


@pytest.mark.parametrize("index", [1, 8, 12, 8200, 1 << 31, -8])
def test_a_producer_index_that_cannot_be(pair, index):
    pair.write(OUT_PROD, index)
    with pytest.raises(RemoteProtocolError):
        pair.backend_end.receive()


@pytest.mark.parametrize("size", [0, 8, 17, 4104, 1 << 31])
def test_a_message_size_that_cannot_be(pair, size):
    pair.write(PAGE_SIZE, size)
    pair.write(OUT_PROD, 64)
    with pytest.raises(RemoteProtocolError):
        pair.backend_end.receive()


def test_a_consumer_index_that_cannot_be(pair):
    pair.write(IN_CONS, 1 << 20)  # more than was produced
    with pytest.raises(RemoteProtocolError):
        send_many(pair.backend_end)


def test_a_ring_full_of_the_smallest_is_one_bounded_batch(pair):
    for number in range(1, 513):
        pair.frontend_end.send(said(number, 0))
    assert len(pair.backend_end.receive()) == 512
    assert pair.backend_end.receive() == []
