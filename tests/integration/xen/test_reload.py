# SPDX-License-Identifier: Apache-2.0
"""The backend's supervisor becomes its next program image while guests are at work, who do not notice."""

import asyncio
import errno
import itertools
import os
import signal
import threading
from contextlib import closing, suppress

import pytest

from paracore import DeviceLost, TransportBroken
from paracore.backend import _supervisor, _workers
from paracore.classes import bridge, link
from paracore.protocol import REPLY, XenbusState
from paracore.transport.xen import write_directory
from tests.integration.backends import WRITABLE, Stream, alive, in_thread, kill, own_holdings, wait_until
from tests.integration.xen.machine import CONNECTED, Machine, Scripted
from tests.integration.xen.test_detach import Queue, begin, wait_refused
from tests.integration.xen.test_guest import NOTHING, ended, only_rings_held

GUEST = 3


def gone(machine):
    machine.detach(GUEST)
    assert machine.held() == NOTHING
    wait_until(lambda: not machine.status()["domains"], "it is still served")


def test_streams_go_on(machine):
    guest = machine.guest(GUEST, weight=200)
    with guest.connect() as channel:
        stream = Queue(channel)
        stream.play(3)
        workers, told = machine.workers(), machine.statistics()
        for number in range(3, 12):
            stream.feed(number)
        for _ in range(3):
            machine.reload()
        assert [stream.wait_picture() for _ in range(9)] == list(range(3, 12))
        stream.play(5, start=12)
        assert machine.workers() == workers
        now = machine.statistics()
        assert (now.grants, now.bytes, now.channels) == (told.grants, told.bytes, told.channels)
        assert (now.reloads, now.workers_started, now.workers_lost, now.violations) == (3, 1, 0, 0)
        assert machine.states(GUEST) == CONNECTED
    only_rings_held(machine)
    (domain,) = machine.status()["domains"]
    assert (domain["weight"], domain["held"]["buffers"]) == (200, 0)
    gone(machine)


class Greedy:
    """A program that has several units under way at any time, until it is told to end."""

    def __init__(self, guest):
        self._guest, self._ended = guest, threading.Event()
        self._program = in_thread(self._play)

    def _play(self):
        with self._guest.connect() as channel:
            stream = Queue(channel)
            stream.fill(4)
            for number in itertools.cycle(range(256)):
                assert stream.wait_picture() == number
                if self._ended.is_set():
                    return
                stream.feed((number + 4) % 256)

    def end(self):
        self._ended.set()
        self._program.join()


def time_of(machine):
    return {domain["name"]: domain["time"]["vpu0"] for domain in machine.status()["domains"]}


def test_guests_that_share_a_device_go_on_sharing_it():
    """Two of them wait for it, as a rule. Its time is that of its jobs."""
    with closing(Machine(slots=1, options={"job": 0.002})) as machine:
        programs = [Greedy(machine.guest(domain, name=f"guest{domain}")) for domain in (3, 7, 9)]
        wait_until(lambda: machine.statistics().channels == len(programs), "they do not begin")
        workers = machine.workers()
        for _ in range(5):
            before = time_of(machine)
            machine.reload()
            wait_until(
                lambda before=before: all(
                    now["turns"] > before[name]["turns"] for name, now in time_of(machine).items()
                ),
                "one has no turns any more",
            )
        for program in programs:
            program.end()
        assert machine.workers() == workers
        told = machine.statistics()
        assert (told.reloads, told.workers_started, told.workers_lost, told.violations) == (5, 3, 0, 0)


def hold_look(machine, seconds):
    """The guest's nodes are being looked at, and will be for so long from when the backend is about to reload."""
    ((guest, _),) = machine.listener._guests.values()
    look, supervisor = guest._look, machine.supervisor

    async def held(nodes):
        while not supervisor._draining:  # noqa: ASYNC110 - once
            await asyncio.sleep(0.01)
        await asyncio.sleep(seconds)
        return await look(nodes)

    guest._look = held
    machine.backend.call(guest._news.stir)
    wait_until(lambda: guest._settling, "nobody looks")


def test_a_look_at_xenstore_is_waited_for(machine):
    """A busy xenstored takes its seconds, and a guest whose look is not over cannot be handed over."""
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        workers = machine.workers()
        hold_look(machine, 2)
        machine.reload()
        stream.play(2, start=2)
        assert machine.workers() == workers
        assert machine.states(GUEST) == CONNECTED
    only_rings_held(machine)
    gone(machine)


