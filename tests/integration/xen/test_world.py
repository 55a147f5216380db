# SPDX-License-Identifier: Apache-2.0
"""From a guest's program to the worker and back, without Xen: daemon, toolstack, supervisor and worker are the real ones."""

import io
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import paracore
from paracore.backend import PrivateBackend
from paracore.media import FrameHash, demux
from tests.integration.backends import wait_until
from tests.integration.xen.world import XenWorld
from tests.unit.media.films import film

pytest.importorskip("paracore.transport.xen._listener")


@pytest.fixture
def make_world():
    made = []

    def make(**options):
        made.append(XenWorld(**options))
        return made[-1]

    yield make
    for world in made:
        world.close()
        counts = world.hypervisor.statistics()
        assert (counts.mapped, counts.bound) == (counts.unmapped, counts.unbound)
        for guest in world.guests.values():
            counts = guest.hypervisor.statistics()
            assert (counts.granted, counts.bound) == (counts.revoked, counts.unbound)


@pytest.fixture
def world(make_world):
    """A guest that is attached, and everybody runs."""
    world = make_world()
    world.start_backend()
    world.guest(1).start()
    world.attach(1)
    return world


def hashes(address, path):
    out = io.StringIO()
    with (
        paracore.open(address) as domain,
        demux(path) as stream,
        domain.devices["vpu0"].decoder(stream.codec) as decoder,
    ):
        lines = FrameHash.of_stream(out, stream)
        for picture in decoder.decode(stream):
            lines.write(picture)
    return out.getvalue().splitlines()


def reopened(address):
    """A domain, as soon as there is one."""
    found = []

    def try_it():
        try:
            found.append(paracore.open(address))
        except paracore.Error:
            return False
        return True

    wait_until(try_it, "nobody serves")
    return found[0]


def test_a_film_decodes_to_the_same_pictures(make_world):
    world = make_world(driver="libav")
    world.start_backend()
    guest = world.guest(1).start()
    world.attach(1)
    with PrivateBackend() as backend:
        assert hashes(guest.address, film("h264.mp4")) == hashes(backend.address, film("h264.mp4"))


def test_two_guests_at_once(make_world):
    world = make_world(driver="libav")
    world.start_backend()
    names = {1: "h264.mp4", 2: "vp9.webm"}
    for number in names:
        world.guest(number).start()
        world.attach(number)
    with ThreadPoolExecutor() as threads, PrivateBackend() as backend:
        made = {
            number: threads.submit(hashes, world.guests[number].address, film(name)) for number, name in names.items()
        }
        for number, name in names.items():
            assert made[number].result() == hashes(backend.address, film(name))
    assert world.supervisor.statistics().workers_lost == 0


def nothing_is_held(world):
    held = world.supervisor.statistics()
    guest = world.guests[1].hypervisor.statistics()
    ring = 1 + 4 + 1
    return (held.channels, held.grants) == (0, 0) and guest.granted - guest.revoked == ring


def test_a_killed_program_leaves_nothing(world):
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, world.guests[1].address], stdout=subprocess.PIPE)
    assert program.stdout.readline() == b"ready\n"
    assert world.supervisor.statistics().grants == 1
    program.kill()
    program.wait()
    program.stdout.close()
    wait_until(lambda: nothing_is_held(world), "something is held")


PROGRAM = """
import sys, time
from paracore.classes.link import BufferFlag
from paracore.transport.local import LocalTransport
with LocalTransport().connect(sys.argv[1]) as channel:
    buffer = channel.buffer(1 << 20, BufferFlag(0))
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_backend_that_stops_and_starts(world):
    with paracore.open(world.guests[1].address) as domain:
        world.stop_backend()
        with pytest.raises(paracore.TransportBroken, match="stopping"):
            domain.devices["vpu0"].decoder("h264")
    with pytest.raises(paracore.TransportBroken, match="no backend"):
        paracore.open(world.guests[1].address)
    world.start_backend()
    with reopened(world.guests[1].address) as domain:
        assert "vpu0" in domain.devices


def test_a_daemon_that_stops_and_starts(world):
    guest = world.guests[1]
    with paracore.open(guest.address) as domain:
        guest.stop()
        with pytest.raises(paracore.TransportBroken, match="stopping"):
            domain.devices["vpu0"].decoder("h264")
    guest.start()
    with reopened(guest.address) as domain:
        assert "vpu0" in domain.devices


def test_a_lost_worker(world):
    address = world.guests[1].address
    with paracore.open(address) as domain:
        (worker,) = world.supervisor._workers.values()
        wait_until(lambda: worker.pid, "the worker has no number")
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(paracore.DeviceLost):
            domain.devices["vpu0"].decoder("h264")
    with reopened(address) as domain:
        assert "vpu0" in domain.devices


@pytest.mark.parametrize("force", [False, True])
def test_detached_and_attached_again(world, force):
    address = world.guests[1].address
    with paracore.open(address) as domain:
        world.detach(1, force=force)
        with pytest.raises(paracore.TransportBroken, match="detached"):
            domain.devices["vpu0"].decoder("h264")
    wait_until(lambda: not world.supervisor.domains, "the domain is still there")
    world.attach(1)
    with reopened(address) as domain:
        assert "vpu0" in domain.devices


def test_a_destroyed_guest_leaves_nothing(world):
    with paracore.open(world.guests[1].address) as domain:
        assert domain.devices
        world.guests[1].destroy()
        wait_until(lambda: not world.supervisor.domains, "the domain is still there")
        counts = world.hypervisor.statistics()
        wait_until(lambda: world.hypervisor.statistics().mapped == world.hypervisor.statistics().unmapped, counts)


def test_many_cycles(world):
    for _ in range(10):
        with reopened(world.guests[1].address) as domain:
            assert domain.devices
        world.detach(1)
        world.attach(1)
    counts = world.hypervisor.statistics()
    assert counts.mapped - counts.unmapped == 1 + 4


def test_a_limit_of_the_toolstack(make_world):
    world = make_world()
    world.start_backend()
    guest = world.guest(1).start()
    world.attach(1, max_channels=1)
    with paracore.open(guest.address), pytest.raises(paracore.QuotaExceeded, match="channels"):
        paracore.open(guest.address)
