# SPDX-License-Identifier: Apache-2.0
"""Guests of a machine without Xen, from their programs to the workers that serve them: who notices what, who goes on.

Each test of a fault is a row of the failure table in ARCHITECTURE.md.
"""

import os
import signal

import pytest

from paracore import TransportBroken
from paracore.classes import link
from paracore.protocol import XenbusState, backend_path
from paracore.transport import CallRefused, Refused
from paracore.transport.local import LocalTransport
from tests.integration.backends import (
    PATIENCE,
    WRITABLE,
    Stream,
    alive,
    descriptors,
    limits_of,
    shared_mappings,
    wait_until,
)
from tests.integration.xen.machine import CONNECTED, Guest, Machine, Scripted

NOTHING = (0, 0)


def ended(channel):
    """Waits until the channel is over; returns why."""
    with pytest.raises(TransportBroken):
        list(iter(lambda: channel.next_event(PATIENCE), None))
    return channel.goodbye()


def only_rings_held(machine, guests=1):
    """Control rings are all that the backend has mapped."""
    wait_until(lambda: machine.held() == (5 * guests, guests), f"held {machine.held()}")


def test_a_guest_decodes(machine):
    guest = machine.guest(3)
    with guest.connect() as channel:
        assert channel.domain == "guest3"
        stream = Stream(channel)
        stream.play(50)
        assert shared_mappings(machine.workers()[0]) == 3
        stream.close()
        wait_until(lambda: shared_mappings(machine.workers()[0]) == 1, "buffers are mapped")
    only_rings_held(machine)


def test_the_devices_power_is_told_for_how_long_it_was_used(monkeypatch):
    machine, told = Machine(options={"job": 0.005}), []
    monkeypatch.setattr(machine.supervisor.power, "work", lambda *said: told.append(said))
    try:
        with machine.guest(3).connect() as channel:
            Stream(channel).play(10)
            wait_until(lambda: told, "nothing is told")
    finally:
        machine.close()
    assert all(domain.name == "guest3" and device == 0 and used > 0 for domain, device, used in told)


def test_two_guests_have_workers_of_their_own(machine):
    guests = machine.guest(3), machine.guest(7, name="other")
    with guests[0].connect() as one, guests[1].connect() as other:
        streams = Stream(one), Stream(other)
        for number in range(20):
            for stream in streams:
                stream.play(1, start=number)
        assert (one.domain, other.domain) == ("guest3", "other")
        domains = machine.status()["domains"]
    assert [domain["identities"] for domain in domains] == [["domid:3"], ["domid:7"]]
    assert len(set(machine.workers())) == 2
    assert [domain["held"]["channels"] for domain in domains] == [1, 1]


def test_limits_are_those_of_the_toolstack(machine):
    guest = machine.guest(3, max_sessions=5, max_bytes=1 << 20)
    with guest.connect() as channel:
        assert (limits_of(channel).sessions, limits_of(channel).bytes) == (5, 1 << 20)
        with pytest.raises(CallRefused) as caught:
            channel.buffer(2 << 20, WRITABLE)
        assert caught.value.failure.error is link.Error.NO_SPACE


def test_what_a_guest_uses_is_in_xenstore(machine):
    guest = machine.guest(3)
    stats = f"{backend_path(0, 3)}/stats"
    with guest.connect() as channel:
        stream = Stream(channel)
        stream.play(10)
        wait_until(lambda: machine.read(f"{stats}/channels") == "1", "the channel is not told")
        assert int(machine.read(f"{stats}/bytes")) > 0
        assert machine.read(f"{stats}/workers-lost") == "0"
    wait_until(lambda: machine.read(f"{stats}/bytes") == "0", "that it holds nothing is not told")
    wait_until(lambda: machine.read(f"{stats}/pictures") == "10", "what it has done is not told")
    assert machine.read(f"{stats}/units") == "10"
    assert (machine.read(f"{stats}/errors"), machine.read(f"{stats}/sessions-failed")) == ("0", "0")


