# SPDX-License-Identifier: Apache-2.0
"""A guest whose device is detached while its programs stream: what was queued comes out, in order and in time, or it is ended."""

import asyncio
import os
import signal
from contextlib import ExitStack
from itertools import islice

import pytest

import paracore
import paracore.aio
from paracore.backend import PrivateBackend
from paracore.classes import link, video
from paracore.drivers.null._session import UNIT
from paracore.media import FrameHash, demux
from paracore.protocol import XenbusState, backend_path
from paracore.transport import Refused
from paracore.transport.local import LocalTransport
from tests.integration.backends import PATIENCE, Stream, alive, wait_until
from tests.integration.xen.machine import CONNECTED, Machine
from tests.integration.xen.test_guest import NOTHING, ended
from tests.unit.media.films import film

GUEST = 3
SPACE = 64
GIVEN = 12
"""Units of the film: more than the codec keeps for their order, fewer than a decoder may have outstanding at once."""


class Queue(Stream):
    """Each unit has a place of its own, so that many can wait; and few spans, so that they do."""

    def __init__(self, channel):
        super().__init__(channel, pages=2)

    def feed(self, number):
        place = SPACE * (number % (4096 // SPACE))
        with self.inputs.view() as view:
            view[place : place + UNIT.size] = UNIT.pack(b"null", self.SIZE, self.SIZE, number)
        span = video.Span(self.inputs.id, UNIT.size, place)
        self.post(video.QueueInput(span, number, video.InputFlag(0), number, 1))
        self.channel.flush()

    def fill(self, count):
        """As many units as that, of which nobody has taken a picture."""
        for number in range(count):
            self.feed(number)


def begin(machine, seconds):
    """Detaches as ``paracore detach`` does, and does not wait."""
    machine.write(f"{backend_path(machine.place, GUEST)}/drain", str(seconds))
    machine.write(f"{backend_path(machine.place, GUEST)}/online", "0")


def wait_refused(guest):
    """Nobody else is let in any more."""
    wait_until(lambda: refused(guest), "others are let in")


def refused(guest):
    try:
        LocalTransport().connect(guest.address).__exit__(None, None, None)
    except Refused as refusal:
        return refusal.reason is link.Refusal.DETACHED
    return False


def gone(machine):
    machine.wait_state(GUEST, backend=XenbusState.CLOSED)
    assert machine.held() == NOTHING
    machine.take_away(GUEST)
    wait_until(lambda: not machine.status()["domains"], "it is still served")


def test_what_was_queued_comes_out(machine):
    """Ten units, and spans for two: the rest needs the program, which is served until it has them all."""
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        stream = Queue(channel)
        stream.fill(10)
        begin(machine, 60)
        wait_refused(guest)
        assert machine.states(GUEST) == CONNECTED
        assert [stream.wait_picture() for _ in range(10)] == list(range(10))
        assert ended(channel) is link.Refusal.DETACHED
    gone(machine)


def test_a_guest_that_streams_on_is_let_go_of(machine):
    """What it gives when it is being detached already keeps nobody waiting."""
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        stream = Queue(channel)
        stream.play(3)
        begin(machine, 60)
        with pytest.raises(paracore.TransportBroken):
            stream.play(250, start=3)
        assert channel.goodbye() is link.Refusal.DETACHED
    gone(machine)


def test_nobody_streams(machine):
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        begin(machine, 60)
        assert ended(channel) is link.Refusal.DETACHED
    gone(machine)


def test_a_program_that_takes_nothing_is_ended_in_time(machine):
    """Or one that is stopped, or whose guest is paused."""
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        stream = Queue(channel)
        stream.play(1)
        worker = machine.workers()[0]
        stream.fill(10)
        begin(machine, 1)
        machine.wait_state(GUEST, backend=XenbusState.CLOSED)
        assert [stream.wait_picture() for _ in range(2)] == [0, 1]
        assert ended(channel) is link.Refusal.DETACHED
    wait_until(lambda: not alive(worker), "its worker lives")
    gone(machine)


def test_a_worker_that_is_killed_meanwhile(machine):
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        stream = Queue(channel)
        stream.fill(10)
        stream.wait_picture()
        begin(machine, 60)
        wait_refused(guest)
        os.kill(machine.workers()[0], signal.SIGKILL)
        assert ended(channel) in {link.Refusal.WORKER_LOST, link.Refusal.DETACHED}
    gone(machine)


def test_a_guest_that_is_destroyed_meanwhile(machine):
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        stream = Queue(channel)
        stream.fill(10)
        begin(machine, 60)
        wait_refused(guest)
        machine.destroy(GUEST)
        wait_until(lambda: not machine.status()["domains"], "it is still served")
    wait_until(lambda: machine.held() == NOTHING, "pages are mapped")


def test_a_backend_that_stops_meanwhile(machine):
    guest = machine.guest(GUEST)
    with guest.connect() as channel:
        stream = Queue(channel)
        stream.fill(10)
        begin(machine, 60)
        wait_refused(guest)
        machine.stop()
        assert ended(channel) is link.Refusal.SHUTDOWN
    assert machine.held() == NOTHING


def test_others_go_on(machine):
    guest, other = machine.guest(GUEST), machine.guest(7)
    with guest.connect() as channel, other.connect() as beside:
        waiting, stream = Queue(channel), Stream(beside)
        waiting.fill(10)
        begin(machine, 60)
        wait_refused(guest)
        stream.play(20)
        assert [waiting.wait_picture() for _ in range(10)] == list(range(10))
        assert ended(channel) is link.Refusal.DETACHED
        stream.play(20, start=20)


# --- with a codec that keeps pictures for their order ---------------------------------------------------


def first_pictures(address, until):
    """Decodes the film's first units; what a program sees of them, and of the end."""
    hashes, fault = [], None
    with (
        paracore.open(address) as domain,
        demux(film("h264.mp4")) as stream,
        domain.devices["vpu0"].decoder(stream.codec) as decoder,
    ):
        for packet in islice(stream, GIVEN):
            decoder.send(packet)
        until(decoder)
        try:
            while picture := decoder.receive(PATIENCE):
                hashes.append(FrameHash.digest(picture))
        except paracore.Error as error:
            fault = error
    return hashes, fault


def test_a_decoder_gives_out_what_it_kept_for_its_order():
    machine = Machine(driver="libav")
    try:
        guest = machine.guest(GUEST)
        given, fault = first_pictures(guest.address, lambda _: begin(machine, 60))
        with PrivateBackend() as backend:
            assert (given, None) == first_pictures(backend.address, lambda decoder: decoder.drain())
        assert isinstance(fault, paracore.TransportBroken)
        assert "detached" in str(fault)
        assert len(given) == GIVEN
        gone(machine)
    finally:
        machine.close()


async def first_pictures_in_a_loop(address, begins):
    """As ``first_pictures``, with the asynchronous API."""
    hashes = []
    with demux(film("h264.mp4")) as stream:
        async with paracore.aio.open(address) as domain, domain.devices["vpu0"].decoder(stream.codec) as decoder:
            for packet in islice(stream, GIVEN):
                await decoder.send(packet)
            await asyncio.to_thread(begins)
            try:
                while picture := await decoder.receive(PATIENCE):
                    hashes.append(FrameHash.digest(picture))
            except paracore.TransportBroken as fault:
                return hashes, str(fault)


def test_a_decoder_of_the_asynchronous_api():
    machine = Machine(driver="libav")
    try:
        guest = machine.guest(GUEST)
        given, fault = asyncio.run(first_pictures_in_a_loop(guest.address, lambda: begin(machine, 60)))
        assert len(given) == GIVEN
        assert "detached" in fault
        gone(machine)
    finally:
        machine.close()


def test_an_encoder_gives_out_what_it_looked_ahead_at():
    """Beside a decoder that was never given anything, and an encoder likewise."""
    machine = Machine(driver="libav")
    size = {"width": 64, "height": 48, "rate": 25}
    try:
        guest = machine.guest(GUEST)
        with paracore.open(guest.address) as domain, ExitStack() as stack:
            device = domain.devices["vpu0"]
            for idle in (device.decoder("h264"), device.encoder("h264", **size)):
                stack.enter_context(idle)
            encoder = stack.enter_context(device.encoder("h264", **size))
            for _ in range(3):
                encoder.send(encoder.picture())
            begin(machine, 60)
            packets = [encoder.receive(PATIENCE).timestamp for _ in range(3)]
            with pytest.raises(paracore.TransportBroken, match="detached"):
                encoder.receive(PATIENCE)
        assert sorted(packets) == [0, 1, 2]
        gone(machine)
    finally:
        machine.close()
