# SPDX-License-Identifier: Apache-2.0
"""The worker dies in the middle of a stream, and the Python API goes on: what comes is what would have come.

Rows of the failure table in ARCHITECTURE.md.
"""

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import paracore
import paracore.aio
from paracore import Packet
from paracore.cli import ExitCode
from paracore.frontend import _channels
from paracore.media import FrameHash, demux
from tests import clips
from tests.integration.backends import descriptors, family, needs_root, shared_mappings, wait_until
from tests.integration.shims.liar import Liar, dies_at

pytestmark = needs_root

SOURCE = "-f lavfi -i testsrc2=s=176x144:r=25 -frames:v 100"
X264 = "-c:v libx264 -preset veryfast -threads 1 -bf 3 -g 12"
X265 = "log-level=none:pools=1:open-gop=1:keyint=12:min-keyint=12:bframes=3:scenecut=0:b-adapt=0"
FILMS = {
    "closed.mkv": X264,
    "open.mkv": f"{X264} -x264-params open-gop=1:scenecut=0:b-adapt=0",  # its parameter sets stand at the beginning
    "open.h264": f"{X264} -x264-params open-gop=1:scenecut=0:b-adapt=0",  # without timestamps
    "interlaced.mkv": f"{X264} -flags +ildct+ilme -x264-params tff=1",
    "refreshed.mkv": f"{X264} -bf 0 -x264-params intra-refresh=1",
    "open-hevc.mkv": f"-c:v libx265 -preset ultrafast -x265-params {X265}",
    "hidden.webm": "-c:v libvpx-vp9 -cpu-used 8 -b:v 200k -auto-alt-ref 1 -lag-in-frames 12 -g 20",
    "open.mpg": "-c:v mpeg2video -bf 2 -g 12 -b:v 500k",
    "mpeg4.mkv": "-c:v mpeg4 -bf 2 -g 12 -b:v 500k",
}
WORKER = "paracore-worker"


def film(name):
    return clips.run(f"{SOURCE} {FILMS[name]}", clips.FOLDER / "recovery" / name)


def shown(picture):
    return picture.timestamp, picture.key, FrameHash.digest(picture)


@pytest.fixture(scope="module")
def expected():
    """What a film is without any loss."""
    known = {}

    def pictures(backend, name):
        if name not in known:
            codec, packets = packets_of(name)
            with paracore.open(backend.address) as domain, domain.devices["vpu0"].decoder(codec) as decoder:
                known[name] = [shown(picture) for picture in decoder.decode(packets)]
        return known[name]

    return pictures


@pytest.fixture
def backend(make_backend):
    return make_backend(driver="libav")


@pytest.fixture
def domain(backend):
    with paracore.open(backend.address) as domain:
        yield domain


def kill(backend):
    os.kill(backend.worker(), signal.SIGKILL)


def packets_of(name):
    with demux(film(name)) as stream:
        return stream.codec, [Packet(bytes(each.data), *each[1:]) for each in stream]


# --- decoders -------------------------------------------------------------------------------------------


@pytest.mark.alone
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", FILMS)
def test_a_stream_goes_on_when_its_worker_is_killed_twice(backend, domain, expected, name, threads):
    pictures, longest = [], 0.0
    with demux(film(name)) as stream, domain.devices["vpu0"].decoder(stream.codec, threads=threads) as decoder:
        since = time.monotonic()
        for picture in decoder.decode(stream):
            longest = max(longest, time.monotonic() - since)
            pictures.append(shown(picture))
            picture.release()
            if len(pictures) in (31, 62):
                kill(backend)
            since = time.monotonic()
        assert decoder.recoveries == 2
        assert decoder.refused == 0
    assert pictures == expected(backend, name)
    assert longest < 1


def test_pictures_that_are_held_stay_what_they_are(backend, domain):
    codec, packets = packets_of("open.mkv")
    held = []
    with domain.devices["vpu0"].decoder(codec) as decoder:
        for number, picture in enumerate(decoder.decode(packets)):
            if number % 6 == 0:
                held.append((picture.planes[0], picture.planes[0].copy()))
            if number in (20, 60):
                kill(backend)
    assert decoder.recoveries == 2
    for view, copy in held:
        assert (view == copy).all()


@pytest.mark.usefixtures("no_collector")
def test_nothing_is_left_of_a_lost_channel(backend):
    codec, packets = packets_of("closed.mkv")

    def held():
        return descriptors(os.getpid()), shared_mappings(os.getpid())

    before = held()
    with paracore.open(backend.address) as domain, domain.devices["vpu0"].decoder(codec) as decoder:
        for number, picture in enumerate(decoder.decode(packets)):
            picture.release()
            if number == 30:
                once = held()
                kill(backend)
        assert decoder.recoveries == 1
        del picture
        assert held()[0] == once[0]
    assert held() == before