def test_an_unknown_device_is_told_to_the_toolstack(machine):
    machine.introduce(3)
    machine.attach(3, devices=("vpu9",))
    wait_until(lambda: machine.read(f"{backend_path(0, 3)}/error"), "no error is told")
    assert "vpu9" in machine.read(f"{backend_path(0, 3)}/error")
    machine.write(f"{backend_path(0, 3)}/devices", "vpu0")
    machine.wait_state(3, backend=XenbusState.INIT_WAIT)
    assert machine.read(f"{backend_path(0, 3)}/error") is None


# --- guests go ------------------------------------------------------------------------------------------


def test_a_destroyed_guest_is_let_go_of_at_once(machine):
    guest, neighbour = machine.guest(3), machine.guest(7)
    with neighbour.connect() as other, guest.connect() as channel:
        streams = Stream(other), Stream(channel)
        for stream in streams:
            stream.play(10)
        worker = machine.worker("guest3")
        streams[1].feed(10)
        machine.destroy(3)
        wait_until(lambda: not alive(worker), "its worker lives")
        wait_until(lambda: len(machine.status()["domains"]) == 1, "it is still served")
        streams[0].play(10, start=10)
        wait_until(lambda: machine.read(backend_path(0, 3)) is None, "its nodes are still there")
    only_rings_held(machine)


def test_a_guest_that_is_shut_down(machine):
    """Its daemon is told to stop; then the domain ends."""
    guest = machine.guest(3)
    with guest.connect() as channel:
        Stream(channel).play(5)
        guest.stop()
        assert ended(channel) is link.Refusal.SHUTDOWN
    machine.wait_states(3, XenbusState.CLOSED, XenbusState.CLOSED)
    assert machine.held() == NOTHING
    machine.destroy(3)
    wait_until(lambda: not machine.status()["domains"], "it is still served")


def test_a_killed_program_leaves_nothing(machine):
    guest = machine.guest(3)
    with guest.connect() as channel:
        Stream(channel).play(5)
    only_rings_held(machine)
    wait_until(lambda: machine.status()["domains"][0]["held"]["connections"] == 0, "it is still connected")


def test_a_daemon_that_is_killed_and_started_again(machine):
    guest = machine.guest(3)
    for round_ in range(3):
        with guest.connect() as channel:
            Stream(channel).play(5, start=round_)
            guest.kill()
            ended(channel)
        guest.start()
        machine.wait_states(3, *CONNECTED)
        only_rings_held(machine)
    with guest.connect() as channel:
        Stream(channel).play(5)


def test_a_daemon_that_dies_before_its_pages_are_taken(machine):
    """What it has published cannot be mapped; the one that comes next is served, whoever is quicker."""
    for domain in range(3, 9):
        dead = Scripted(machine, domain)
        dead.close()
        dead.publish()
        guest = machine.guests[domain] = Guest(machine, domain)
        machine.wait_states(domain, *CONNECTED)
        with guest.connect() as channel:
            Stream(channel).play(2)


def test_a_device_that_is_written_anew(machine):
    """As a toolstack does which restores a guest: both ends find their nodes at the beginning, and hold what is no more."""
    guest = machine.guest(3)
    for _ in range(3):
        with guest.connect() as channel:
            Stream(channel).play(5)
            machine.attach(3)
            ended(channel)
        wait_until(lambda: machine.states(3) == CONNECTED, "it does not come back")
        only_rings_held(machine)
    with guest.connect() as channel:
        Stream(channel).play(5)


# --- the toolstack --------------------------------------------------------------------------------------


def test_detach(machine):
    guest = machine.guest(3)
    with guest.connect() as channel:
        Stream(channel).play(5)
        machine.detach(3)
        assert ended(channel) is link.Refusal.DETACHED
    assert machine.held() == NOTHING
    assert machine.status()["domains"] == []


def test_detach_by_force(machine):
    guest = machine.guest(3)
    with guest.connect() as channel:
        Stream(channel).play(5)
        worker = machine.workers()[0]
        machine.take_away(3)
        assert ended(channel) is link.Refusal.DETACHED
    wait_until(lambda: not alive(worker), "its worker lives")
    wait_until(lambda: machine.held() == NOTHING, "pages are mapped")
    assert machine.status()["domains"] == []


