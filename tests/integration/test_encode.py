# SPDX-License-Identifier: Apache-2.0
"""Pictures through a real backend's encoders, decoded again by ffmpeg."""

import subprocess
from fractions import Fraction

import numpy as np
import pytest

import paracore
from paracore.backend import PrivateBackend
from paracore.media import Muxer, demux
from tests import clips
from tests.unit.media.films import film

CODECS = ("h264", "hevc", "vp9", "av1", "mjpeg")
FAST = {"h264": 0, "hevc": 0, "vp9": 0, "av1": 0, "mjpeg": None}
WIDTH, HEIGHT, COUNT = 176, 144, 12


@pytest.fixture(scope="module")
def address():
    with PrivateBackend() as backend:
        yield backend.address


@pytest.fixture
def domain(address):
    with paracore.open(address) as domain:
        yield domain


@pytest.fixture
def device(domain):
    return domain.devices["vpu0"]


def draw(planes, number):
    """A gradient that moves: its mean says which picture it is."""
    luma, *chroma = planes
    scale = 1 if luma.dtype == np.uint8 else 4
    luma[...] = (np.arange(luma.shape[1]) // 4 + 10 * number + 30) * scale
    for plane in chroma:
        plane[...] = 128 * scale


def pictures(encoder, count=COUNT):
    for number in range(count):
        picture = encoder.picture()
        draw(picture.planes, number)
        yield picture


def lumas(path):
    """What ffmpeg decodes: the mean brightness of each picture."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-fps_mode", "passthrough"]
    command += ["-pix_fmt", "yuv420p", "-f", "rawvideo", "-"]
    octets = subprocess.run(command, check=True, capture_output=True).stdout
    pictures = np.frombuffer(octets, np.uint8).reshape(-1, HEIGHT * WIDTH * 3 // 2)
    return pictures[:, : HEIGHT * WIDTH].mean(1)


def expected(count=COUNT):
    return (np.arange(WIDTH) // 4).mean() + 30 + 10 * np.arange(count)


def encode(device, codec, path, *, count=COUNT, **settings):
    settings = {"preset": FAST[codec]} | settings
    with device.encoder(codec, width=WIDTH, height=HEIGHT, rate=25, **settings) as encoder:
        packets = list(encoder.encode(pictures(encoder, count)))
    with Muxer(path, codec, width=WIDTH, height=HEIGHT, time_base=Fraction(1, 25), rate=Fraction(25)) as muxer:
        for packet in packets:
            muxer.write(packet)
    return packets


@pytest.mark.parametrize("codec", CODECS)
def test_ffmpeg_sees_what_was_drawn(device, tmp_path, codec):
    packets = encode(device, codec, tmp_path / "x.mkv")
    assert packets[0].key
    assert sorted(packet.timestamp for packet in packets) == list(range(COUNT))
    stamps = [packet.decode_timestamp for packet in packets]
    assert stamps == sorted(stamps)
    assert all(packet.decode_timestamp <= packet.timestamp for packet in packets)
    assert np.abs(lumas(tmp_path / "x.mkv") - expected()).max() < 3


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_ten_bit(device, tmp_path, codec):
    encode(device, codec, tmp_path / "x.mkv", pixel_format="yuv420p10le")
    assert np.abs(lumas(tmp_path / "x.mkv") - expected()).max() < 3


def test_a_gop_has_its_length(device, tmp_path):
    packets = encode(device, "h264", tmp_path / "x.mkv", gop=4, b_frames=0)
    assert [packet.key for packet in packets] == [number % 4 == 0 for number in range(COUNT)]


def test_a_key_frame_can_be_forced(device):
    with device.encoder("h264", width=WIDTH, height=HEIGHT, rate=25, preset=0, b_frames=0, low_delay=True) as encoder:

        def drawn():
            for number, picture in enumerate(pictures(encoder)):
                picture.key = number == 7
                yield picture

        keys = [packet.timestamp for packet in encoder.encode(drawn()) if packet.key]
    assert keys == [0, 7]


def test_the_bit_rate_can_change_in_mid_stream(device):
    with demux(clips.natural("carphone_pristine").path) as stream, device.decoder("h264") as decoder:
        natural = [[plane.copy() for plane in picture.planes] for picture in decoder.decode(stream)]
    settings = {"width": WIDTH, "height": HEIGHT, "rate": 25, "preset": "veryfast", "low_delay": True}
    with device.encoder("h264", bitrate=800_000, **settings) as encoder:
        assert encoder.control("bitrate") == 800_000

        def drawn():
            for number, planes in enumerate(natural):
                if number == 60:
                    assert encoder.set_bitrate(80_000) == 80_000
                yield planes

        sizes = [len(packet.data) for packet in encoder.encode(drawn())]
    assert len(sizes) == 120
    assert sum(sizes[90:]) < sum(sizes[20:50]) / 3


def test_timestamps_are_the_callers(device):
    with device.encoder("h264", width=WIDTH, height=HEIGHT, rate=25, preset=0) as encoder:

        def drawn():
            for number, picture in enumerate(pictures(encoder)):
                picture.timestamp, picture.duration = 1000 + 40 * number, 40
                yield picture

        packets = list(encoder.encode(drawn()))
    assert sorted(packet.timestamp for packet in packets) == [1000 + 40 * number for number in range(COUNT)]
    assert all(packet.duration == 40 for packet in packets)


def test_planes_and_decoded_pictures_can_be_sent(device):
    with demux(film("h264.mp4")) as stream, device.decoder("h264") as decoder:
        decoded = list(decoder.decode(stream))
    drawn = [plane.copy() for plane in decoded[0].planes]
    with device.encoder("mjpeg", width=WIDTH, height=HEIGHT, rate=25) as encoder:
        packets = list(encoder.encode([*decoded, drawn]))
    assert len(packets) == 21
    assert packets[0].data == packets[20].data
    assert [packet.timestamp for packet in packets[:3]] == [picture.timestamp for picture in decoded[:3]]


def test_a_picture_of_another_size_is_refused(device):
    with device.encoder("mjpeg", width=64, height=48, rate=25) as encoder:
        with pytest.raises(ValueError, match="planes of"):
            encoder.send([np.zeros((10, 10), np.uint8)] * 3)
        picture = encoder.picture()
        encoder.send(picture)
        with pytest.raises(paracore.StateError, match="sent"):
            encoder.send(picture)


def test_an_encoder_can_be_used_again_after_a_flush(device):
    with device.encoder("h264", width=WIDTH, height=HEIGHT, rate=25, preset=0) as encoder:
        for picture in pictures(encoder, 3):
            encoder.send(picture)
        encoder.flush()
        packets = list(encoder.encode(pictures(encoder, 4)))
    assert len(packets) == 4
    assert packets[0].key


def test_nothing_is_left_behind(domain, device, tmp_path):
    encode(device, "h264", tmp_path / "x.mkv")
    statistics = domain.statistics()
    assert (statistics.buffers, statistics.bytes_granted) == (0, 0)


def test_small_memory_will_do(make_backend, tmp_path):
    backend = make_backend(driver="libav", limits=f"bytes = {512 << 10}")
    with paracore.open(backend.address) as domain:
        encode(domain.devices["vpu0"], "h264", tmp_path / "x.mkv")
    assert len(lumas(tmp_path / "x.mkv")) == COUNT


def test_too_little_memory_is_told(make_backend):
    backend = make_backend(driver="libav", limits=f"bytes = {64 << 10}")
    with (
        paracore.open(backend.address) as domain,
        domain.devices["vpu0"].encoder("h264", width=WIDTH, height=HEIGHT) as encoder,
        pytest.raises(paracore.QuotaExceeded, match="bytes"),
    ):
        encoder.picture()


@pytest.mark.parametrize(
    ("codec", "settings", "words"),
    [
        ("vp8", {}, "cannot encode vp8; it can encode h264"),
        ("h264", {"pixel_format": "p010le"}, "not from p010le"),
        ("h264", {"width": 100_000}, "up to 16384x16384"),
    ],
)
def test_what_the_device_cannot_is_told(device, codec, settings, words):
    with pytest.raises(paracore.MediaError, match=words):
        device.encoder(codec, **{"width": 64, "height": 48} | settings)


def test_an_unknown_preset_is_told(device):
    with pytest.raises(ValueError, match="quickly"):
        device.encoder("h264", width=64, height=48, preset="quickly")
