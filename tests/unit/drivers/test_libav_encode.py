# SPDX-License-Identifier: Apache-2.0
"""The libav driver's encoders, by what their streams decode to."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from paracore.classes import video
from paracore.classes.video import Codec, Control, Direction, Error, InputFlag, OpenFlag, OutputFlag, PixelFormat
from paracore.drivers import CallFailed, libav
from paracore.frontend._geometry import Crop, plane_geometry
from paracore.testing import Memory, Player, Unit

CODECS = [
    (Codec.H264, PixelFormat.YUV420P),
    (Codec.H264, PixelFormat.NV12),
    (Codec.H264, PixelFormat.YUV422P10LE),
    (Codec.HEVC, PixelFormat.YUV420P),
    (Codec.HEVC, PixelFormat.YUV420P10LE),
    (Codec.VP9, PixelFormat.YUV420P),
    (Codec.VP9, PixelFormat.YUV444P),
    (Codec.AV1, PixelFormat.YUV420P),
    (Codec.AV1, PixelFormat.YUV420P10LE),
    (Codec.MJPEG, PixelFormat.YUV420P),
    (Codec.MJPEG, PixelFormat.YUV422P),
]
NO_FLAGS = OpenFlag(0)
STEP = 3600
EVERY = [Codec.H264, Codec.HEVC, Codec.VP9, Codec.AV1, Codec.MJPEG]


def wanted(pixel_format=PixelFormat.YUV420P, width=160, height=96, rate=Fraction(25)):
    about = (video.FieldOrder.PROGRESSIVE, 1, 1, 1, 1, 0, 1, 1, rate.numerator, rate.denominator)
    return video.PictureFormat(pixel_format, 0, 0, 0, 0, width, height, 0, (0,) * 4, (0,) * 4, 0, 0, *about)


def planes(memory, form):
    """The visible samples of each plane, to be written."""
    crop = Crop(0, 0, form.width, form.height)
    return [
        np.ndarray(plane.shape, plane.typestr, memory.map, plane.offset, plane.strides)
        for plane in plane_geometry(form, crop)
    ]


def noise(memory, form, number):
    """What costs bits."""
    for plane in planes(memory, form):
        plane[...] = np.random.default_rng(number).integers(0, 256, plane.shape)


def paint(memory, form, number):
    """A gradient that moves, smooth enough to survive any codec."""
    top = (1 << 10) - 1 if form.pixel_format.name.endswith("10LE") else 255
    for plane in planes(memory, form):
        rows, columns = plane.shape[:2]
        ramp = np.add.outer(np.arange(rows) * 96 // rows, np.arange(columns) * 96 // columns) + 4 * number % 60
        plane[...] = (ramp * top // 255).reshape(rows, columns, *[1] * (plane.ndim - 2))


class Encoding(Player):
    """An encoder session that paints its own pictures."""

    def __init__(self, codec, form=None, *, room=1 << 18, spans=4, flags=NO_FLAGS, threads=1, **controls):
        super().__init__(libav.make("vpu0", threads=threads).open(codec, Direction.ENCODE, flags))
        for control, value in controls.items():
            self.session.control_set(Control[control.upper()], value)
        self.form = self.session.format_set(form or wanted())
        self.number = 0
        self.lend_new(spans, room)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.close()

    def paint(self, *keys, count=1, brush=paint):
        for _ in range(count):
            self.wait(lambda: len(self.inputs) < self.form.buffers_min)
            memory = Memory(self.form.size, read_only=True)
            brush(memory, self.form, self.number)
            flags = InputFlag.KEY if self.number in keys else InputFlag(0)
            self.queue(memory, 5 + STEP * self.number, STEP, flags)
            self.number += 1

    def finish(self):
        self.session.drain()
        self.wait_drained()
        return self.packets

    def decoded(self, codec):
        session = libav.make("vpu0", threads=1).open(codec, Direction.DECODE, NO_FLAGS)
        units = [Unit(octets, event.timestamp, event.duration) for event, octets in self.packets]
        try:
            return Player(session).play(units)
        finally:
            session.close()


@pytest.mark.parametrize(("codec", "pixel_format"), CODECS, ids=lambda value: value.name.lower())
def test_what_is_encoded_decodes_to_the_same_pictures(codec, pixel_format):
    with Encoding(codec, wanted(pixel_format)) as encoding:
        encoding.paint(count=16)
        events = [event for event, _ in encoding.finish()]
        times = [5 + STEP * number for number in range(16)]
        assert sorted(event.timestamp for event in events) == times
        assert all(event.decode_timestamp <= event.timestamp and event.duration == STEP for event in events)
        assert all(one.decode_timestamp < other.decode_timestamp for one, other in pairwise(events))
        assert encoding.session.copies == 0
        pictures = encoding.decoded(codec)
    assert [picture.event.timestamp for picture in pictures] == times
    assert {(picture.event.width, picture.event.height) for picture in pictures} == {(160, 96)}


@pytest.mark.parametrize("codec", EVERY, ids=lambda codec: codec.name.lower())
def test_a_picture_survives(codec):
    """The mean error of a smooth picture is small, in each plane: layout and strides are right."""
    with Encoding(codec, quality=2 if codec is Codec.MJPEG else 10) as encoding:
        encoding.paint(count=3)
        encoding.finish()
        session = libav.make("vpu0", threads=1).open(codec, Direction.DECODE, NO_FLAGS)
        player = Player(session, hold=True)
        player.send(*[Unit(octets, event.timestamp) for event, octets in encoding.packets])
        session.drain()
        player.wait(lambda: player.count(video.Drained) > 0)
        seen = planes(player.held[0], player.formats[1])
        session.close()
        original = Memory(encoding.form.size)
        paint(original, encoding.form, 0)
        for one, other in zip(seen, planes(original, encoding.form), strict=True):
            assert np.abs(one.astype(int) - other.astype(int)).mean() < 6


@pytest.mark.parametrize("low_delay", [0, 1])
@pytest.mark.parametrize("codec", EVERY, ids=lambda codec: codec.name.lower())
def test_key_frames_on_demand(codec, low_delay):
    with Encoding(codec, low_delay=low_delay) as encoding:
        encoding.paint(6, 9, count=12)
        keys = [event.timestamp for event, _ in encoding.finish() if event.flags & OutputFlag.KEY]
        assert {5, 5 + 6 * STEP, 5 + 9 * STEP} <= set(keys)
        pictures = encoding.decoded(codec)
        assert len(pictures) == 12
        start = next(n for n, (event, _) in enumerate(encoding.packets) if event.timestamp == 5 + 6 * STEP)
        encoding.packets = encoding.packets[start:]
        from_key = encoding.decoded(codec)
    assert [picture.digest for picture in from_key[-6:]] == [picture.digest for picture in pictures[-6:]]


def test_the_bit_rate_changes_in_mid_stream():
    with Encoding(Codec.H264, wanted(width=320, height=240), bitrate=100_000, preset=0, low_delay=1) as encoding:
        encoding.paint(count=30, brush=noise)
        encoding.wait_inputs()
        encoding.session.control_set(Control.BITRATE, 3_000_000)
        encoding.paint(count=30, brush=noise)
        sizes = [len(octets) for _, octets in encoding.finish()]
    assert sum(sizes[35:]) > 2 * sum(sizes[5:30])


@pytest.mark.parametrize("codec", [Codec.HEVC, Codec.VP9, Codec.AV1, Codec.MJPEG], ids=lambda codec: codec.name.lower())
def test_a_codec_that_cannot_change_its_bit_rate_is_busy(codec):
    with Encoding(codec, bitrate=300_000) as encoding:
        encoding.paint()
        with pytest.raises(CallFailed) as refusal:
            encoding.session.control_set(Control.BITRATE, 400_000)
        assert refusal.value.error is Error.BUSY


def test_low_delay_holds_nothing_back():
    with Encoding(Codec.H264, flags=OpenFlag.LOW_DELAY) as encoding:
        for number in range(8):
            encoding.paint()
            encoding.wait(lambda number=number: len(encoding.packets) == number + 1)


def test_controls_shape_the_stream():
    with Encoding(Codec.H264, gop=5, b_frames=0) as encoding:
        encoding.paint(count=15)
        events = [event for event, _ in encoding.finish()]
    assert [n for n, event in enumerate(events) if event.flags & OutputFlag.KEY] == [0, 5, 10]
    assert video.PictureType.BIDIRECTIONAL not in {event.picture_type for event in events}


@pytest.mark.parametrize("codec", EVERY, ids=lambda codec: codec.name.lower())
def test_a_drain_and_a_flush_begin_a_new_stream(codec):
    with Encoding(codec) as encoding:
        for _ in range(2):
            encoding.paint(count=3)
            encoding.finish()
        encoding.paint(count=2)
        encoding.session.flush()
        encoding.take()
        assert not encoding.inputs
        del encoding.packets[6:]
        encoding.paint(count=3)
        encoding.finish()
        keys = [n for n, (event, _) in enumerate(encoding.packets) if event.flags & OutputFlag.KEY]
        assert {0, 3, 6} <= set(keys)
        assert len(encoding.decoded(codec)) == 9


def test_colour_and_rate_are_written_into_the_stream():
    with Encoding(
        Codec.H264, wanted(rate=Fraction(30000, 1001))._replace(color_range=2, aspect_num=4, aspect_den=3)
    ) as encoding:
        encoding.paint(count=2)
        encoding.finish()
        told = encoding.decoded(Codec.H264)[0].format
    assert (told.rate_num, told.rate_den) == (30000, 1001)
    assert (told.color_primaries, told.color_transfer, told.color_matrix, told.color_range) == (1, 1, 1, 2)
    assert (told.aspect_num, told.aspect_den) == (4, 3)


@pytest.mark.parametrize(
    ("codec", "form", "error"),
    [
        (Codec.H264, wanted(width=161), Error.INVALID),
        (Codec.H264, wanted(height=0), Error.INVALID),
        (Codec.H264, wanted(width=1 << 20), Error.INVALID),
        (Codec.AV1, wanted(width=32), Error.INVALID),
        (Codec.AV1, wanted(PixelFormat.YUV444P), Error.NOT_SUPPORTED),
        (Codec.MJPEG, wanted(PixelFormat.YUV420P10LE), Error.NOT_SUPPORTED),
    ],
)
def test_formats_that_are_refused(codec, form, error):
    session = libav.make("vpu0").open(codec, Direction.ENCODE, NO_FLAGS)
    with pytest.raises(CallFailed) as refusal:
        session.format_set(form)
    session.close()
    assert refusal.value.error is error


@pytest.mark.parametrize(
    ("control", "value"), [("QUALITY", 52), ("PRESET", 10), ("GOP", 0), ("BITRATE", -1), ("B_FRAMES", 17)]
)
def test_values_that_are_refused(control, value):
    session = libav.make("vpu0").open(Codec.H264, Direction.ENCODE, NO_FLAGS)
    with pytest.raises(CallFailed) as refusal:
        session.control_set(Control[control], value)
    session.close()
    assert refusal.value.error is Error.INVALID


def test_odd_sizes_where_the_codec_takes_them():
    with Encoding(Codec.VP9, wanted(width=97, height=65)) as encoding:
        encoding.paint(count=2)
        encoding.finish()
        assert {(picture.event.width, picture.event.height) for picture in encoding.decoded(Codec.VP9)} == {(97, 65)}


def test_timestamps_of_any_value_do_no_harm():
    with Encoding(Codec.H264, b_frames=3) as encoding:
        for timestamp in (-(1 << 63), (1 << 63) - 1, 0, -1, 1 << 62):
            memory = Memory(encoding.form.size, read_only=True)
            encoding.wait(lambda: len(encoding.inputs) < 2)
            encoding.queue(memory, timestamp, (1 << 63) - 1)
        packets = encoding.finish()
    assert {event.timestamp for event, _ in packets} == {-(1 << 63), (1 << 63) - 1, 0, -1, 1 << 62}


def test_encoding_with_a_thread_per_picture():
    with Encoding(Codec.MJPEG, threads=4) as encoding:
        assert encoding.form.buffers_min > 4
        encoding.paint(count=12)
        assert len(encoding.finish()) == 12