def test_detach_as_xl_does(machine):
    """It writes the backend's state."""
    guest = machine.guest(3)
    with guest.connect() as channel:
        Stream(channel).play(5)
        machine.write(f"{backend_path(0, 3)}/online", "0")
        machine.write(f"{backend_path(0, 3)}/state", "5")
        assert ended(channel) is link.Refusal.DETACHED
    machine.wait_state(3, backend=XenbusState.CLOSED)
    assert machine.held() == NOTHING


def test_attached_again_with_other_limits(machine):
    guest = machine.guest(3)
    machine.detach(3)
    with pytest.raises(Refused):
        LocalTransport().connect(guest.address)
    machine.attach(3, max_sessions=2)
    machine.wait_states(3, *CONNECTED)
    with guest.connect() as channel:
        assert limits_of(channel).sessions == 2


@pytest.mark.timeout(300)
def test_attached_and_detached_for_ever(machine):
    guest = machine.guest(3)
    with guest.connect() as channel:
        Stream(channel).play(1)
    machine.detach(3)
    before, rounds = descriptors(os.getpid()), int(os.environ.get("PARACORE_ATTACH_ROUNDS", "200"))
    for number in range(rounds):
        machine.attach(3)
        machine.wait_states(3, *CONNECTED)
        if number % 10 == 0:
            with guest.connect() as channel:
                Stream(channel).play(1)
        machine.detach(3)
    assert machine.held() == NOTHING
    assert guest.hypervisor.statistics().granted == guest.hypervisor.statistics().revoked
    assert len(machine.xen) == 0
    assert descriptors(os.getpid()) <= before + 2
    counted = machine.statistics()
    assert (counted.connections, counted.channels, counted.grants, counted.bytes) == (0, 0, 0, 0)
    assert machine.status()["domains"] == []


# --- the backend ----------------------------------------------------------------------------------------


def test_a_killed_worker_ends_only_its_guest(machine):
    guest, neighbour = machine.guest(3), machine.guest(7)
    with neighbour.connect() as other, guest.connect() as channel:
        streams = Stream(other), Stream(channel)
        for stream in streams:
            stream.play(5)
        os.kill(machine.worker("guest3"), signal.SIGKILL)
        assert ended(channel) is link.Refusal.WORKER_LOST
        streams[0].play(5, start=5)
        with guest.connect() as again:
            Stream(again).play(5)


def test_a_backend_that_is_stopped_and_started_again(machine):
    guest = machine.guest(3)
    with guest.connect() as channel:
        Stream(channel).play(5)
        machine.stop()
        assert ended(channel) is link.Refusal.SHUTDOWN
    assert machine.states(3)[1] is XenbusState.CLOSED
    assert machine.held() == NOTHING
    machine.start()
    machine.wait_states(3, *CONNECTED)
    with guest.connect() as channel:
        Stream(channel).play(5)


def test_a_backend_that_is_killed_and_started_again(machine):
    guest = machine.guest(3)
    with guest.connect() as channel:
        Stream(channel).play(5)
        machine.kill()
        assert machine.states(3)[1] is XenbusState.CONNECTED
        machine.start()
        ended(channel)
    machine.wait_states(3, *CONNECTED)
    with guest.connect() as channel:
        Stream(channel).play(5)
    only_rings_held(machine)


def test_xenstore_goes_and_comes_back(machine):
    guest = machine.guest(3)
    machine.xenstored.disconnect()
    machine.store = machine.run(machine._connect())
    guest.kill()
    guest.start()
    machine.wait_states(3, *CONNECTED)
    with guest.connect() as channel:
        Stream(channel).play(5)


def test_a_backend_in_a_driver_domain():
    """It is told of no domain's end; it sees nodes vanish, and may not look at those that are not its own."""
    machine = Machine(place=5)
    try:
        guest = machine.guest(3)
        with guest.connect() as channel:
            Stream(channel).play(5)
            machine.destroy(3)
        wait_until(lambda: machine.held() == NOTHING, f"held {machine.held()}")
        machine.run(machine.store.remove(backend_path(5, 3)))
        wait_until(lambda: not machine.status()["domains"], "it is still served")
    finally:
        machine.close()
