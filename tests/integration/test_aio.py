# SPDX-License-Identifier: Apache-2.0
"""The API for asyncio: the same pictures, and nothing blocks the loop."""

import asyncio
import os
import signal

import numpy as np
import pytest

import paracore
import paracore.aio
from paracore import Packet
from paracore.backend import PrivateBackend
from paracore.media import FrameHash, demux
from tests import clips
from tests.integration.backends import needs_root
from tests.unit.media.films import film


@pytest.fixture(scope="module")
def address():
    with PrivateBackend() as backend:
        yield backend.address


def run(awaitable):
    return asyncio.run(asyncio.wait_for(awaitable, 60))


def packets_of(name):
    return [Packet(unit.octets, unit.timestamp, unit.duration) for unit in clips.clip(name).units]


def reference(name):
    return [digest for _, digest in clips.reference(clips.clip(name).path)]


async def digests(device, codec, packets):
    async with device.decoder(codec) as decoder:
        return [FrameHash.digest(picture) async for picture in decoder.decode(packets)]


@pytest.mark.parametrize("name", ["h264", "vp9", "mpeg2"])
def test_decode(address, name):
    async def decode():
        async with paracore.aio.open(address) as domain:
            assert domain.name == "private"
            assert domain.devices["vpu0"].capabilities
            return await digests(domain.devices["vpu0"], name, packets_of(name))

    assert run(decode()) == reference(name)


def test_packets_may_come_asynchronously(address):
    async def source():
        for packet in packets_of("h264"):
            await asyncio.sleep(0)
            yield packet

    async def decode():
        async with paracore.aio.open(address) as domain:
            return await digests(domain.devices["vpu0"], "h264", source())

    assert run(decode()) == reference("h264")


def test_several_decoders_in_one_loop(address):
    names = ("h264", "vp9", "mpeg2", "h264-cropped")

    async def decode():
        async with paracore.aio.open(address) as domain:
            device = domain.devices["vpu0"]
            return await asyncio.gather(*(digests(device, name.split("-")[0], packets_of(name)) for name in names))

    assert run(decode()) == [reference(name) for name in names]


def test_one_task_sends_and_another_receives(address):
    packets = packets_of("h264") * 5

    async def send(decoder):
        for packet in packets:
            await decoder.send(packet)
        await decoder.drain()

    async def receive(decoder):
        count = 0
        while await decoder.receive() is not None:
            count += 1
        return count

    async def decode():
        async with paracore.aio.open(address) as domain, domain.devices["vpu0"].decoder("h264") as decoder:
            _, count = await asyncio.gather(send(decoder), receive(decoder))
            return count, decoder.drained

    assert run(decode()) == (100, True)


def test_the_loop_goes_on_meanwhile(address):
    async def tick(ticks):
        while True:
            ticks.append(1)
            await asyncio.sleep(0.001)

    async def decode():
        ticks = []
        ticker = asyncio.create_task(tick(ticks))
        with demux(clips.natural("bikes").path) as stream:
            async with paracore.aio.open(address) as domain, domain.devices["vpu0"].decoder("h264") as decoder:
                async for picture in decoder.decode(stream):
                    picture.release()
        ticker.cancel()
        return len(ticks)

    assert run(decode()) > 20


def test_a_time_out_and_a_cancellation_lose_nothing(address):
    async def decode():
        async with paracore.aio.open(address) as domain, domain.devices["vpu0"].decoder("h264") as decoder:
            assert await decoder.receive(timeout=0.01) is None
            waiting = asyncio.create_task(decoder.receive())
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return [picture.timestamp async for picture in decoder.decode(packets_of("h264"))]

    assert sorted(run(decode())) == list(range(20))


