# SPDX-License-Identifier: Apache-2.0
"""What a guest's program sees through the Python API: the same pictures as on a host, and errors that say what to do."""

import io
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

import paracore
from paracore.backend import PrivateBackend
from paracore.media import FrameHash, demux
from tests.integration.backends import wait_until
from tests.integration.xen.machine import Machine
from tests.unit.media.films import film

FILMS = {3: "h264.mp4", 7: "vp9.webm"}


def hashes(address, path):
    """A line for each picture of a film."""
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


def opened(address, **settings):
    """A domain, as soon as there is one."""
    found = []

    def try_it():
        try:
            found.append(paracore.open(address, **settings))
        except paracore.Error:
            return False
        return True

    wait_until(try_it, "nobody serves")
    return found[0]


@pytest.fixture
def guest(machine):
    return machine.guest(3)


def test_films_are_the_same_in_two_guests_at_once():
    machine = Machine(driver="libav")
    try:
        guests = {number: machine.guest(number) for number in FILMS}
        with ThreadPoolExecutor() as threads, PrivateBackend() as backend:
            made = {name: threads.submit(hashes, guests[number].address, film(name)) for number, name in FILMS.items()}
            for name, lines in made.items():
                assert lines.result() == hashes(backend.address, film(name))
        assert sum(domain["worker"]["report"]["counts"]["copies"] for domain in machine.status()["domains"]) == 0
    finally:
        machine.close()


def test_a_backend_that_stops_and_starts(machine, guest):
    with opened(guest.address) as domain:
        machine.stop()
        with pytest.raises(paracore.TransportBroken, match="stopping"):
            domain.devices["vpu0"].decoder("h264")
    with pytest.raises(paracore.TransportBroken, match="paracore attach"):
        paracore.open(guest.address)
    machine.start()
    with opened(guest.address) as domain:
        assert "vpu0" in domain.devices


def test_a_daemon_that_stops_and_starts(guest):
    with opened(guest.address) as domain:
        guest.stop()
        with pytest.raises(paracore.TransportBroken, match="stopping"):
            domain.devices["vpu0"].decoder("h264")
    guest.start()
    with opened(guest.address) as domain:
        assert "vpu0" in domain.devices


def test_a_lost_worker(machine, guest):
    with opened(guest.address, on_loss="fail") as domain:
        os.kill(*machine.workers(), signal.SIGKILL)
        with pytest.raises(paracore.DeviceLost, match="open a new channel"):
            domain.devices["vpu0"].decoder("h264")
    with opened(guest.address) as domain:
        assert "vpu0" in domain.devices


def test_a_lost_worker_is_followed_by_another(machine, guest):
    with opened(guest.address) as domain, domain.devices["vpu0"].decoder("h264") as decoder:
        os.kill(*machine.workers(), signal.SIGKILL)
        decoder.flush()
        assert decoder.recoveries == 1


@pytest.mark.parametrize("end", [Machine.detach, Machine.take_away])
def test_detached_and_attached_again(machine, guest, end):
    with opened(guest.address) as domain:
        end(machine, guest.domain)
        with pytest.raises(paracore.TransportBroken, match="detached"):
            wait_until(lambda: domain.devices["vpu0"].decoder("h264").close(), "it is served for ever")
    wait_until(lambda: not machine.supervisor.domains, "the domain is still there")
    machine.attach(guest.domain)
    with opened(guest.address) as domain:
        assert "vpu0" in domain.devices


def test_a_limit_of_the_toolstack_is_named(machine):
    guest = machine.guest(3, max_channels=1)
    with opened(guest.address), pytest.raises(paracore.QuotaExceeded, match="channels"):
        paracore.open(guest.address)
