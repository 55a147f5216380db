# SPDX-License-Identifier: Apache-2.0
"""Real video through a real backend, beside what ffmpeg makes of the same files."""

import gc
import io
import os
import signal
import subprocess
import threading
import time
from collections import deque

import numpy as np
import pytest

import paracore
from paracore import Packet
from paracore.backend import PrivateBackend
from paracore.frontend import backend_status
from paracore.media import FrameHash, demux
from tests import clips
from tests.integration.backends import needs_root, wait_until
from tests.unit.media.films import FILMS, cut, film


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


def framemd5(path):
    """ffmpeg's lines about a file."""
    command = ["ffmpeg", "-nostdin", "-v", "quiet", "-i", str(path), "-map", "0:v", "-f", "framemd5", "-"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()


def hashes(device, path, **settings):
    """Our lines about a file, and the decoder that made them."""
    out = io.StringIO()
    with demux(path) as stream, device.decoder(stream.codec, **settings) as decoder:
        lines = FrameHash.of_stream(out, stream)
        for picture in decoder.decode(stream):
            lines.write(picture)
    return out.getvalue().splitlines(), decoder


def without_software(lines):
    return [line for line in lines if not line.startswith("#software")]


def packets_of(clip):
    return [Packet(unit.octets, unit.timestamp, unit.duration) for unit in clip.units]


# --- the same pictures as ffmpeg's --------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FILMS if name != "h264.avi"])
def test_each_film_decodes_to_ffmpegs_pictures(device, name):
    lines, decoder = hashes(device, film(name))
    assert without_software(lines) == without_software(framemd5(film(name)))
    assert decoder.refused == 0


def test_a_container_without_times(device):
    """AVI has none for H.264, and each libavformat guesses its own: the pictures are the same."""
    expected = [digest for _, digest in clips.reference(film("h264.avi"))]
    lines, _ = hashes(device, film("h264.avi"))
    assert [line.rsplit(", ", 1)[1] for line in lines if not line.startswith("#")] == expected


@pytest.mark.parametrize(
    "name", ["h264", "h264-422-10", "hevc-10", "vp9-444", "av1-10", "mpeg2-interlaced", "mjpeg-444"]
)
def test_bare_streams_decode_to_ffmpegs_pictures(device, name):
    path = clips.clip(name).path
    assert without_software(hashes(device, path)[0]) == without_software(framemd5(path))


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_natural_video(device, threads):
    path = clips.natural("bikes").path
    lines, _ = hashes(device, path, threads=threads)
    assert without_software(lines) == without_software(framemd5(path))


@pytest.mark.parametrize("name", ["h264-front.mp4", "hevc.mkv"])
def test_a_file_cut_short_gives_what_it_has(device, tmp_path, name):
    path = cut(name, tmp_path)
    assert without_software(hashes(device, path)[0]) == without_software(framemd5(path))


def test_damage_is_flagged_and_the_rest_delivered(device):
    octets = bytearray(clips.clip("h264").path.read_bytes())
    generator = np.random.default_rng(7)
    for place in generator.integers(2000, len(octets), 40):
        octets[place] ^= 1 << int(generator.integers(8))
    with demux(io.BytesIO(octets), codec="h264") as stream, device.decoder("h264") as decoder:
        pictures = [(picture.damaged, picture.release()) for picture in decoder.decode(stream)]
    assert len(pictures) > 10
    assert any(damaged for damaged, _ in pictures)


def test_a_change_of_size_in_mid_stream(device):
    clip = clips.joined("h264", "h264-cropped", "h264")
    seen, formats = [], []
    with device.decoder("h264") as decoder:
        for picture in decoder.decode(packets_of(clip)):
            seen.append(FrameHash.digest(picture))
            formats.append((picture.width, picture.height))
            assert picture.planes[0].shape == (picture.height, picture.width)
    assert list(dict.fromkeys(formats)) == [(176, 144), (162, 110)]
    expected = [
        digest for name in ("h264", "h264-cropped", "h264") for _, digest in clips.reference(clips.clip(name).path)
    ]
    assert seen == expected


def test_what_a_stream_looks_like(device):
    with demux(film("anamorphic.mkv")) as stream, device.decoder(stream.codec) as decoder:
        assert decoder.format is None
        picture = next(decoder.decode(stream))
        form = decoder.format
        assert (form.pixel_format, form.width, form.height) == ("yuv420p", 176, 144)
        assert (str(form.aspect), form.rate) == ("16/11", 25)
        assert picture.key
        assert picture.picture_type == "intra"
        assert picture.duration == 40


# --- pictures that are kept ---------------------------------------------------------------------------------


def test_views_never_show_another_picture(address):
    views, copies = [], []
    with paracore.open(address) as domain, demux(clips.natural("carphone_pristine").path) as stream:
        with domain.devices["vpu0"].decoder(stream.codec) as decoder:
            for number, picture in enumerate(decoder.decode(stream)):
                if number % 3 == 0:
                    views.append(picture.planes)
                    copies.append([plane.copy() for plane in picture.planes])
                picture.release()
        assert domain.statistics().buffers > 0
    assert len(views) == 40
    for planes, copied in zip(views, copies, strict=True):
        assert all((view == copy).all() for view, copy in zip(planes, copied, strict=True))


def test_all_pictures_of_a_clip_can_be_held(device):
    with demux(film("h264.mp4")) as stream, device.decoder(stream.codec) as decoder:
        pictures = list(decoder.decode(stream))
    digests = [FrameHash.digest(picture) for picture in pictures]
    assert digests == [line.rsplit(", ", 1)[1] for line in framemd5(film("h264.mp4")) if not line.startswith("#")]


def test_the_channel_ends_with_the_last_view(address):
    domain = paracore.open(address)
    with demux(film("h264.mp4")) as stream:
        decoder = domain.devices["vpu0"].decoder(stream.codec)
        view = next(decoder.decode(stream)).planes[0]
    domain.close()
    mine = next(each for each in backend_status(address)["domains"])
    assert mine["held"]["channels"] >= 1
    held = mine["held"]["channels"]
    assert view.shape == (144, 176)
    del view, decoder
    gc.collect()
    wait_until(lambda: backend_status(address)["domains"][0]["held"]["channels"] == held - 1, "the end of the channel")


def test_holding_too_much_is_told(make_backend):
    backend = make_backend(driver="libav", limits=f"bytes = {6 << 20}")
    held = []
    with paracore.open(backend.address) as domain, demux(clips.natural("carphone_pristine").path) as stream:
        decoder = domain.devices["vpu0"].decoder(stream.codec)
        with pytest.raises(paracore.QuotaExceeded, match="6291456 on bytes") as caught:
            held.extend(decoder.decode(stream))
        assert caught.value.limit == "bytes"
        assert len(held) > 5
        held.clear()
        rest = decoder.receive()
        assert rest is not None, "and it goes on when they are given back"


def test_nothing_is_left_behind(domain, device):
    for _ in range(3):
        hashes(device, film("h264.mp4"))
    gc.collect()
    statistics = domain.statistics()
    assert (statistics.buffers, statistics.bytes_granted) == (0, 0)


def test_pixels_are_never_copied(address, domain, device):
    hashes(device, film("h264.mp4"))
    report = backend_status(address)["domains"][0]["worker"]["report"]
    assert report["counts"]["copies"] == 0


# --- step by step -------------------------------------------------------------------------------------------


def test_send_and_receive(device):
    packets = packets_of(clips.clip("h264"))
    stamps = []
    with device.decoder("h264") as decoder:
        assert decoder.receive(timeout=0) is None
        for packet in packets:
            decoder.send(packet)
            while (picture := decoder.receive(timeout=0)) is not None:
                stamps.append(picture.timestamp)
        decoder.drain()
        assert not decoder.drained
        while (picture := decoder.receive()) is not None:
            stamps.append(picture.timestamp)
        assert decoder.drained
        assert decoder.receive() is None
    assert sorted(stamps) == list(range(20))


def test_a_decoder_can_be_used_again_after_a_drain(device):
    packets = packets_of(clips.clip("h264"))
    with device.decoder("h264") as decoder:
        counts = [sum(1 for _ in decoder.decode(packets)) for _ in range(3)]
    assert counts == [20, 20, 20]


def test_only_sending_is_told_and_does_not_hang(device):
    packets = packets_of(clips.clip("h264")) * 10
    with device.decoder("h264") as decoder, pytest.raises(paracore.StateError, match="full of pictures"):
        deque(decoder.send(packet, timeout=5) for packet in packets)


def test_a_seek_forgets_what_was_under_way(device):
    packets = packets_of(clips.clip("h264"))
    with device.decoder("h264") as decoder:
        for packet in packets[:10]:
            decoder.send(packet)
        decoder.flush()
        assert decoder.receive(timeout=0) is None
        later = [packet._replace(timestamp=packet.timestamp + 100) for packet in packets]
        stamps = [picture.timestamp for picture in decoder.decode(later)]
    assert sorted(stamps) == list(range(100, 120))


def test_what_the_codec_refuses_is_counted(device):
    packets = packets_of(clips.clip("h264"))
    with device.decoder("h264") as decoder:
        pictures = sum(1 for _ in decoder.decode([Packet(b"\0\0\1noise"), *packets]))
        assert decoder.refused == 1
    assert pictures == 20


def test_pictures_that_are_not_to_be_shown(device):
    packets = [packet._replace(discard=packet.timestamp < 5) for packet in packets_of(clips.clip("h264-baseline"))]
    with device.decoder("h264") as decoder:
        assert [picture.timestamp for picture in decoder.decode(packets)] == list(range(5, 20))


def test_large_access_units(device):
    octets = clips.clip("h264-baseline").units[0].octets
    filler = b"\0\0\1\x0c" + b"\xff" * (5 << 20) + b"\x80"  # ITU-T H.264 7.3.2.7: filler data
    with device.decoder("h264") as decoder:
        pictures = list(decoder.decode([Packet(filler + octets, 0)]))
    assert len(pictures) == 1


# --- several at once ----------------------------------------------------------------------------------------


def test_two_threads_with_a_decoder_each(domain, device):
    results = {}

    def decode(name):
        results[name] = without_software(hashes(device, film(name))[0])

    names = ("h264.mp4", "vp9.webm", "mpeg2.ts")
    threads = [threading.Thread(target=decode, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == {name: without_software(framemd5(film(name))) for name in names}


def test_pictures_may_be_released_on_another_thread(device):
    pictures = []
    stop = threading.Event()

    def release():
        while not stop.is_set() or pictures:
            if pictures:
                pictures.pop().release()
            else:
                time.sleep(0.001)

    thread = threading.Thread(target=release)
    thread.start()
    count = 0
    with device.decoder("h264") as decoder:
        for picture in decoder.decode(packets_of(clips.clip("h264")) * 5):
            pictures.append(picture)
            count += 1
            del picture
    stop.set()
    thread.join(30)
    assert count == 100


# --- when things go wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["h266", "realvideo"])
def test_a_codec_that_does_not_exist(device, codec):
    with pytest.raises(paracore.MediaError, match=f"vpu0 cannot decode {codec}; it can decode .*h264"):
        device.decoder(codec)


def test_a_codec_that_the_device_lacks(make_backend):
    backend = make_backend()
    with paracore.open(backend.address) as domain:
        missing = {"h264", "mjpeg", "vp8", "av1"} - {each.codec for each in domain.devices["vpu0"].capabilities}
        for codec in missing:
            with pytest.raises(paracore.MediaError, match="cannot decode"):
                domain.devices["vpu0"].decoder(codec)


def test_a_closed_decoder_says_so(device):
    decoder = device.decoder("h264")
    decoder.close()
    decoder.close()
    for use in (decoder.receive, decoder.drain, lambda: decoder.send(Packet(b"x"))):
        with pytest.raises(paracore.StateError, match="closed"):
            use()


def test_a_closed_domain_says_so(address):
    domain = paracore.open(address)
    device = domain.devices["vpu0"]
    domain.close()
    domain.close()
    with pytest.raises(paracore.TransportClosed):
        device.decoder("h264")


def test_a_forgotten_decoder_is_closed(domain, device):
    decoder = device.decoder("h264")
    with pytest.warns(ResourceWarning, match="was not closed"):
        del decoder
    domain.statistics()
    with device.decoder("h264"):
        pass


def test_a_forgotten_domain_is_closed(address):
    domain = paracore.open(address)
    with pytest.warns(ResourceWarning, match="Domain private"):
        del domain


@pytest.mark.alone
@needs_root
def test_a_killed_worker_is_told_within_a_second(make_backend):
    backend = make_backend(driver="libav")
    with paracore.open(backend.address, on_loss="fail") as domain:
        with demux(clips.natural("carphone_pristine").path) as stream:
            decoder = domain.devices["vpu0"].decoder(stream.codec)
            pictures = decoder.decode(stream)
            view = next(pictures).planes[0]
            copy = view.copy()
            os.kill(backend.worker(), signal.SIGKILL)
            since = time.monotonic()
            with pytest.raises(paracore.DeviceLost, match="worker died"):
                deque(pictures)
            assert time.monotonic() - since < 1
            with pytest.raises(paracore.DeviceLost):
                decoder.receive()
            decoder.close()
            assert (view == copy).all()
        with paracore.open(backend.address) as again:
            hashes(again.devices["vpu0"], film("h264.mp4"))


@pytest.mark.alone
@pytest.mark.parametrize("on_loss", ["recover", "fail"])
def test_a_killed_backend_is_told_within_a_second(make_backend, on_loss):
    backend = make_backend(driver="libav")
    with (
        paracore.open(backend.address, on_loss=on_loss) as domain,
        demux(clips.natural("carphone_pristine").path) as stream,
        domain.devices["vpu0"].decoder(stream.codec) as decoder,
    ):
        pictures = decoder.decode(stream)
        view = next(pictures).planes[0]
        backend.kill()
        since = time.monotonic()
        with pytest.raises((paracore.TransportError, paracore.DeviceLost)):
            deque(pictures)
        assert time.monotonic() - since < 1
        assert view.shape == (144, 176)
    backend.start()


def test_a_channel_closed_under_a_waiting_thread(address):
    domain = paracore.open(address)
    decoder = domain.devices["vpu0"].decoder("h264")
    told = []

    def wait():
        try:
            decoder.receive()
        except paracore.Error as error:
            told.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    domain.close()
    thread.join(10)
    assert len(told) == 1
