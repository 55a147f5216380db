# SPDX-License-Identifier: Apache-2.0
"""Devices that hang, fail and lie: the session is reset first, the worker ended if it must be, the device reset last.

The null device does as it is told; what is done about it is the real backend's.
"""

import time
from pathlib import Path

import pytest

import paracore
from paracore import TransportBroken
from paracore.classes import core, link, video
from paracore.drivers.null._session import UNIT
from paracore.transport import CallRefused
from tests.integration.backends import PATIENCE, Stream, alive, wait_until
from tests.integration.test_faults import broken

pytestmark = pytest.mark.alone

DEADLINE = 0.3


@pytest.fixture
def device(make_backend):
    """Makes a backend whose null device has faults."""

    def make(faults, deadline=DEADLINE, slots=0):
        return make_backend(options=f"options = {{ {faults} }}", device=f"job_deadline = {deadline}\nslots = {slots}")

    return make


def silence(channel, seconds=0.5):
    """Nothing fails in this time."""
    while event := channel.next_event(seconds):
        assert event.opcode in (video.InputDone.OPCODE, video.OutputReady.OPCODE)


def failure(channel, stream):
    """Why the session fails, once it does; other sessions of the channel are silent."""
    while (event := channel.next_event(PATIENCE)).opcode != video.SessionFailed.OPCODE:
        assert event.opcode != core.PostFailed.OPCODE
    assert event.object == stream.session
    return video.SessionFailed.unpack(event.payload).error


def passed(seconds, since):
    wait_until(lambda: time.monotonic() - since >= seconds, "time passes")


@pytest.mark.parametrize("slots", [0, 1])
def test_a_hang_costs_one_session(device, slots):
    backend = device("hang_at = 5", slots=slots)
    with backend.connect() as channel:
        good, bad = Stream(channel), Stream(channel)
        good.play(2)
        bad.play(4)
        since = time.monotonic()
        bad.feed(5)
        assert failure(channel, bad) is video.Error.TIMED_OUT
        assert DEADLINE <= time.monotonic() - since < DEADLINE + 1.0
        with pytest.raises(CallRefused) as caught:
            channel.call(video.FormatGet.OPCODE, bad.session, b"")
        assert caught.value.failure.error is video.Error.IO
        bad.close()  # and its spans are free: both buffers can be detached
        good.play(2)
        assert backend.domain()["worker"]["report"]["counts"]["hangs"] == 1
    (told,) = backend.status()["devices"]
    assert (told["hangs"], told["resets"]) == (1, 0)
    assert "device vpu0 hangs: the session is reset" in backend.log.read_text()


def test_an_application_is_told_by_name(device):
    backend = device("hang_at = 3")
    units = [paracore.Packet(UNIT.pack(b"null", 16, 16, shade), shade) for shade in range(5)]
    with paracore.open(backend.address) as domain:
        with domain.devices["vpu0"].decoder("h264") as decoder, pytest.raises(paracore.DeviceTimeout, match="hung"):
            list(decoder.decode(units))
        with domain.devices["vpu0"].decoder("h264") as decoder:
            shown = [picture.timestamp for picture in decoder.decode(units[:2])]
            assert shown == [0, 1]


def test_a_wait_for_the_domain_is_no_hang(device):
    """Nobody queues a span for the picture."""
    backend = device("hang_at = 9", deadline=0.1)
    with backend.connect() as channel:
        stream = Stream(channel, pages=1)
        stream.play(1)
        stream.channel.call(video.Recall.OPCODE, stream.session, b"")
        stream.feed(2)
        silence(channel)
        stream.lend(0)
        assert stream.wait_picture() == 2
    assert backend.status()["devices"][0]["hangs"] == 0


def test_without_a_deadline_nothing_hangs(device):
    backend = device("hang_at = 1", deadline=0)
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.feed(1)
        silence(channel)
        channel.call(video.Flush.OPCODE, stream.session, b"")
        assert channel.next_event(PATIENCE).opcode == video.InputDone.OPCODE
        stream.close()


def test_a_job_that_cannot_be_stopped_ends_the_worker(device):
    backend = device("hang_at = 3, stubborn = true")
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        worker = backend.worker()
        stream.feed(3)
        assert broken(channel) < DEADLINE + 2.0
        assert channel.goodbye() is link.Refusal.WORKER_LOST
        wait_until(lambda: not alive(worker), "the worker is ended")
    with backend.connect() as channel:
        Stream(channel).play(2)
    assert backend.status()["devices"][0]["hangs"] == 1


