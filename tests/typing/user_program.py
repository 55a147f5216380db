# SPDX-License-Identifier: Apache-2.0
"""The public API as a user types it; never run, only checked by mypy (test_typing.py)."""

import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import assert_type

import numpy as np

import paracore
import paracore.aio
from paracore.media import FrameHash, Muxer, Stream, demux


def decode(path: str) -> int:
    count = 0
    with paracore.open(on_loss="recover") as domain, demux(path) as stream:
        assert_type(domain, paracore.Domain)
        assert_type(domain.devices, dict[str, paracore.Device])
        assert_type(stream, Stream)
        device = domain.devices["vpu0"]
        assert_type(device.capabilities, tuple[paracore.Capability, ...])
        with device.decoder(stream.codec, threads=1) as decoder:
            assert_type(decoder, paracore.Decoder)
            hashes = FrameHash.of_stream(sys.stdout, stream)
            for picture in decoder.decode(stream):
                assert_type(picture, paracore.Picture)
                luma = picture.planes[0]
                count += int(luma.sum()) + luma.shape[0]
                assert_type(picture.timestamp, int | None)
                assert_type(picture.color, paracore.Color)
                hashes.write(picture)
                picture.release()
            form = decoder.format
            if form is not None:
                assert_type(form.rate, Fraction | None)
    return count


def step_by_step(decoder: paracore.Decoder, packets: list[bytes]) -> None:
    for octets in packets:
        decoder.send(paracore.Packet(octets, timestamp=3), timeout=1.0)
        decoder.send(paracore.Packet(memoryview(octets)))
        decoder.send(paracore.Packet(bytearray(octets), key=True))
    decoder.drain()
    assert_type(decoder.receive(timeout=0), paracore.Picture | None)
    assert_type(decoder.drained, bool)
    assert_type(decoder.recoveries, int)
    assert_type(decoder.control("threads"), int)


def encode(domain: paracore.Domain, path: str) -> None:
    with domain.devices["vpu0"].encoder(
        "h264", width=64, height=48, rate=Fraction(25), bitrate=100_000, preset="veryfast"
    ) as encoder:

        def drawn() -> Iterator[paracore.WritablePicture]:
            picture = encoder.picture()
            picture.planes[0][...] = 16
            picture.key = True
            yield picture

        with Muxer(path, "h264", width=64, height=48, time_base=Fraction(1, 25)) as muxer:
            for packet in encoder.encode(drawn()):
                assert_type(packet, paracore.EncodedPacket)
                assert_type(packet.data, bytes)
                muxer.write(packet)
        encoder.send([np.zeros((48, 64), np.uint8), np.zeros((24, 32), np.uint8), np.zeros((24, 32), np.uint8)])


def wrong(device: paracore.Device) -> None:
    device.encoder("h264", width=64)  # type: ignore[call-arg]
    device.encoder("h264", width=64, height=48, speed=3)  # type: ignore[call-arg]
    device.encoder("h264", width="64", height=48)  # type: ignore[arg-type]
    device.decoder(264)  # type: ignore[arg-type]


async def asynchronously(packets: list[paracore.Packet]) -> int:
    count = 0
    async with paracore.aio.open() as domain:
        assert_type(domain, paracore.aio.AsyncDomain)
        async with domain.devices["vpu0"].decoder("h264") as decoder:
            assert_type(decoder, paracore.aio.AsyncDecoder)
            async for picture in decoder.decode(packets):
                assert_type(picture, paracore.Picture)
                count += picture.width
        encoder = await domain.devices["vpu0"].encoder("h264", width=64, height=48)
        assert_type(encoder, paracore.aio.AsyncEncoder)
        assert_type(await encoder.set_bitrate(1000), int)
        await encoder.aclose()
    return count


def faults() -> None:
    try:
        paracore.open("/run/x.sock")
    except paracore.QuotaExceeded as error:
        assert_type(error.limit, str)
    except paracore.DriverError as error:
        assert_type(error.code, int)
