# SPDX-License-Identifier: Apache-2.0
"""Checks of a driver's decoders, and of what all sessions have in common."""

from __future__ import annotations

import gc
import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from paracore.classes import video
from paracore.classes.video import ChangeFlag, Direction, Error, OutputFlag
from paracore.testing._driver_media import NO_FLAGS, decoded, digests, opened, refused
from paracore.testing._player import Memory, Player, Unit

if TYPE_CHECKING:
    from paracore.drivers import Driver
    from paracore.testing._driver_media import DriverMedia

__all__ = ["DECODING_CHECKS"]

PATTERN = 0xA5

# --- a stream from its beginning to its end ------------------------------------------------------------


def check_capabilities(driver: Driver, media: DriverMedia) -> None:
    """They are the same each time, each pair of codec and direction once, and each can be opened."""
    told = list(driver.capabilities())
    assert told == list(driver.capabilities())
    assert len({(can.codec, can.direction) for can in told}) == len(told)
    assert (media.codec, Direction.DECODE) in {(can.codec, can.direction) for can in told}
    for can in told:
        assert can.pixel_formats
        driver.open(can.codec, can.direction, NO_FLAGS).close()


def check_format_first(driver: Driver, media: DriverMedia) -> None:
    """The format is told before a picture is asked for, and before any comes out."""
    with opened(driver, media) as session:
        player = Player(session)
        with refused(Error.AGAIN):
            session.format_get()
        player.play(media.clip)
        first = next(event for event in player.events if not isinstance(event, video.InputDone))
        assert isinstance(first, video.SourceChange)
        assert first.changes & ChangeFlag.BUFFERS
        assert first.format.buffers_min >= 1
        assert session.format_get() == player.formats[len(player.formats)]


def check_order(driver: Driver, media: DriverMedia) -> None:
    """Pictures come in the order of presentation, with the timestamp and duration of their unit."""
    with opened(driver, media) as session:
        pictures = Player(session).play(media.clip)
    times = [(picture.event.timestamp, picture.event.duration) for picture in pictures]
    assert times == sorted((unit.timestamp, unit.duration) for unit in media.clip)
    assert all(picture.event.decode_timestamp == picture.event.timestamp for picture in pictures)
    assert pictures[0].event.flags & OutputFlag.KEY


def check_drain(driver: Driver, media: DriverMedia) -> None:
    """A drain ends with ``last`` (unless no span is there to carry it), then ``drained``; then a new sequence begins."""
    expected = decoded(driver, media)
    with opened(driver, media) as session:
        player = Player(session)
        for _ in range(2):
            start = len(player.events)
            assert digests(player.play(media.clip)) == expected
            outputs = [event for event in player.events[start:] if isinstance(event, video.OutputReady)]
            assert not any(event.flags & OutputFlag.LAST for event in outputs[:-1])
            assert isinstance(player.events[-1], video.Drained)


def check_drain_of_nothing(driver: Driver, media: DriverMedia) -> None:
    """A drain with nothing to give out completes."""
    with opened(driver, media) as session:
        player = Player(session)
        session.drain()
        player.wait(lambda: player.count(video.Drained) > 0)
        assert not player.pictures


def check_drain_twice(driver: Driver, media: DriverMedia) -> None:
    """A drain is refused while another is under way, here because nobody lends a span for the pictures."""
    with opened(driver, media) as session:
        player = Player(session, hold=True)
        player.send(*media.clip)
        session.drain()
        with refused(Error.BUSY):
            session.drain()


# --- seeking ----------------------------------------------------------------------------------------------


def check_flush(driver: Driver, media: DriverMedia) -> None:
    """A flush gives each input back once, keeps the outputs, and what follows decodes as if nothing had been."""
    expected = decoded(driver, media)
    with opened(driver, media) as session:
        player = Player(session)
        player.play(media.clip)
        player.send(*media.clip[:3])
        lent = set(player.outputs)
        session.flush()
        player.take()
        assert not player.inputs, "a flush gives all inputs back"
        given = {event.cookie for event in player.events if isinstance(event, video.OutputReady)}
        assert lent - given <= set(player.outputs)
        assert digests(player.play(media.clip)) == expected


def check_flush_while_it_waits(driver: Driver, media: DriverMedia) -> None:
    """A flush comes through while the codec waits for outputs that nobody lends."""
    with opened(driver, media) as session:
        player = Player(session, hold=True)
        player.send(*media.clip[:2])
        player.wait(lambda: bool(player.formats))
        session.flush()
        player.wait_inputs()
        cancelled = [event for event in player.events if isinstance(event, video.InputDone) and event.error]
        assert all(event.error == Error.CANCELLED for event in cancelled)
        assert not player.count(video.Drained)


def check_recall(driver: Driver, media: DriverMedia) -> None:
    """Outputs come back unused and once; those that do not are still written to; the clip decodes as ever."""
    expected = decoded(driver, media)
    with opened(driver, media) as session:
        player = Player(session)
        player.play(media.clip)
        player.take()
        lent, seen = set(player.outputs), len(player.events)
        session.recall()
        player.take()
        told = [event for event in player.events[seen:] if isinstance(event, video.OutputReady)]
        assert {event.cookie for event in told} <= lent
        assert all(video.OutputFlag.CANCELLED in event.flags and not event.bytes_used for event in told)
        player.lend_new(len(told), player.formats[max(player.formats)].size)
        assert digests(player.play(media.clip)) == expected


