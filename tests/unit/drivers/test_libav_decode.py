# SPDX-License-Identifier: Apache-2.0
"""The libav driver's decoders against ffmpeg's own: every picture must be the same to the bit."""

from __future__ import annotations

import random
import select
from itertools import pairwise
from pathlib import Path

import pytest

from paracore.classes import video
from paracore.classes.video import (
    ChangeFlag,
    Codec,
    Control,
    Direction,
    Error,
    InputFlag,
    OpenFlag,
    OutputFlag,
    PixelFormat,
)
from paracore.drivers import CallFailed, libav
from paracore.testing import Memory, Player, Unit
from tests import clips

NO_FLAGS = OpenFlag(0)


@pytest.fixture
def start():
    """Opens sessions and closes them in the end."""
    sessions = []

    def open_session(codec, *, threads=1, flags=NO_FLAGS, **options):
        session = libav.make("vpu0", threads=threads).open(codec, Direction.DECODE, flags)
        sessions.append(session)
        return Player(session, **options)

    yield open_session
    for session in sessions:
        session.close()


def digests(pictures):
    return [picture.digest for picture in pictures]


def outputs(player):
    return [event for event in player.events if isinstance(event, video.OutputReady)]


def changes(player):
    return [event for event in player.events if isinstance(event, video.SourceChange)]


# --- the same pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("name", clips.RECIPES)
def test_every_picture_is_ffmpegs(start, name, threads):
    clip = clips.clip(name)
    player = start(clip.codec, threads=threads)
    pictures = player.play(clip.units)
    assert digests(pictures) == [digest for _, digest in clips.reference(clip.path)]
    assert player.session.copies == 0
    assert not any(picture.event.flags & OutputFlag.ERROR for picture in pictures)
    assert not any(event.error for event in player.events if isinstance(event, video.InputDone))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", clips.NATURAL)
def test_natural_clips_with_their_timestamps(start, name, threads):
    clip = clips.natural(name)
    pictures = start(clip.codec, threads=threads).play(clip.units)
    assert [(picture.event.timestamp, picture.digest) for picture in pictures] == clips.reference(clip.path)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    "names",
    [
        ("h264", "h264-cropped", "h264"),
        ("h264-cropped", "h264-10", "h264-444", "h264"),
        ("hevc", "hevc-10", "hevc"),
        ("vp8", "vp8"),
        ("vp9", "vp9-10", "vp9-444", "vp9"),
        ("av1", "av1-10", "av1"),
        ("mjpeg", "mjpeg-422", "mjpeg-444", "mjpeg"),
    ],
    ids=" ".join,
)
def test_the_format_changes_in_mid_stream(start, names, threads):
    clip = clips.joined(*names)
    player = start(clip.codec, threads=threads)
    expected = [digest for name in names for _, digest in clips.reference(clips.clip(name).path)]
    assert digests(player.play(clip.units)) == expected
    told = [change for change in changes(player) if change.changes & ChangeFlag.BUFFERS]
    assert len(told) == 1 + sum(one != other for one, other in pairwise(names))
    assert player.session.copies == 0


@pytest.mark.parametrize("name", ["h264", "h264-slices", "h264-interlaced", "mpeg2", "mpeg4"])
def test_damaged_pictures_are_flagged_and_are_what_ffmpeg_makes_of_them(start, name, tmp_path):
    clip = clips.clip(name)
    damaged = damage(clip.units, seed=5)
    path = tmp_path / clip.path.name
    path.write_bytes(b"".join(unit.octets for unit in damaged))
    pictures = start(clip.codec).play(damaged)
    assert digests(pictures) == [digest for _, digest in clips.reference(path)]
    flagged = [picture.digest for picture in pictures if picture.event.flags & OutputFlag.ERROR]
    assert flagged
    assert not set(flagged) & set(digests(start(clip.codec).play(clip.units)))


def damage(units, seed, share=0.3):
    """Flips bits behind the headers of some units."""
    chance = random.Random(seed)
    damaged = []
    for unit in units:
        octets = bytearray(unit.octets)
        for _ in range(3 if chance.random() < share and len(octets) > 200 else 0):
            octets[chance.randrange(100, len(octets))] ^= 1 << chance.randrange(8)
        damaged.append(unit._replace(octets=bytes(octets)))
    return damaged


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", ["h264", "hevc", "vp8", "vp9", "av1", "mpeg2", "mpeg4", "mjpeg"])
def test_a_session_outlives_any_octets(start, name, threads):
    clip = clips.clip(name)
    chance = random.Random(3)
    player = start(clip.codec, threads=threads)
    for unit in clip.units:
        cut = unit.octets[: chance.randrange(1, len(unit.octets) + 1)]
        noise = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 300)))
        player.play([Unit(cut, 0), Unit(noise, 1)])
    player.session.flush()
    expected = [digest for _, digest in clips.reference(clip.path)]
    assert digests(player.play(clip.units))[-5:] == expected[-5:]


