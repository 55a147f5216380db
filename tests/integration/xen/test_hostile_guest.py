# SPDX-License-Identifier: Apache-2.0
"""Guests whose daemon, or whose kernel, is not as it should be: the worst that any gets is the end of its own device."""

import os
import random
import time
from contextlib import suppress

import pytest

from paracore.classes import bridge, link
from paracore.frontend._daemon._holdings import format_pages
from paracore.protocol import (
    EVENT,
    FAILURE,
    PAGE_SIZE,
    REPLY,
    REQUEST,
    XenbusState,
    frontend_path,
    mapping_size,
    message,
)
from paracore.transport import WireFull
from paracore.transport._rate import Bucket
from paracore.transport.xen import write_directory
from tests.integration.backends import WRITABLE, Stream, wait_until
from tests.integration.xen.machine import Guest, Scripted


@pytest.fixture
def guest(machine):
    made = Scripted(machine).connect()
    yield made
    made.close()


def violations(machine, name="guest3"):
    return next(domain for domain in machine.status()["domains"] if domain["name"] == name)["violations"]


def closed(machine, domain=3):
    """The backend has let go of the ring, and waits for the guest to begin anew."""
    machine.wait_state(domain, backend=XenbusState.CLOSING)
    assert violations(machine) == 1
    wait_until(lambda: machine.held() == (0, 0), "something is mapped")


def failed(answer):
    header, payload = answer
    assert header.flags == FAILURE
    return bridge.Failure.unpack(payload).error


def begin_anew(guest):
    guest.state(XenbusState.CLOSED)
    guest.machine.wait_state(guest.domain, backend=XenbusState.CLOSED)
    guest.close()
    guest.state(XenbusState.INITIALISING)
    guest.machine.wait_state(guest.domain, backend=XenbusState.INIT_WAIT)
    guest.renew()
    guest.connect()


# --- the ring -------------------------------------------------------------------------------------------


def test_a_call_of_each_kind(machine, guest):
    header, payload = guest.greet(1)
    assert (header.flags, bridge.ConnectReply.unpack(payload).domain) == (REPLY, "guest3")
    pages, events = guest.open(1)
    buffer = guest.hypervisor.allocate(0, 4 * PAGE_SIZE)
    assert guest.grant(1, 1, buffer)[0].flags == REPLY
    assert guest.call(1, bridge.Revoke(1))[0].flags == REPLY
    assert guest.call(1, bridge.Disconnect())[0].flags == REPLY
    assert machine.held() == (5, 1)
    assert guest.call(0, bridge.Ping())[0].flags == REPLY
    for held in (pages, events, buffer):
        held.close()


def test_a_number_is_free_again(guest):
    for _ in range(50):
        assert guest.greet(1)[0].flags == REPLY
        assert guest.call(1, bridge.Disconnect())[0].flags == REPLY


def test_too_many_connections_are_told(machine):
    guest = Scripted(machine, max_channels=2).connect()
    answers = [guest.greet(number) for number in range(1, 12)]
    assert [header.flags for header, _ in answers] == [REPLY] * 10 + [EVENT]
    assert bridge.Goodbye.unpack(answers[-1][1]) == (link.Refusal.LIMIT, link.Limit.CHANNELS)
    assert guest.call(11, bridge.Disconnect())[0].flags == REPLY
    guest.close()