# --- changes -----------------------------------------------------------------------------------------------


def check_resolution_change(driver: Driver, media: DriverMedia) -> None:
    """Each resolution is told of; the pictures of one end with ``last`` before those of the next begin."""
    with opened(driver, media) as session:
        player = Player(session)
        pictures = player.play(media.resized)
    assert len(pictures) == len(media.resized)
    met = [(picture.event.width, picture.event.height) for picture in pictures]
    assert tuple(size for size, after in pairwise([*met, (0, 0)]) if size != after) == media.sizes
    assert all(picture.event.bytes_used == picture.format.size for picture in pictures)
    _check_last_marks(player)


def _check_last_marks(player: Player) -> None:
    outputs = [event for event in player.events if isinstance(event, video.OutputReady)]
    outputs = [event for event in outputs if not event.flags & OutputFlag.CANCELLED]
    for event, after in pairwise(outputs):
        before, behind = player.formats[event.generation], player.formats[after.generation]
        if before.size != behind.size:
            assert event.flags & OutputFlag.LAST, f"generation {event.generation} ends without a mark"


def check_starvation(driver: Driver, media: DriverMedia) -> None:
    """``buffers_min`` spans are enough when each is given back at once."""
    expected = decoded(driver, media)
    with opened(driver, media) as session:
        player = Player(session, spans=0)
        assert digests(player.play(media.clip, depth=1)) == expected


def check_patience(driver: Driver, media: DriverMedia) -> None:
    """A domain that keeps its pictures stops the codec, and giving them back makes it go on."""
    expected = decoded(driver, media)
    with opened(driver, media) as session:
        player = Player(session, hold=True)
        player.send(*media.clip)
        session.drain()
        while not player.count(video.Drained):
            player.wait(lambda: bool(player.held) or player.count(video.Drained) > 0)
            player.give_back()
        assert digests(player.pictures) == expected


# --- refusals -----------------------------------------------------------------------------------------------


def check_refusals(driver: Driver, media: DriverMedia) -> None:
    """A span lent twice is busy; a decoder takes no format; a control that is not there is no entry."""
    with opened(driver, media) as session:
        player = Player(session)
        memory = Memory(4096)
        player.lend(memory)
        with refused(Error.BUSY):
            player.lend(memory)
        player.play(media.clip[:1])
        with refused(Error.NOT_SUPPORTED):
            session.format_set(session.format_get())
        with refused(Error.NO_ENTRY):
            session.control_get(video.Control.GOP)


def check_damage(driver: Driver, media: DriverMedia) -> None:
    """A unit that is none is told of as invalid (with threads maybe one behind it), and the session goes on."""
    expected = decoded(driver, media)
    with opened(driver, media) as session:
        player = Player(session)
        player.send(Unit(media.damaged, 0))
        assert digests(player.play(media.clip)) == expected
        errors = {event.error for event in player.events if isinstance(event, video.InputDone)}
        assert errors == {0, Error.INVALID}


def check_controls(driver: Driver, media: DriverMedia) -> None:  # noqa: ARG001
    """Every control that a capability names can be read, and set to the value it has."""
    for can in driver.capabilities():
        session = driver.open(can.codec, can.direction, NO_FLAGS)
        for control in video.Control:
            if can.controls >> control & 1:
                assert session.control_set(control, session.control_get(control)) == session.control_get(control)
            else:
                with refused(Error.NO_ENTRY):
                    session.control_get(control)
        session.close()


# --- the end -----------------------------------------------------------------------------------------------


def check_close(driver: Driver, media: DriverMedia) -> None:
    """After a close no span is touched, no descriptor and no thread is left; closing twice is one close."""
    _close_amid(driver, media, 1)  # what a process makes once and keeps is not counted
    before = _held()
    for sent in (0, 3, 6, 9):
        _close_amid(driver, media, sent)
    assert _held() == before, "a closed session leaves descriptors or threads"


def _close_amid(driver: Driver, media: DriverMedia, sent: int) -> None:
    session = driver.open(media.codec, Direction.DECODE, NO_FLAGS)
    player = Player(session, spans=2)
    player.send(*media.clip[:sent])
    player.wait(lambda: not sent or bool(player.formats))
    session.close()
    session.close()
    _check_untouched(player)


def _check_untouched(player: Player) -> None:
    for memory in player.outputs.values():
        memory.map[:] = bytes([PATTERN]) * len(memory.map)
    for _ in range(1000):
        os.sched_yield()
    for memory in player.outputs.values():
        assert memory.map[:].count(PATTERN) == len(memory.map), "a span was written after the close"


def _held() -> tuple[int, int]:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))


DECODING_CHECKS = (
    check_capabilities,
    check_format_first,
    check_order,
    check_drain,
    check_drain_of_nothing,
    check_drain_twice,
    check_flush,
    check_flush_while_it_waits,
    check_recall,
    check_resolution_change,
    check_starvation,
    check_patience,
    check_refusals,
    check_damage,
    check_controls,
    check_close,
)
