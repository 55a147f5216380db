# SPDX-License-Identifier: Apache-2.0
"""A device that can do so much: sessions that declare a rate are let in up to that, of all domains together."""

import itertools
import os
import signal
from contextlib import contextmanager

import pytest

import paracore
from paracore import QuotaExceeded
from paracore.classes import link, video
from paracore.cli import main
from paracore.drivers.null._session import UNIT, gray
from paracore.transport import CallRefused
from tests.integration.backends import BETA, Guest, needs_root, wait_until

HALF = 64 * 64 * 30
BUDGET = f"pixel_rate = {2 * HALF}"


def encoder(channel):
    opening = video.Open(0, video.Codec.H264, video.Direction.ENCODE, video.OpenFlag(0))
    return video.OpenReply.unpack(channel.call(opening.OPCODE, 0, opening.pack())).session


def declare(channel, session, rate):
    request = video.FormatSet(gray(64, 64)._replace(rate_num=rate, rate_den=1))
    channel.call(request.OPCODE, session, request.pack())


@contextmanager
def refused_by_the_budget(allowed=2 * HALF):
    with pytest.raises(CallRefused) as caught:
        yield
    failure = caught.value.failure
    assert failure == link.Failure(link.Error.NO_SPACE, link.Limit.PIXEL_RATE, allowed)


@pytest.fixture
def backend(make_backend):
    return make_backend(device=BUDGET)


def declare_by_control(channel, session, rate):
    request = video.ControlSet(video.Control.RATE, rate * 1000)
    channel.call(request.OPCODE, session, request.pack())


def reserved(backend, name="alpha"):
    return backend.domain(name)["reserved"].get("vpu0", 0)


def test_what_does_not_fit_is_refused_until_something_is_given_back(backend):
    with backend.connect() as channel, backend.connect() as other:
        first, second, third = encoder(channel), encoder(other), encoder(other)
        declare(channel, first, 30)
        declare(other, second, 30)
        with refused_by_the_budget():
            declare(other, third, 1)
        declare(channel, first, 20)  # less
        declare(other, third, 10)
        assert reserved(backend) == 2 * HALF
        channel.call(video.Close.OPCODE, first, b"")
        declare(other, third, 30)
        assert reserved(backend) == 2 * HALF
    wait_until(lambda: reserved(backend) == 0, "channels that end give all back")
    assert backend.status()["devices"][0]["pixel_rate"] == 2 * HALF


def test_an_encoder_reserves_what_it_declares_by_the_control(backend):
    with backend.connect() as channel:
        before, after, late = encoder(channel), encoder(channel), encoder(channel)
        declare_by_control(channel, before, 30)
        for session in (before, after, late):
            declare(channel, session, 0)
        declare_by_control(channel, after, 30)
        assert reserved(backend) == 2 * HALF
        with refused_by_the_budget():
            declare_by_control(channel, late, 1)
        declare_by_control(channel, after, 20)
        declare_by_control(channel, late, 10)


def hold(backend):
    def step(guest):
        with backend.connect() as channel:
            declare(channel, encoder(channel), 60)
            guest.wait_go()

    return step


@needs_root
def test_a_killed_process_gives_back_what_it_reserved(backend):
    guest = Guest(BETA, hold(backend))
    wait_until(lambda: reserved(backend, "beta") == 2 * HALF, "another domain has all of it")
    with backend.connect() as channel:
        session = encoder(channel)
        with refused_by_the_budget():
            declare(channel, session, 1)
        guest.kill()
        wait_until(lambda: reserved(backend, "beta") == 0, "it has it no more")
        declare(channel, session, 60)


@needs_root
def test_a_killed_worker_gives_back_what_was_reserved(backend):
    guest = Guest(BETA, hold(backend))
    wait_until(lambda: reserved(backend, "beta") == 2 * HALF, "another domain has all of it")
    os.kill(backend.worker("beta"), signal.SIGKILL)
    wait_until(lambda: reserved(backend, "beta") == 0, "it has it no more")
    with backend.connect() as channel:
        declare(channel, encoder(channel), 60)
    guest.kill()


@pytest.mark.parametrize("device", [BUDGET, ""])
def test_a_domain_does_not_reserve_more_than_its_own_limit(make_backend, device):
    backend = make_backend(device=device, limits=f"pixel_rate = {HALF}")
    with backend.connect() as channel:
        session = encoder(channel)
        with refused_by_the_budget(HALF):
            declare(channel, session, 31)
        declare(channel, session, 30)


def test_python_names_the_limit(make_backend):
    backend = make_backend(driver="libav", device=f"pixel_rate = {352 * 288 * 30}")
    with paracore.open(backend.address) as domain:
        device = domain.devices["vpu0"]
        with device.encoder("h264", width=352, height=288, rate=25):
            with pytest.raises(QuotaExceeded, match="pixel_rate"):
                device.encoder("h264", width=352, height=288, rate=10)
            device.encoder("h264", width=352, height=288, rate=5).close()
        device.encoder("h264", width=352, height=288, rate=30).close()


def test_what_a_device_can_do_is_changed_while_it_is_used(make_backend):
    """Sessions are counted also while nobody has said what it can do; who has been let in stays."""
    backend = make_backend()
    change = ["device", "set", "vpu0", "--address", backend.address, "--pixel-rate"]
    with backend.connect() as channel:
        first, second = encoder(channel), encoder(channel)
        declare(channel, first, 60)
        assert reserved(backend) == 2 * HALF
        assert main([*change, str(HALF)]) == 0
        with refused_by_the_budget(HALF):
            declare(channel, second, 1)
        assert main([*change, str(3 * HALF)]) == 0
        declare(channel, second, 30)
        with refused_by_the_budget(3 * HALF):
            declare(channel, first, 61)
        assert main([*change, "0"]) == 0
        declare(channel, first, 600)


def test_decoders_that_declare_a_rate_are_weighed_by_their_streams(make_backend):
    backend = make_backend(device=f"pixel_rate = {2 * HALF}")
    units = [paracore.Packet(UNIT.pack(b"null", 64, 64, shade), shade) for shade in range(5)]
    with paracore.open(backend.address) as domain:
        device = domain.devices["vpu0"]
        with device.decoder("h264", rate=30) as first, device.decoder("h264") as careless:
            assert len(list(first.decode(units))) == 5
            assert len(list(careless.decode(units))) == 5, "who declares nothing is not weighed"
            wait_until(lambda: reserved(backend) == HALF, "its size and its rate")
            with device.decoder("h264", rate=31) as second, pytest.raises(QuotaExceeded, match="pixel_rate") as caught:
                list(second.decode(itertools.cycle(units)))
            assert (caught.value.limit, caught.value.allowed) == ("pixel_rate", 2 * HALF)
            assert reserved(backend) == HALF
            with device.decoder("h264", rate=30) as third:
                assert len(list(third.decode(units))) == 5
        wait_until(lambda: reserved(backend) == 0, "they give all back")