@pytest.mark.parametrize(
    "octets",
    [
        bytes(16),
        b"\xff" * 16,
        message(0x7777, REQUEST, 1, 1),
        message(bridge.Connect.OPCODE, REQUEST, 0, 1, bytes(16)),
        message(bridge.Connect.OPCODE, REQUEST, 1, 1, bytes(8)),
        message(bridge.Connect.OPCODE, REPLY, 1, 1, bytes(16)),
        message(bridge.Grant.OPCODE, REQUEST, 1, 1, bytes(24)),
        message(bridge.Disconnect.OPCODE, REQUEST, 9, 1),
        message(bridge.Goodbye.OPCODE, EVENT, 1, 0, bytes(8)),
        message(bridge.Ping.OPCODE, REQUEST, 4, 1),
        message(link.Hello.OPCODE, REQUEST, 0, 1, bytes(8)),
    ],
    ids=lambda octets: octets[:8].hex(),
)
def test_what_is_no_call(machine, octets):
    guest = Scripted(machine).connect()
    guest.offer.ring.send(octets)
    closed(machine)
    begin_anew(guest)
    assert guest.greet(1)[0].flags == REPLY
    guest.close()


def test_two_calls_at_once(machine, guest):
    calls = (bridge.Connect(1, 1, 7, 7), bridge.Disconnect())
    octets = [message(call.OPCODE, REQUEST, 1, serial, call.pack()) for serial, call in enumerate(calls)]
    guest.offer.ring._backlog += octets  # published as one
    guest.offer.ring.notify_pending()
    closed(machine)


def test_indices_that_cannot_be(machine, guest):
    ring = guest.offer.ring
    ring._ring.page.out_prod = 0xFFFF_FFF0
    ring._events.notify()
    closed(machine)


def test_garbage_for_a_while(machine):
    """Whatever it is: the guest loses its ring, a neighbour goes on."""
    neighbour = machine.guest(7)
    guest = Scripted(machine)
    rng = random.Random(4)
    with neighbour.connect() as channel:
        stream = Stream(channel)
        guest.connect()
        for number in range(20):
            size = 8 * rng.randrange(2, 40)
            opcode = rng.choice([*bridge.MESSAGES, rng.randrange(1 << 16)])
            octets = message(opcode, REQUEST, rng.randrange(3), rng.randrange(99), rng.randbytes(size - 16))
            guest.offer.ring.send(octets)
            stream.play(2, start=2 * number)
            if machine.states(3)[1] is XenbusState.CLOSING:
                begin_anew(guest)
    guest.close()


def test_a_flood_of_connections(machine, guest):
    """Hundreds of processes a second that come and go: the supervisor has time for others."""
    neighbour = machine.guest(7)
    with neighbour.connect() as channel:
        stream = Stream(channel)
        for number in range(300):
            guest.send(1 + number % 60, bridge.Connect(1, 1, 7, 7))
            guest.receive()
            guest.send(1 + number % 60, bridge.Disconnect())
            guest.receive()
            if number % 50 == 0:
                stream.play(1, start=number)
    wait_until(lambda: machine.statistics().connections == 0, "somebody is still there")


def test_a_flood_of_notifications(machine, guest):
    guest.greet(1)
    for _ in range(5000):
        guest.offer.ring._events.notify()
    assert guest.call(1, bridge.Disconnect())[0].flags == REPLY


def test_one_that_does_not_read(machine, guest):
    """What it is owed fills its ring, then a bounded backlog; then that is the end."""
    while machine.states(3)[1] is XenbusState.CONNECTED:
        with suppress(WireFull):
            for _ in range(200):
                guest.send(0, bridge.Ping())
        guest.offer.ring.notify_pending()
    closed(machine)


# --- pages ----------------------------------------------------------------------------------------------


def test_grants_that_there_are_not(machine, guest):
    guest.greet(1)
    pages, events = guest.open(1)
    for directory in (1, 77777, 0xFFFF_FFFF):
        said = bridge.Grant(directory % 97 + 1, WRITABLE, PAGE_SIZE, directory)
        assert failed(guest.call(1, said)) is link.Error.INVALID
    assert machine.statistics().grants == 0
    for held in (pages, events):
        held.close()


def test_lengths_that_cannot_be(guest):
    guest.greet(1)
    held = guest.open(1)
    for length in (0, 1, PAGE_SIZE + 8, 1 << 40):
        assert failed(guest.call(1, bridge.Grant(1, WRITABLE, length, 9))) is link.Error.INVALID
    for each in held:
        each.close()