def test_a_call_that_never_comes_back_ends_the_worker(device):
    """The driver is asked for a flush before the deadline, and waits for the job."""
    backend = device("hang_at = 3, stubborn = true")
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        stream.feed(3)
        with pytest.raises(TransportBroken):
            channel.call(video.Flush.OPCODE, stream.session, b"")
        assert channel.goodbye() is link.Refusal.WORKER_LOST
    wait_until(lambda: backend.status()["devices"][0]["hangs"] == 1, "it is known why")
    assert "the driver of device vpu0 did not come back" in backend.log.read_text()


def test_calls_that_never_come_back_reset_one_of_two_devices(make_backend):
    faults = "options = { hang_at = 3, stubborn = true }"
    second = f'[[device]]\nname = "vpu1"\ndriver = "null"\njob_deadline = {DEADLINE}\n{faults}'
    backend = make_backend(options=f"{faults}\n{second}", device=f"job_deadline = {DEADLINE}")
    for hangs in (1, 2):
        with backend.connect() as channel:
            good, bad = Stream(channel), Stream(channel, device=1)
            bad.play(2)
            good.play(2)
            bad.feed(3)
            with pytest.raises(TransportBroken):
                channel.call(video.Flush.OPCODE, bad.session, b"")
        wait_until(lambda many=hangs: backend.status()["devices"][1]["hangs"] == many, "it is known where")
    assert [(told["hangs"], told["resets"]) for told in backend.status()["devices"]] == [(0, 0), (2, 1)]


def test_a_second_hang_resets_the_device_and_the_others_go_on(device):
    backend = device("hang_at = 2", deadline=1.0)
    with backend.connect() as channel:
        first, second, carried = (Stream(channel) for _ in range(3))
        for stream in (first, second, carried):
            stream.play(1)
        first.feed(1)
        assert failure(channel, first) is video.Error.TIMED_OUT
        since = time.monotonic()
        second.feed(1)
        passed(0.5, since)
        carried.feed(77)
        assert failure(channel, second) is video.Error.TIMED_OUT
        assert carried.wait_picture() == 77
        carried.play(5)
        Stream(channel).play(5)
    (told,) = backend.status()["devices"]
    assert (told["hangs"], told["resets"]) == (2, 1)


def hang_twice(backend):
    """So that the device is reset."""
    with backend.connect() as channel:
        for _ in range(2):
            stream = Stream(channel)
            stream.play(11)
            stream.feed(11)
            assert failure(channel, stream) is video.Error.TIMED_OUT
        assert broken(channel) < 5.0


def test_a_reset_that_ends_sessions_is_gone_on_after(device):
    """As with a V4L2 device: decoders of the Python API begin again where a picture can be decoded by itself."""
    backend = device("hang_at = 12, forgets = true")

    def units():
        for shade in range(8):
            if shade == 4:
                hang_twice(backend)
            yield paracore.Packet(UNIT.pack(b"null", 16, 16, shade), shade)

    with paracore.open(backend.address) as domain, domain.devices["vpu0"].decoder("mjpeg") as decoder:
        assert [picture.timestamp for picture in decoder.decode(units())] == list(range(8))
        assert decoder.recoveries == 1
    assert backend.domain()["workers_lost"] == 1


@pytest.mark.parametrize(
    "fault", ["fail_at = 2", *(f'lie_at = 2, lie = "{lie}"' for lie in ("cookie", "input", "size", "drained"))]
)
def test_a_driver_that_fails_or_lies_costs_that_session_only(device, fault):
    backend = device(fault)
    with backend.connect() as channel:
        good, bad = Stream(channel), Stream(channel)
        good.play(1)
        bad.play(1)
        bad.feed(2)
        assert failure(channel, bad) is video.Error.IO
        channel.call(video.Close.OPCODE, bad.session, b"")
        with backend.connect() as other:
            Stream(other).play(1)
        counts = backend.domain()["worker"]["report"]["counts"]
        assert (counts["sessions_failed"], counts["hangs"]) == (1, 0)
    assert backend.statistics()["workers_lost"] == backend.statistics()["violations"] == 0


def switches(pid):
    """How often a process went to sleep by itself."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))


def test_an_idle_worker_sleeps_on(device):
    """Also one whose session has an input, and waits for its domain."""
    backend = device("hang_at = 9", deadline=0.02)
    with backend.connect() as channel:
        stream = Stream(channel, pages=1)
        stream.play(1)
        channel.call(video.Recall.OPCODE, stream.session, b"")
        stream.feed(2)
        worker = backend.worker()
        passed(0.3, time.monotonic())
        before = switches(worker)
        passed(0.5, time.monotonic())
        assert switches(worker) == before