# --- what is told of them -----------------------------------------------------------------------------------


def test_colour_range_crop_and_rate_are_told(start):
    full = start(Codec.H264)
    full.play(clips.clip("h264-full").units)
    told = full.formats[1]
    assert (told.color_primaries, told.color_matrix, told.color_range) == (1, 1, 2)
    assert (told.rate_num, told.rate_den) == (25, 1)
    cropped = start(Codec.H264)
    picture = cropped.play(clips.clip("h264-cropped").units)[0]
    assert (picture.format.coded_width, picture.format.coded_height) == (176, 112)
    assert (picture.format.width, picture.format.height) == (162, 110)
    assert (picture.event.width, picture.event.height) == (162, 110)


CHROMA_ROWS = {PixelFormat.YUV420P: 2, PixelFormat.YUV420P10LE: 2, PixelFormat.YUV440P: 2}
"""How many times fewer rows there are of chroma; once, when it is not here."""


@pytest.mark.parametrize("name", ["h264", "h264-cropped", "h264-422-10", "hevc-rgb", "vp9", "av1-10", "mjpeg-444"])
def test_planes_follow_each_other_as_if_there_were_a_few_rows_more(start, name):
    clip = clips.clip(name)
    player = start(clip.codec)
    player.play(clip.units[:4])
    form = player.formats[1]
    rows, rest = divmod(form.plane_offset[1], form.plane_stride[0])
    assert (rest, rows % 2) == (0, 0)
    assert form.coded_height < rows <= form.coded_height + 2 * 128
    chroma = form.plane_stride[1] * rows // CHROMA_ROWS.get(form.pixel_format, 1)
    assert form.plane_offset[2] - form.plane_offset[1] == chroma
    assert form.plane_offset[2] + chroma <= form.size < form.plane_offset[2] + chroma + 4096
    assert not any(offset % 64 for offset in form.plane_offset)


def test_interlacing_keys_and_picture_types_are_told(start):
    interlaced = start(Codec.MPEG2).play(clips.clip("mpeg2-interlaced").units)
    both = OutputFlag.INTERLACED | OutputFlag.TOP_FIRST
    assert all(picture.event.flags & both == both for picture in interlaced)
    pictures = start(Codec.H264).play(clips.clip("h264").units)
    assert [n for n, picture in enumerate(pictures) if picture.event.flags & OutputFlag.KEY] == [0, 12]
    types = {picture.event.picture_type for picture in pictures}
    assert types == {video.PictureType.INTRA, video.PictureType.PREDICTED, video.PictureType.BIDIRECTIONAL}


def test_a_change_of_colour_alone_needs_no_new_spans(start):
    clip = clips.joined("h264", "h264-full")
    player = start(Codec.H264)
    pictures = player.play(clip.units)
    assert [change.changes for change in changes(player)] == [ChangeFlag.BUFFERS, ChangeFlag.COLOR]
    assert [picture.event.generation for picture in pictures] == [1] * 20 + [2] * 20
    assert not any(event.flags & (OutputFlag.CANCELLED | OutputFlag.EMPTY) for event in outputs(player))


def test_a_timestamp_may_be_missing(start):
    clip = clips.clip("h264-baseline")
    none = -(1 << 63)
    pictures = start(Codec.H264).play([unit._replace(timestamp=none, duration=0) for unit in clip.units])
    assert {(picture.event.timestamp, picture.event.duration) for picture in pictures} == {(none, 0)}


# --- memory ---------------------------------------------------------------------------------------------------


def test_the_codec_writes_into_the_domains_own_mapping(start):
    """Seen through another mapping of the same pages: the codec's writes are there, nothing moves them."""
    player = start(Codec.H264, hold=True)
    player.send(clips.clip("h264-baseline").units[0])
    player.wait(lambda: bool(player.held))
    written = player.held[0]
    assert written.view[: player.formats[1].plane_stride[0]].strip(b"\0")
    written.map[0] ^= 0xFF
    assert written.view[0] == written.map[0]
    assert player.session.copies == 0


def test_a_span_must_be_aligned(start):
    player = start(Codec.H264)
    memory = Memory(1 << 16)
    with pytest.raises(CallFailed) as refusal:
        player.session.queue_output(memory.span._replace(address=memory.span.address + 8), 1)
    assert refusal.value.error is Error.INVALID


def test_spans_that_overlap_are_busy(start):
    player = start(Codec.H264)
    memory = Memory(1 << 16)
    player.lend(memory)
    half = memory.span._replace(address=memory.span.address + 4096, length=4096)
    with pytest.raises(CallFailed) as refusal:
        player.session.queue_output(half, 99)
    assert refusal.value.error is Error.BUSY