def test_a_look_that_takes_for_ever_is_not(machine, monkeypatch):
    """Its guest begins anew."""
    monkeypatch.setattr(_supervisor, "_SETTLING", 0.1)
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        Stream(channel).play(2)
        hold_look(machine, 60)
        machine.reload()
        ended(channel)
    with guest.connect() as channel:
        Stream(channel).play(2)
    only_rings_held(machine)
    gone(machine)


def test_who_comes_meanwhile_is_served(machine):
    guest = Scripted(machine).connect()
    machine.reload(lambda: guest.send(1, bridge.Connect(1, 1, 77, 1000)))
    header, _ = guest.receive()
    assert (header.object, header.flags) == (1, REPLY)
    pages, events = guest.open(1)
    machine.reload(lambda: guest.send(1, bridge.Disconnect()))
    header, _ = guest.receive()
    assert (header.opcode, header.flags) == (bridge.Disconnect.OPCODE, REPLY)
    wait_until(lambda: not machine.statistics().channels, "the channel is still there")
    pages.close()
    events.close()
    only_rings_held(machine)
    guest.close()


def test_a_call_is_answered_once(machine):
    """It was taken in before, and nobody had looked at it."""
    guest = Scripted(machine).connect()
    guest.greet(1)
    pages, events = guest.open(1)
    buffer = guest.hypervisor.allocate(0, 8192)
    directory = write_directory(guest.hypervisor, 0, buffer.references)
    port, connection = next(iter(machine.supervisor._connections.items()))
    machine.backend.call(connection.pause)
    guest.send(1, bridge.Grant(1, WRITABLE, buffer.length, directory.reference))
    wait_until(lambda: port._call, "it is not taken in")
    machine.reload()
    header, _ = guest.receive()
    assert (header.opcode, header.flags, header.serial) == (bridge.Grant.OPCODE, REPLY, guest.serial)
    directory.close()
    for number in (2, 3):
        machine.reload()
        assert guest.grant(1, number, buffer)[0].flags == REPLY
    assert machine.statistics().grants == 3
    header, _ = guest.call(1, bridge.Revoke(1))
    assert header.flags == REPLY
    assert machine.statistics().grants == 2
    for each in (buffer, pages, events, guest):
        each.close()


def test_numbers_that_are_over_stay_taken_until_they_are_given_back(machine):
    guest = Scripted(machine).connect()
    guest.greet(1)
    machine.backend.call(lambda: next(iter(machine.supervisor._connections.values())).end(link.Refusal.LIMIT))
    header, _ = guest.receive()
    assert header.opcode == bridge.Goodbye.OPCODE
    wait_until(lambda: not machine.statistics().connections, "it lives")
    machine.reload()
    assert guest.call(1, bridge.Disconnect())[0].flags == REPLY
    assert guest.greet(1)[0].flags == REPLY
    guest.close()


def test_a_grant_is_mapped_after_it_as_before(machine):
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        Stream(channel).play(2)
        machine.reload()
        buffer = channel.buffer(8192, WRITABLE)
        machine.reload()
        Stream(channel).play(2)
        buffer.close()
    only_rings_held(machine)
    gone(machine)


def test_a_guest_that_is_destroyed_meanwhile(machine):
    machine.guest(7, name="other")
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        Stream(channel).play(2)
        worker = machine.workers()[0]
        machine.reload(lambda: machine.destroy(GUEST))
    wait_until(lambda: not alive(worker), "its worker lives")
    wait_until(lambda: [domain["name"] for domain in machine.status()["domains"]] == ["other"], "it is still served")
    only_rings_held(machine)


def test_a_guest_whose_daemon_is_killed_meanwhile(machine):
    guest = machine.guest(GUEST)
    channel = guest.connect().__enter__()
    Stream(channel).play(2)
    worker = machine.workers()[0]
    machine.reload(guest.kill)
    wait_until(lambda: not alive(worker) or not machine.statistics().channels, "its worker serves nobody")
    channel.close()
    guest.start()
    machine.wait_states(GUEST, *CONNECTED)
    with guest.connect() as channel:
        Stream(channel).play(2)
    only_rings_held(machine)


