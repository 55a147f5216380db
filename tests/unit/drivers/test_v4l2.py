# SPDX-License-Identifier: Apache-2.0
"""The shipped checks on a codec in this process, in all its flavours, and what only such a codec can be made to do."""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager

import pytest

from paracore import ConfigError
from paracore.classes import video
from paracore.classes.video import (
    CapabilityFlag,
    Codec,
    Direction,
    Error,
    FieldOrder,
    OpenFlag,
    PictureFormat,
    PixelFormat,
)
from paracore.drivers import CallFailed, v4l2
from paracore.drivers.v4l2._node import Calls
from paracore.drivers.v4l2._uapi import ControlId
from paracore.testing import DRIVER_CHECKS, DriverMedia, Player, Unit
from paracore.testing._player import Memory
from tests.unit.drivers.fake_codec import LARGEST, UNIT, FakeCodec


def unit(number: int, width: int = 64, height: int = 48) -> Unit:
    return Unit(UNIT.pack(b"fake", width, height, number, number % 4 == 0), 100 * number, 100)


def media() -> DriverMedia:
    sizes = ((64, 48), (32, 16), (96, 80))
    return DriverMedia(
        Codec.H264,
        clip=tuple(unit(number) for number in range(10)),
        resized=tuple(unit(number, *sizes[number // 4]) for number in range(12)),
        sizes=sizes,
        damaged=b"none of this codec's",
        encodes=(PixelFormat.GRAY, 64, 48),
    )


def device(codec: FakeCodec, **options) -> v4l2.V4l2Driver:
    return v4l2.make("vpu0", path="/dev/null", calls=codec.calls, **options)


FLAVOURS = {
    "in-place": {},
    "planar": {"planar": True},
    "copied": {"pages": False},
    "planar-copied": {"planar": True, "pages": False},
    "refused": {"refuses_pages": True},
    "no-button": {"button": False},
    "reorders": {"reorders": True},
    "marks-pictures": {"marks_pictures": True},
}


@pytest.mark.parametrize("check", DRIVER_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_driver(flavour, check):
    check(device(FakeCodec(**FLAVOURS[flavour])), media())


# --- what a check cannot make happen ---------------------------------------------------------------------


@contextmanager
def opened(codec: FakeCodec, direction: Direction = Direction.DECODE, **options):
    session = device(codec, **options).open(Codec.H264, direction, OpenFlag(0))
    try:
        yield session
    finally:
        session.close()
    assert not codec.mapped, "a closed session leaves mappings"


def wanted(**changes) -> PictureFormat:
    about = (FieldOrder.PROGRESSIVE, 1, 1, 1, 1, 0, 1, 1, 25, 1)
    whole = PictureFormat(PixelFormat.GRAY, 0, 0, 0, 0, 64, 48, 0, (0,) * 4, (0,) * 4, 0, 0, *about)
    return whole._replace(**changes)


def encode(session, count: int, *, read_only: bool = True) -> Player:
    format_ = session.format_set(wanted())
    player = Player(session)
    player.lend_new(4, 4096)
    for number in range(count):
        player.wait(lambda: len(player.inputs) < format_.buffers_min)
        player.queue(Memory(format_.size, read_only=read_only), number)
    session.drain()
    player.wait_drained()
    return player


def test_pages_are_pinned_once():
    codec = FakeCodec()
    with opened(codec) as session:
        tried = codec.pins
        player = Player(session, spans=2)
        player.play([unit(number) for number in range(40)])
        assert len(player.pictures) == 40
        assert codec.pins - tried <= 3
        assert session.copies == 0


def test_a_codec_without_foreign_pages_is_copied_from_and_that_is_counted():
    with opened(FakeCodec(pages=False)) as session:
        Player(session).play([unit(number) for number in range(7)])
        assert session.copies == 7
    assert session.copies == 7


def test_an_encoder_reads_in_place_unless_the_kernel_refuses():
    for codec, copies in ((FakeCodec(), 0), (FakeCodec(refuses_pages=True), 5), (FakeCodec(pages=False), 5)):
        with opened(codec, Direction.ENCODE) as session:
            assert len(encode(session, 5).packets) == 5
            assert session.copies == copies


def test_a_kernel_that_wants_to_write_what_it_reads_is_told_of():
    codec = FakeCodec(needs_writing=True)
    decoder, encoder = device(codec).capabilities()
    assert decoder.flags & CapabilityFlag.ZERO_COPY
    assert not decoder.flags & CapabilityFlag.WRITABLE_INPUT
    assert encoder.flags & CapabilityFlag.WRITABLE_INPUT
    assert not device(FakeCodec()).capabilities()[1].flags & CapabilityFlag.WRITABLE_INPUT
    for read_only, copies in ((True, 5), (False, 0)):
        with opened(codec, Direction.ENCODE) as session:
            assert len(encode(session, 5, read_only=read_only).packets) == 5
            assert session.copies == copies


def test_parameter_sets_come_with_the_pictures():
    codec = FakeCodec()
    with opened(codec, Direction.ENCODE):
        (file,) = [file for file in codec.files.values() if file.encodes][-1:]
        assert file.controls[ControlId.MPEG_VIDEO_HEADER_MODE] == 1


def test_a_control_may_be_refused():
    with opened(FakeCodec(), Direction.ENCODE) as session:
        assert session.control_set(video.Control.GOP, 5) == 5
        assert session.control_set(video.Control.BITRATE, 1 << 40) == 1 << 20, "the nearest that it can be"
        encode(session, 2)
        with pytest.raises(CallFailed) as failed:
            session.control_set(video.Control.GOP, 7)
        assert failed.value.error is Error.BUSY
        assert session.control_get(video.Control.GOP) == 5


def test_copying_can_be_asked_for():
    codec = FakeCodec()
    with opened(codec, in_place=False) as session:
        Player(session).play([unit(0)])
        assert (session.copies, codec.pins) == (1, 0)
    can = device(codec, in_place=False).capabilities()
    assert not any(each.flags & CapabilityFlag.ZERO_COPY for each in can)


@pytest.mark.parametrize(("code", "error"), [(errno.ENODEV, Error.NO_DEVICE), (errno.EIO, Error.IO)])
def test_an_unplugged_device_ends_its_sessions(code, error):
    codec = FakeCodec()
    with opened(codec) as session:
        player = Player(session, hold=True)
        player.send(*[unit(number) for number in range(3)])
        player.wait(lambda: bool(player.formats))
        codec.unplug(code)
        player.wait(lambda: player.count(video.SessionFailed) > 0)
        assert player.events[-1] == video.SessionFailed(error, video.Limit.NONE, 0)
        for call in (session.drain, session.flush, lambda: player.lend(Memory(4096)), lambda: player.send(unit(4))):
            with pytest.raises(CallFailed) as failed:
                call()
            assert failed.value.error is error
        player.take()
        assert player.count(video.SessionFailed) == 1


def test_a_device_that_has_gone_opens_no_session():
    codec = FakeCodec()
    made = device(codec)
    codec.gone = errno.ENODEV
    with pytest.raises(CallFailed) as failed:
        made.open(Codec.H264, Direction.DECODE, OpenFlag(0))
    assert failed.value.error is Error.NO_DEVICE
    with pytest.raises(CallFailed) as failed:
        made.open(Codec.AV1, Direction.DECODE, OpenFlag(0))
    assert failed.value.error is Error.NOT_SUPPORTED


def test_the_kernel_says_no_more_than_it_can():
    decoder, encoder = device(FakeCodec()).capabilities()
    assert (decoder.direction, encoder.direction) == (Direction.DECODE, Direction.ENCODE)
    assert decoder.controls == 0
    assert encoder.controls == 1 << video.Control.GOP | 1 << video.Control.BITRATE
    assert encoder.flags & CapabilityFlag.BITRATE_CHANGE
    assert (decoder.width_max, decoder.height_max) == (LARGEST, LARGEST)


def test_no_node_is_a_fault_of_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match="no node matches"):
        v4l2.make("vpu0", path=str(tmp_path / "video*"))
    (tmp_path / "video0").touch()
    with pytest.raises(ConfigError, match=r"video0: Inappropriate ioctl .*; give the node of a codec"):
        v4l2.make("vpu0", path=str(tmp_path / "video*"))

    def refused(path: str) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    with pytest.raises(ConfigError, match="run the backend as root, or add its user"):
        v4l2.make("vpu0", path="/dev/null", calls=Calls(open=refused))


def test_a_span_that_is_too_small_can_be_lent_again():
    with opened(FakeCodec()) as session:
        player = Player(session)
        player.play([unit(0)])
        small = Memory(64)
        for _ in range(2):
            cookie = player.lend(small)
            player.take()
            ready = next(event for event in player.events if getattr(event, "cookie", 0) == cookie)
            assert ready.flags is video.OutputFlag.CANCELLED
            assert ready.bytes_used == 4096


def test_more_spans_than_slots():
    with opened(FakeCodec()) as session:
        player = Player(session, spans=40)
        assert len(player.play([unit(number) for number in range(60)])) == 60


@pytest.mark.parametrize("planar", [False, True])
def test_units_larger_than_expected(planar):
    with opened(FakeCodec(planar=planar)) as session:
        player = Player(session)
        large = unit(1)._replace(octets=unit(1).octets + bytes(3 << 20))
        pictures = player.play([unit(0), large, unit(2), large, large, unit(3)])
        assert len(pictures) == 6
        assert session.copies == 0


@pytest.mark.parametrize(("enlarges", "length"), [(True, 17 << 20), (False, 1 << 20)])
def test_a_unit_that_is_nothing_or_too_much_is_invalid(enlarges, length):
    with opened(FakeCodec(enlarges=enlarges)) as session:
        player = Player(session)
        too_much = player.queue(Memory(length), 0)
        player.send(unit(1))
        session.queue_input(Memory(4096).span._replace(length=0), 99, video.InputFlag(0), 0, 0)
        player.inputs[99] = Memory(1)
        player.wait_inputs()
        errors = {event.cookie: event.error for event in player.events if isinstance(event, video.InputDone)}
        assert (errors[too_much], errors[99]) == (Error.INVALID, Error.INVALID)


def test_what_is_pinned_is_held_until_the_session_ends():
    with opened(FakeCodec()) as session:
        player = Player(session)
        picture = player.play([unit(0)])
        assert picture
        owned = player._owned[0].span
        assert session.holds(owned)
        assert not session.holds(Memory(4096).span)
    assert not session.holds(owned)


def test_a_first_picture_waits_for_a_second_only_so_long():
    """Of those that come one by one each comes out before the next goes in."""
    with opened(FakeCodec(), Direction.ENCODE) as session:
        format_ = session.format_set(wanted())
        player = Player(session)
        player.lend_new(4, 4096)
        for number in range(3):
            player.queue(Memory(format_.size), number)
            player.wait(lambda: len(player.packets) > number)  # noqa: B023 - called at once
        session.drain()
        player.wait_drained()


def test_a_session_may_end_while_its_first_picture_waits():
    with opened(FakeCodec(), Direction.ENCODE) as session:
        format_ = session.format_set(wanted())
        player = Player(session)
        player.lend_new(4, 4096)
        player.queue(Memory(format_.size), 0)
        session.flush()
        player.queue(Memory(format_.size), 1)
        session.drain()
        player.wait_drained()
        assert len(player.packets) == 1
        player.queue(Memory(format_.size), 2)


# --- hanging ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", ["in-place", "copied"])
def test_a_codec_that_hangs_is_busy_since_then(flavour):
    codec = FakeCodec(**FLAVOURS[flavour], keeps=True)
    with opened(codec) as session:
        assert session.stoppable
        player = Player(session)
        player.play([unit(number) for number in range(6)])
        assert session.busy_since() is None
        codec.hangs, before = True, time.monotonic_ns()
        player.send(unit(6))
        assert session.busy_since() is None, "it may be that it waits for the next unit"
        player.send(unit(7))
        since = session.busy_since()
        assert before < since < time.monotonic_ns()
        player.send(unit(8))
        player.take()
        assert session.busy_since() == since, "what the domain does is no progress"
        session.flush()
        player.take()
        assert session.busy_since() is None


def test_a_hang_with_a_single_input_is_told_of_a_codec_that_needs_no_other_one():
    codec = FakeCodec()
    with opened(codec) as session:
        player = Player(session)
        player.send(unit(0))
        player.wait_inputs()
        assert session.keeps == 0, "it gave its picture out, and nothing followed it"
        codec.hangs = True
        player.send(unit(1))
        assert session.busy_since()
        player.take()
        codec.hangs = False
        session.flush()
        player.take()
        assert session.busy_since() is None


def test_a_drain_has_to_come_to_its_end():
    codec = FakeCodec()
    with opened(codec) as session:
        player = Player(session)
        player.play([unit(0)])
        codec.hangs = True
        player.send(unit(1))
        session.drain()
        assert session.busy_since()


def test_a_codec_without_room_for_its_pictures_waits():
    codec = FakeCodec()
    with opened(codec) as session:
        player = Player(session, hold=True)
        player.send(*[unit(number) for number in range(8)])
        player.wait(lambda: len(player.held) == player.formats[1].buffers_min)
        assert session.busy_since() is None


def test_an_encoder_that_looks_ahead_may_keep_pictures():
    codec = FakeCodec(reorders=True)
    with opened(codec, Direction.ENCODE) as session:
        format_ = session.format_set(wanted())
        player = Player(session)
        player.lend_new(4, 4096)
        codec.hangs = True
        for number in range(3):
            player.queue(Memory(format_.size, read_only=True), number)
        assert session.busy_since() is None
        player.queue(Memory(format_.size, read_only=True), 3)
        assert session.busy_since()