def test_a_drain_is_asked_for_again(backend, domain, expected):
    codec, packets = packets_of("closed.mkv")
    pictures = []
    with domain.devices["vpu0"].decoder(codec) as decoder:
        for packet in packets[:12]:
            decoder.send(packet)
        worker = backend.worker()
        os.kill(worker, signal.SIGSTOP)  # it has yet to learn that this was the end
        decoder.drain()
        os.kill(worker, signal.SIGKILL)
        while picture := decoder.receive():
            pictures.append(shown(picture))
        assert decoder.drained
        assert decoder.recoveries == 1
    assert len(pictures) == 12
    assert sorted(pictures)[:8] == expected(backend, "closed.mkv")[:8]


def test_a_flush_has_the_stream_forgotten(backend, domain, expected):
    codec, packets = packets_of("open-hevc.mkv")
    with domain.devices["vpu0"].decoder(codec) as decoder:
        for packet in packets[:10]:
            decoder.send(packet)
        kill(backend)
        decoder.flush()
        assert [shown(picture) for picture in decoder.decode(packets)] == expected(backend, "open-hevc.mkv")
        assert decoder.recoveries == 1


def test_a_lost_decoder_can_be_closed(backend, domain, expected):
    codec, packets = packets_of("closed.mkv")
    decoder = domain.devices["vpu0"].decoder(codec)
    decoder.send(packets[0])
    kill(backend)
    decoder.close()
    with domain.devices["vpu0"].decoder(codec) as another:
        assert [shown(picture) for picture in another.decode(packets)] == expected(backend, "closed.mkv")


def test_controls_are_set_again(backend, domain):
    with domain.devices["vpu0"].decoder("h264") as decoder:
        decoder.control("threads", 2)
        kill(backend)
        assert decoder.control("threads") == 2
        assert decoder.recoveries == 1