def test_references_are_held_until_they_are_forgotten(start):
    player = start(Codec.H264, hold=True)
    player.send(*clips.clip("h264-baseline").units[:1])
    player.wait(lambda: bool(player.held))
    shown = player.held[0]
    assert player.session.holds(shown.span), "the next picture refers to it"
    player.session.flush()
    assert not player.session.holds(shown.span)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_codec_that_keeps_more_than_it_said_asks_for_more(start, threads):
    clip = clips.joined("h264-baseline", "h264-refs")
    player = start(Codec.H264, threads=threads)
    expected = [
        digest for name in ("h264-baseline", "h264-refs") for _, digest in clips.reference(clips.clip(name).path)
    ]
    assert digests(player.play(clip.units)) == expected
    first, *others = changes(player)
    assert {change.changes for change in others} == {ChangeFlag.COUNT}
    assert others[-1].format.buffers_min >= 12
    assert others[-1].format._replace(buffers_min=0) == first.format._replace(buffers_min=0)
    assert not any(event.flags & OutputFlag.EMPTY for event in outputs(player)[:-1])


def test_a_picture_shown_again_is_copied_and_counted(start):
    """VP9's show_existing_frame, on a picture that has been given out already."""
    player = start(Codec.VP9)
    again = Unit(bytes([0b1000_1000]), 500)
    pictures = player.play([*clips.clip("vp9").units[:1], again])
    assert len(pictures) == 2
    assert pictures[0].digest == pictures[1].digest
    assert player.session.copies == 1


# --- order ------------------------------------------------------------------------------------------------------


def test_pictures_are_not_held_back(start):
    """Without reordering and on one thread each unit's picture comes before the next unit is sent."""
    player = start(Codec.H264)
    for number, unit in enumerate(clips.clip("h264-baseline").units):
        player.send(unit)
        player.wait(lambda number=number: len(player.pictures) == number + 1)


def test_low_delay_with_threads_holds_nothing_back(start):
    player = start(Codec.H264, threads=4, flags=OpenFlag.LOW_DELAY)
    for number, unit in enumerate(clips.clip("h264-baseline").units):
        player.send(unit)
        player.wait(lambda number=number: len(player.pictures) == number + 1)


@pytest.mark.parametrize("name", ["h264", "hevc", "mpeg2", "mpeg4"])
def test_low_delay_keeps_the_order(start, name):
    clip = clips.clip(name)
    pictures = start(clip.codec, threads=2, flags=OpenFlag.LOW_DELAY).play(clip.units)
    assert digests(pictures) == [digest for _, digest in clips.reference(clip.path)]


def test_parameter_sets_may_come_by_themselves(start):
    clip = clips.clip("h264")
    first = clip.units[0].octets
    start_of_picture = first.rindex(b"\0\0\1\x65")
    config = Unit(first[:start_of_picture], 0, 0, InputFlag.CONFIG)
    player = start(Codec.H264)
    player.send(config)
    player.wait_inputs()
    assert player.events == [video.InputDone(1, 0)]
    pictures = player.play([Unit(first[start_of_picture:], 0, 1), *clip.units[1:]])
    assert digests(pictures) == [digest for _, digest in clips.reference(clip.path)]


def test_a_stream_cut_at_the_start_begins_at_the_next_key_picture(start, tmp_path):
    clip = clips.clip("h264")
    path = tmp_path / "cut.h264"
    path.write_bytes(b"".join(unit.octets for unit in clip.units[3:]))
    pictures = start(Codec.H264).play(clip.units[3:])
    assert digests(pictures) == [digest for _, digest in clips.reference(path)]


# --- settings ----------------------------------------------------------------------------------------------------


def test_threads_are_bounded_by_the_device():
    session = libav.make("vpu0", threads=1, threads_max=2).open(Codec.H264, Direction.DECODE, NO_FLAGS)
    assert session.control_get(Control.THREADS) == 1
    assert session.control_set(Control.THREADS, 16) == 2
    assert session.control_set(Control.THREADS, 0) == 2
    session.close()


def test_a_setting_of_a_running_codec_is_busy(start):
    player = start(Codec.H264)
    player.play(clips.clip("h264").units[:1])
    with pytest.raises(CallFailed) as refusal:
        player.session.control_set(Control.THREADS, 2)
    assert refusal.value.error is Error.BUSY


def test_one_thread_is_one_thread(start):
    def threads():
        return {thread.name for thread in Path("/proc/self/task").iterdir()}

    before = threads()  # a thread of a session before may still be on its way out
    player = start(Codec.H264, threads=1)
    player.play(clips.clip("h264").units)
    assert len(threads() - before) == 1


def test_the_descriptor_is_quiet_when_there_is_nothing_to_tell(start):
    player = start(Codec.H264)
    poll = select.poll()
    poll.register(player.session.fileno(), select.POLLIN)
    assert not poll.poll(0)
    player.play(clips.clip("h264").units)
    player.take()
    assert not poll.poll(0)


def test_nothing_reaches_stderr(start, capfd):
    clip = clips.clip("hevc")
    start(clip.codec).play(damage(clip.units, seed=1, share=1))
    assert capfd.readouterr() == ("", "")