def test_a_guest_that_is_detached_meanwhile(machine):
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        stream = Queue(channel)
        stream.fill(10)
        machine.reload(lambda: begin(machine, 60))
        wait_refused(guest)
        assert [stream.wait_picture() for _ in range(10)] == list(range(10))
        assert ended(channel) is link.Refusal.DETACHED
    machine.wait_state(GUEST, backend=XenbusState.CLOSED)
    assert machine.held() == NOTHING


def test_a_guest_that_is_taken_away_meanwhile(machine):
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        Stream(channel).play(2)
        machine.reload(lambda: machine.take_away(GUEST))
        ended(channel)
    wait_until(lambda: not machine.status()["domains"], "it is still served")
    assert machine.held() == NOTHING


def test_a_worker_that_is_killed_meanwhile(machine):
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        Stream(channel).play(2)
        worker = machine.workers()[0]
        machine.reload(lambda: os.kill(worker, signal.SIGKILL))
        assert ended(channel) is link.Refusal.WORKER_LOST
    with guest.connect() as channel:
        Stream(channel).play(2)
    gone(machine)


@pytest.mark.parametrize("end", [Machine.reload, Machine.kill])
def test_nothing_stays_open_behind_images_that_have_ended(end):
    """Nor behind a daemon that is killed while a process of its leaves: what plays the kernel here closes what a kernel would."""
    before = own_holdings()
    machine = Machine()
    guest = machine.guest(GUEST)
    for _ in range(5):
        with guest.connect() as channel:
            with suppress(TransportBroken):  # it may be given the worker that was killed
                Stream(channel).play(1)
            workers = machine.workers()
            machine.backend.call(lambda workers=workers: [kill(worker) for worker in workers])
            end(machine)
        if end is Machine.kill:
            machine.start()
    machine.close()
    assert own_holdings() == before


def test_nothing_stays_open_of_a_guest_that_cannot_be_handed_over():
    """Its worker stands still, and has yet to let go of a process that has left."""
    before = own_holdings()
    machine = Machine()
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        Stream(channel).play(1)
        worker = machine.worker("guest3")
        os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: not machine.statistics().channels, "its leaving is not heard")
    machine.reload()
    wait_until(lambda: not alive(worker), "it is not ended with its domain")
    with guest.connect() as channel:
        Stream(channel).play(1)
    machine.close()
    assert own_holdings() == before


def test_a_guest_that_takes_its_ring_back_begins_anew(machine):
    """And nobody else does."""
    other = machine.guest(7, name="other")
    guest = Scripted(machine).connect()
    guest.greet(1)
    with other.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        machine.reload(guest.close)
        stream.play(2, start=2)
    wait_until(lambda: machine.states(GUEST)[1] is not XenbusState.CONNECTED, "it is believed to be there")
    only_rings_held(machine)


@pytest.mark.parametrize("octets", [b"", bytes(16)])
def test_one_that_breaks_the_protocol_meanwhile(machine, octets):
    guest = Scripted(machine).connect()
    guest.greet(1)

    def break_it():
        guest.offer.ring.send(octets + bytes([255] * 16))

    machine.reload(break_it)
    wait_until(lambda: machine.statistics().violations == 1, "nobody is told")
    machine.wait_state(GUEST, backend=XenbusState.CLOSING)
    guest.close()


def test_one_that_is_draining_is_not_handed_over(machine):
    """Its streams end as when the backend is stopped; what is left of it is found in xenstore."""
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        stream = Queue(channel)
        stream.fill(10)
        stream.wait_picture()
        begin(machine, 60)
        wait_refused(guest)
        machine.reload()
        ended(channel)
    machine.wait_state(GUEST, backend=XenbusState.CLOSED)
    assert machine.held() == NOTHING


def test_a_backend_whose_warm_parent_cannot_be_followed_ends(machine, monkeypatch):
    """It would serve nobody any more. What starts services starts it again."""

    def launch(_):
        raise BlockingIOError(errno.EAGAIN, "no room for a process")

    monkeypatch.setattr(_workers, "launch", launch)
    machine.supervisor.workers._warm_since = 0.0
    kill(machine.launched[-1].process.pid)
    with pytest.raises(DeviceLost, match="warm parent"):
        machine.backend.run(machine._ended())