def test_a_directory_that_goes_round(machine, guest):
    """It names itself as its next page: the reader stops where the list must end."""
    page = guest.hypervisor.allocate(0, PAGE_SIZE)
    words = memoryview(bytearray(PAGE_SIZE)).cast("I")
    words[0] = page.references[0]
    for index in range(1, 1024):
        words[index] = page.references[0]
    guest.fill(page, bytes(words))
    guest.greet(1)
    held = guest.open(1)
    for length in (PAGE_SIZE, 1023 * PAGE_SIZE, 20000 * PAGE_SIZE):
        said = guest.call(1, bridge.Grant(1, WRITABLE, length, page.references[0]))
        assert failed(said) is link.Error.INVALID
    wait_until(lambda: machine.held() == (10, 2), f"held {machine.held()}")
    for each in (page, *held):
        each.close()


def test_a_channel_on_pages_that_there_are_not(machine, guest):
    guest.greet(1)
    assert failed(guest.call(1, bridge.ChannelOpen(2, 4711, 1))) is link.Error.INVALID
    assert failed(guest.call(1, bridge.ChannelOpen(99, 4711, 1))) is link.Error.INVALID
    held = guest.open(1)  # it may try again
    for each in held:
        each.close()


def test_a_channel_whose_ring_cannot_be_mapped(machine, guest):
    """The directory is right and names references of nobody: that shows in the worker, at the guest's own cost."""
    guest.greet(1)
    directory = write_directory(guest.hypervisor, 0, tuple(range(900_000, 900_005)))
    events = guest.hypervisor.unbound(0)
    header, _ = guest.call(1, bridge.ChannelOpen(2, directory.reference, events.remote_port))
    assert header.flags == REPLY
    header, payload = guest.receive()
    reason = bridge.Goodbye.unpack(payload).reason
    assert header.object == 1
    assert reason in {link.Refusal.PROTOCOL, link.Refusal.WORKER_LOST}  # a grant device refuses, a short file kills
    assert guest.call(1, bridge.Disconnect())[0].flags == REPLY
    guest.greet(2)
    for each in (*guest.open(2), directory, events):
        each.close()


def test_a_port_twice(guest):
    guest.greet(1)
    guest.greet(2)
    held = guest.open(1)
    pages = guest.hypervisor.allocate(0, mapping_size(2))
    format_pages(pages, 2)
    directory = write_directory(guest.hypervisor, 0, pages.references)
    said = bridge.ChannelOpen(2, directory.reference, held[1].remote_port)
    assert failed(guest.call(2, said)) is link.Error.INVALID
    for each in (*held, pages, directory):
        each.close()


def test_a_number_of_a_grant_twice(guest):
    guest.greet(1)
    held = guest.open(1)
    buffer = guest.hypervisor.allocate(0, PAGE_SIZE)
    assert guest.grant(1, 5, buffer)[0].flags == REPLY
    _, payload = guest.grant(1, 5, buffer)
    assert bridge.Goodbye.unpack(payload).reason is link.Refusal.PROTOCOL
    assert guest.call(1, bridge.Disconnect())[0].flags == REPLY
    for each in (*held, buffer):
        each.close()


# --- nodes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nodes",
    [
        {"ring-ref": "0"},
        {"ring-ref": "-1"},
        {"ring-ref": "99999999999999999999"},
        {"ring-ref": "\x1b[2J"},
        {"ring-ref": "4711"},
        {"ring-order": "31"},
        {"ring-order": ""},
        {"event-channel": "0"},
        {"event-channel": "4711"},
        {"version": "2"},
        {"version": "x" * 3000},
    ],
    ids=lambda nodes: "-".join(f"{name}={value[:12]!a}" for name, value in nodes.items()),
)
def test_nodes_that_cannot_be(machine, nodes):
    guest = Scripted(machine)
    guest.publish(**nodes)
    closed(machine)
    begin_anew(guest)
    guest.close()