def test_decoders_of_one_domain_share_what_follows(backend, domain, expected):
    names = ("closed.mkv", "open-hevc.mkv", "hidden.webm")
    results, parts = {}, threading.Barrier(len(names) + 1)

    def play(name):
        codec, packets = packets_of(name)
        with domain.devices["vpu0"].decoder(codec) as decoder:
            found = []
            for picture in decoder.decode(packets):
                found.append(shown(picture))
                if len(found) == 40:
                    parts.wait(30)
                    parts.wait(30)
            results[name] = found, decoder.recoveries

    threads = [threading.Thread(target=play, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    parts.wait(30)
    kill(backend)
    parts.wait(30)
    for thread in threads:
        thread.join(60)
    assert results == {name: (expected(backend, name), 1) for name in names}
    wait_until(lambda: backend.domain()["held"]["channels"] == 1, "there is one channel for all")


def test_a_worker_that_dies_again_and_again(backend, domain):
    """What no worker survives is not given to ever more."""
    codec, packets = packets_of("closed.mkv")
    over = threading.Event()

    def murder():
        while not over.is_set():
            for pid in family(backend.process.pid)[1:]:
                with suppress(FileNotFoundError, ProcessLookupError):
                    if Path(f"/proc/{pid}/comm").read_text().strip() == WORKER:
                        os.kill(pid, signal.SIGKILL)

    with domain.devices["vpu0"].decoder(codec) as decoder:
        decoder.send(packets[0])
        thread = threading.Thread(target=murder)
        thread.start()
        try:
            with pytest.raises((paracore.DeviceLost, paracore.TransportError)):
                decoder.receive(30)
        finally:
            over.set()
            thread.join()
        with pytest.raises((paracore.DeviceLost, paracore.TransportError)):
            decoder.receive()


def test_a_backend_that_is_started_again(backend, domain, expected, monkeypatch):
    monkeypatch.setattr(_channels, "RECONNECT_SECONDS", 10.0)  # starting takes what it takes
    codec, packets = packets_of("closed.mkv")
    pictures = []
    with domain.devices["vpu0"].decoder(codec) as decoder:
        for picture in decoder.decode(packets):
            pictures.append(shown(picture))
            if len(pictures) == 40:
                backend.kill()
                starting = threading.Thread(target=backend.start)
                starting.start()
        starting.join()
        assert decoder.recoveries == 1
    assert pictures == expected(backend, "closed.mkv")


def test_another_decoder_is_opened_after_a_loss(backend, domain, expected):
    codec, packets = packets_of("closed.mkv")
    device = domain.devices["vpu0"]
    device.decoder(codec).close()
    kill(backend)
    with device.decoder(codec) as decoder:
        assert [shown(picture) for picture in decoder.decode(packets)] == expected(backend, "closed.mkv")
        assert decoder.recoveries == 0
    assert domain.statistics().calls


@pytest.mark.alone
def test_who_wants_to_know_is_told_at_once(backend):
    codec, packets = packets_of("closed.mkv")
    with (
        paracore.open(backend.address, on_loss="fail") as domain,
        domain.devices["vpu0"].decoder(codec) as decoder,
    ):
        pictures = decoder.decode(packets)
        next(pictures)
        kill(backend)
        since = time.monotonic()
        with pytest.raises(paracore.DeviceLost, match="worker died"):
            list(pictures)
        assert time.monotonic() - since < 1
        assert decoder.recoveries == 0


def test_there_is_no_third_way(backend):
    with pytest.raises(ValueError, match="'recover' or 'fail'"):
        paracore.open(backend.address, on_loss="hope")


# --- as early as can be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", ["link_channel_open", "core_device_query", "video_capability_query"])
def test_a_worker_may_die_while_a_domain_opens(request_, tmp_path):
    with Liar(tmp_path, **dies_at(request_)) as backend, paracore.open(backend.address) as domain:
        assert list(domain.devices) == ["vpu0"]


def test_who_wants_to_know_is_told_of_the_first_channel_too(tmp_path):
    with Liar(tmp_path, **dies_at("link_channel_open")) as backend, pytest.raises(paracore.DeviceLost):
        paracore.open(backend.address, on_loss="fail")


# --- encoders -------------------------------------------------------------------------------------------

COUNT = 60
ENCODERS = {
    "h264": {"b_frames": 2, "preset": "veryfast"},
    "h264-prompt": {"low_delay": True, "preset": "ultrafast"},
    "hevc": {"preset": "ultrafast"},
    "vp9": {"preset": "ultrafast", "low_delay": True},
    "mjpeg": {},
}


def draw(number):
    luma = np.full((144, 176), 40 + 2 * number, np.uint8)
    return luma, np.full((72, 88), 128, np.uint8), np.full((72, 88), 128, np.uint8)


def lumas(codec, packets, device):
    """What the packets show: the shade of each picture, by its timestamp."""
    with device.decoder(codec) as decoder:
        pictures = decoder.decode([Packet(packet.data, packet.timestamp) for packet in packets])
        return {picture.timestamp: round(float(picture.planes[0].mean())) for picture in pictures}


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_goes_on(backend, domain, name):
    codec, packets = name.partition("-")[0], []
    settings = {"width": 176, "height": 144, "rate": 25, "quality": 10, "threads": 1} | ENCODERS[name]
    with domain.devices["vpu0"].encoder(codec, **settings) as encoder:
        for packet in encoder.encode(draw(number) for number in range(COUNT)):
            packets.append(packet)
            if len(packets) == 10 or (packet.discontinuity and encoder.recoveries == 1):
                kill(backend)
        breaks = [packet for packet in packets if packet.discontinuity]
        assert encoder.recoveries == len(breaks) == 2
        assert all(packet.key for packet in breaks)
        assert sum(packet.lost for packet in breaks) == encoder.lost == COUNT - len(packets)
    times = [packet.timestamp for packet in packets]
    assert len(set(times)) == len(times)
    assert all(one.decode_timestamp < other.decode_timestamp for one, other in pairwise(packets))
    found = lumas(codec, packets, domain.devices["vpu0"])
    assert sorted(found) == sorted(times)
    assert all(abs(shade - (40 + 2 * number)) <= 2 for number, shade in found.items())


def test_an_encoder_is_drained_again(backend, domain):
    with domain.devices["vpu0"].encoder("mjpeg", width=176, height=144) as encoder:
        assert len(list(encoder.encode([draw(0)]))) == 1
        pictures, worker = [encoder.picture(), encoder.picture()], backend.worker()
        os.kill(worker, signal.SIGSTOP)
        for picture in pictures:
            encoder.send(picture)
        encoder.drain()
        os.kill(worker, signal.SIGKILL)
        packets = list(iter(encoder.receive, None))
        assert [packet.timestamp for packet in packets] == [1, 2]
        assert (encoder.recoveries, encoder.lost) == (1, 0)
        assert packets[0].discontinuity


def test_a_picture_in_hand_may_be_sent_after_the_loss(backend, domain):
    with domain.devices["vpu0"].encoder("mjpeg", width=176, height=144) as encoder:
        picture = encoder.picture()
        for plane, drawn in zip(picture.planes, draw(7), strict=True):
            plane[...] = drawn
        picture.timestamp = 70
        kill(backend)
        encoder.control("threads")
        encoder.send(picture)
        with pytest.raises(paracore.StateError):
            encoder.send(picture)
        encoder.drain()
        packet = encoder.receive()
        assert (packet.timestamp, packet.discontinuity, encoder.recoveries) == (70, True, 1)
        assert lumas("mjpeg", [packet], domain.devices["vpu0"])[70] == pytest.approx(54, abs=2)


# --- in an event loop -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["open.mkv", "open-hevc.mkv", "hidden.webm"])
def test_a_stream_goes_on_in_an_event_loop(backend, expected, name):
    codec, packets = packets_of(name)

    async def use():
        found = []
        async with paracore.aio.open(backend.address) as domain, domain.devices["vpu0"].decoder(codec) as decoder:
            async for picture in decoder.decode(packets):
                found.append(shown(picture))
                if len(found) in (31, 62):
                    await asyncio.to_thread(kill, backend)
            assert decoder.recoveries == 2
        return found

    assert asyncio.run(asyncio.wait_for(use(), 60)) == expected(backend, name)


@pytest.fixture
def no_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_nothing_is_left_of_a_lost_channel_in_an_event_loop(backend):
    """Nor does its memory wait for the collector: grants are scarce."""
    codec, packets = packets_of("closed.mkv")

    async def use():
        held = []
        async with paracore.aio.open(backend.address) as domain, domain.devices["vpu0"].decoder(codec) as decoder:
            async for picture in decoder.decode(packets):
                picture.release()
                held.append((descriptors(os.getpid()), shared_mappings(os.getpid())))
                if len(held) in (30, 60):
                    await asyncio.to_thread(kill, backend)
        assert decoder.recoveries == 2
        return held

    held = asyncio.run(asyncio.wait_for(use(), 60))
    assert held[-1][0] <= held[20][0]
    assert held[-1][1] <= held[20][1] + 1


def test_several_tasks_go_on_together(backend, expected):
    """One sends and one receives in each of two decoders; the loss is everybody's at once."""
    names = ("closed.mkv", "open-hevc.mkv")

    async def play(domain, name):
        codec, packets = packets_of(name)
        async with domain.devices["vpu0"].decoder(codec) as decoder:

            async def send():
                for packet in packets:
                    await decoder.send(packet)
                await decoder.drain()

            sending, found = asyncio.create_task(send()), []
            while picture := await decoder.receive():
                found.append(shown(picture))
                if len(found) == 40 and name == names[0]:
                    await asyncio.to_thread(kill, backend)
            await sending
            return found

    async def use():
        async with paracore.aio.open(backend.address) as domain:
            return await asyncio.gather(*(play(domain, name) for name in names))

    assert asyncio.run(asyncio.wait_for(use(), 60)) == [expected(backend, name) for name in names]


def test_an_encoder_goes_on_in_an_event_loop(backend):
    async def use():
        packets = []
        async with (
            paracore.aio.open(backend.address) as domain,
            domain.devices["vpu0"].encoder("mjpeg", width=176, height=144) as encoder,
        ):
            async for packet in encoder.encode(draw(number) for number in range(COUNT)):
                packets.append(packet)
                if len(packets) == 10:
                    await asyncio.to_thread(kill, backend)
            return packets, encoder.recoveries, encoder.lost

    packets, recoveries, lost = asyncio.run(asyncio.wait_for(use(), 60))
    assert recoveries == 1
    assert len(packets) + lost == COUNT
    assert [packet.discontinuity for packet in packets].count(True) == 1


def test_who_wants_to_know_in_an_event_loop(backend):
    async def use():
        async with paracore.aio.open(backend.address, on_loss="fail") as domain:
            decoder = await domain.devices["vpu0"].decoder("h264")
            waiting = asyncio.create_task(decoder.receive())
            await asyncio.sleep(0)
            await asyncio.to_thread(kill, backend)
            async with asyncio.timeout(1):
                await waiting

    with pytest.raises(paracore.DeviceLost, match="worker died"):
        asyncio.run(use())


# --- the command line -----------------------------------------------------------------------------------


def decoding(backend, *words):
    """The program, and its output after its worker was killed in the middle."""
    command = [sys.executable, "-m", "paracore", "decode", "--address", backend.address, "--json", *words]
    command += [film("closed.mkv"), "-o", "-", "--raw"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as program:
        octets = program.stdout.read(176 * 144)
        kill(backend)
        rest, said = program.communicate(timeout=30)
    return program.returncode, octets + rest, said.decode()


def test_the_command_line_goes_on(backend):
    code, octets, said = decoding(backend)
    assert (code, json.loads(said)["recoveries"], json.loads(said)["pictures"]) == (0, 1, 100)
    assert len(octets) == 100 * 176 * 144 * 3 // 2


def test_the_command_line_stops_if_it_shall(backend):
    code, _, said = decoding(backend, "--on-loss", "fail")
    assert code == ExitCode.BACKEND
    assert "worker died" in said