def test_a_seek(address):
    async def decode():
        packets = packets_of("h264")
        async with paracore.aio.open(address) as domain, domain.devices["vpu0"].decoder("h264") as decoder:
            for packet in packets[:8]:
                await decoder.send(packet)
            await decoder.flush()
            later = [packet._replace(timestamp=packet.timestamp + 100) for packet in packets]
            form = decoder.format
            stamps = [picture.timestamp async for picture in decoder.decode(later)]
            return stamps, decoder.refused, form

    stamps, refused, _ = run(decode())
    assert sorted(stamps) == list(range(100, 120))
    assert refused == 0


def test_holding_too_much_is_told(make_backend):
    backend = make_backend(driver="libav", limits=f"bytes = {6 << 20}")

    async def decode():
        async with paracore.aio.open(backend.address) as domain:
            decoder = await domain.devices["vpu0"].decoder("h264")
            with demux(clips.natural("carphone_pristine").path) as stream:
                return [picture async for picture in decoder.decode(stream)]

    with pytest.raises(paracore.QuotaExceeded, match="bytes"):
        run(decode())


def test_encode(address):
    async def encode():
        async with (
            paracore.aio.open(address) as domain,
            domain.devices["vpu0"].encoder("h264", width=64, height=48, rate=25, bitrate=900_000) as encoder,
        ):

            async def drawn():
                for number in range(10):
                    picture = await encoder.picture()
                    for plane in picture.planes:
                        plane[...] = number * 20
                    yield picture
                yield [np.zeros((48, 64), np.uint8), np.zeros((24, 32), np.uint8), np.zeros((24, 32), np.uint8)]

            packets = [packet async for packet in encoder.encode(drawn())]
            assert await encoder.receive() is None
            assert await encoder.set_bitrate(500_000) == 500_000
            assert await encoder.control("bitrate") == 500_000
            return packets

    packets = run(encode())
    assert sorted(packet.timestamp for packet in packets) == list(range(11))


def test_views_outlive_the_loop(address):
    async def decode():
        async with paracore.aio.open(address) as domain, domain.devices["vpu0"].decoder("h264") as decoder:
            return [picture.planes async for picture in decoder.decode(packets_of("h264"))]

    planes = run(decode())
    with (
        demux(clips.clip("h264").path) as stream,
        paracore.open(address) as domain,
        domain.devices["vpu0"].decoder("h264") as decoder,
    ):
        for kept, picture in zip(planes, decoder.decode(stream), strict=True):
            assert all((a == b).all() for a, b in zip(kept, picture.planes, strict=True))


def test_what_is_closed_says_so(address):
    async def use():
        domain = await paracore.aio.open(address)
        decoder = await domain.devices["vpu0"].decoder("h264")
        waiting = asyncio.create_task(decoder.receive())
        await asyncio.sleep(0.01)
        await domain.aclose()
        await domain.aclose()
        with pytest.raises(paracore.StateError, match="closed"):
            await waiting
        with pytest.raises(paracore.StateError, match="closed"):
            await decoder.receive()

    run(use())


def test_nobody_listens(tmp_path):
    async def use():
        async with paracore.aio.open(tmp_path / "none.sock"):
            pass

    with pytest.raises(paracore.TransportError, match="no backend listens"):
        run(use())


@needs_root
def test_a_killed_worker_is_told(make_backend):
    backend = make_backend(driver="libav")

    async def use():
        async with paracore.aio.open(backend.address, on_loss="fail") as domain:
            decoder = await domain.devices["vpu0"].decoder("h264")
            waiting = asyncio.create_task(decoder.receive())
            await asyncio.sleep(0.05)
            os.kill(backend.worker(), signal.SIGKILL)
            async with asyncio.timeout(1):
                await waiting

    with pytest.raises(paracore.DeviceLost, match="worker died"):
        run(use())
    with (
        demux(film("h264.mp4")) as stream,
        paracore.open(backend.address) as domain,
        domain.devices["vpu0"].decoder(stream.codec) as decoder,
    ):
        assert sum(1 for _ in decoder.decode(stream)) == 20