def test_states_at_random(machine):
    """Whatever a guest writes as its state, its device can be used when it begins anew, and then be detached."""
    guest = Scripted(machine)
    rng = random.Random(3)
    for _ in range(60):
        guest.write("state", rng.choice(["", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "44", "-1", "x" * 2000]))
    machine.run(machine.store.remove(f"{frontend_path(3)}/state"))
    guest.state(XenbusState.CLOSING)
    guest.close()
    machine.guests[3] = Guest(machine, 3)
    with machine.guests[3].connect() as channel:
        Stream(channel).play(2)
    machine.detach(3)
    assert machine.held() == (0, 0)


def test_a_flood_of_states(machine):
    """A guest that rewrites its nodes all the time is looked at now and then; a neighbour plays on."""
    neighbour = machine.guest(7)
    guest = Scripted(machine)
    looks = []
    ours = next(each for key, (each, _) in machine.listener._guests.items() if key[0] == 3)
    look, ours._look = ours._look, lambda nodes: looks.append(0) or look(nodes)
    since = time.monotonic()
    with neighbour.connect() as channel:
        stream = Stream(channel)
        for number in range(400):
            guest.write("state", str(1 + number % 8))
            if number % 100 == 0:
                stream.play(2, start=number)
    assert len(looks) < 50 + 30 * (time.monotonic() - since)
    guest.close()


def test_a_guest_that_does_not_answer_is_detached_without_it(machine):
    """It goes on saying that it is connected."""
    guest = Scripted(machine).connect()
    guest.greet(1)
    pages, events = guest.open(1)
    machine.write("/local/domain/0/backend/paracore/3/0/online", "0")
    machine.wait_state(3, backend=XenbusState.CLOSING)
    wait_until(lambda: not machine.status()["domains"], "it is still served")
    machine.wait_state(3, backend=XenbusState.CLOSED)
    assert machine.held() == (0, 0)
    for each in (pages, events, guest):
        each.close()


def test_a_grant_is_given_back_once_though_the_connection_ends_over_it(machine):
    """What the worker has said before a revoke is heard in it, and that may be the connection's end: the quota is not paid twice."""
    guest = Scripted(machine).connect()
    guest.greet(1)
    pages, events = guest.open(1)
    buffer = guest.hypervisor.allocate(0, 8192)
    guest.grant(1, 1, buffer)
    ((port, connection),) = machine.supervisor._connections.items()
    os.close(machine.backend.call(lambda: port.map(1, 8192, WRITABLE)))

    def hear(_):
        port.unmap(1)
        connection.end(link.Refusal.PROTOCOL)

    machine.supervisor.revoking = hear
    header, _ = guest.call(1, bridge.Revoke(1))
    assert header.opcode == bridge.Goodbye.OPCODE
    assert guest.call(1, bridge.Disconnect())[0].flags == REPLY
    (domain,) = machine.supervisor.domains
    assert (domain.quota.buffers, domain.quota.bytes) == (0, 0)
    for each in (buffer, pages, events, guest):
        each.close()


def test_a_grant_counts_by_how_long_its_directory_is(machine, guest):
    """Also one that is refused for it: the work is done by then, and the quota is free again."""
    guest.greet(1)
    pages, events = guest.open(1)
    buffer = guest.hypervisor.allocate(0, 12 << 20)
    ((each, _),) = machine.listener._guests.values()
    bucket = each._exchange._bucket = Bucket(1.0, 100.0, lambda: 0.0)
    assert guest.grant(1, 1, buffer)[0].flags == REPLY
    assert bucket._level == 100 - 2 - 3
    assert guest.grant(1, 2, buffer, length=(12 << 20) + PAGE_SIZE)[0].flags == FAILURE
    assert bucket._level == 100 - 2 * (2 + 3)
    for made in (buffer, pages, events):
        made.close()
