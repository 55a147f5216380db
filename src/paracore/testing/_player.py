# SPDX-License-Identifier: Apache-2.0
"""One session of a driver, driven as a domain would drive it, with all that can be seen written down.

Spans are memory that is mapped twice, once for each side. Whatever the driver does is checked as it happens: a
span it gives back must be one it had, a picture must be of a format it told of, generations do not go back.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import select
import time
from ctypes import addressof, c_char
from typing import TYPE_CHECKING, NamedTuple

from paracore.classes import video
from paracore.classes.video import OutputFlag
from paracore.drivers import Span
from paracore.frontend._geometry import Crop, check_format, plane_geometry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from paracore.drivers import VideoSession
    from paracore.frontend._geometry import PlaneGeometry

__all__ = ["Memory", "Picture", "Player", "Unit"]

NO_FLAGS = video.InputFlag(0)
PATIENCE = 30.0
"""Seconds that a driver may stay silent while it has all it needs."""


class Unit(NamedTuple):
    """One access unit."""

    octets: bytes
    timestamp: int
    duration: int = 0
    flags: video.InputFlag = NO_FLAGS


class Picture(NamedTuple):
    """A picture that came out, and a digest of its visible samples, plane by plane without padding."""

    event: video.OutputReady
    format: video.PictureFormat
    digest: str


class Memory:
    """Memory to lend, mapped twice, as it is between two processes: ``map`` may be written, ``view`` may not.

    Args:
        length: in octets.
        read_only: the driver gets the view.
    """

    def __init__(self, length: int, *, read_only: bool = False) -> None:
        self.length = length
        descriptor = os.memfd_create("span", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, -(-length // mmap.PAGESIZE) * mmap.PAGESIZE)
        self.map = mmap.mmap(descriptor, 0)
        self.view = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        os.close(descriptor)
        address = _address_of_view(self.view) if read_only else addressof(c_char.from_buffer(self.map))
        self.span = Span(address, length, read_only)


def _address_of_view(view: mmap.mmap) -> int:
    import numpy as np  # noqa: PLC0415 - ctypes has no way to the address of memory that cannot be written

    return int(np.frombuffer(view, np.uint8).ctypes.data)


def digest(memory: mmap.mmap, format_: video.PictureFormat, event: video.OutputReady) -> str:
    """MD5 of the visible samples, as ``ffmpeg -f framemd5`` makes it of a raw picture."""
    crop = Crop(event.crop_left, event.crop_top, event.width, event.height)
    total = hashlib.md5(usedforsecurity=False)
    for plane in plane_geometry(format_, crop):
        for start, length in _rows(plane):
            total.update(memory[start : start + length])
    return total.hexdigest()


def _rows(plane: PlaneGeometry) -> Iterable[tuple[int, int]]:
    sample = int(plane.typestr[2])
    length = sample
    for side in plane.shape[1:]:
        length *= side
    return ((plane.offset + row * plane.strides[0], length) for row in range(plane.shape[0]))


class Player:
    """See the module.

    Args:
        session: a new one.
        spans: how many more than ``buffers_min`` to lend.
        hold: do not give spans back before ``give_back`` is called.

    Attributes:
        events: all that was told, in order.
        pictures: those that came out; ``packets`` of an encoder.
        formats: by generation.
    """

    def __init__(self, session: VideoSession, *, spans: int = 0, hold: bool = False) -> None:
        self.session = session
        self.events: list[video.Event] = []
        self.pictures: list[Picture] = []
        self.packets: list[tuple[video.OutputReady, bytes]] = []
        self.formats: dict[int, video.PictureFormat] = {}
        self.inputs: dict[int, Memory] = {}
        self.outputs: dict[int, Memory] = {}
        self.held: list[Memory] = []
        self.hold = hold
        self._spare = spans
        self._owned: list[Memory] = []
        self._retired: list[Memory] = []
        self._cookie = 0
        self._poll = select.poll()
        self._poll.register(session.fileno(), select.POLLIN)

    # --- what a domain does ---------------------------------------------------------------------

    def send(self, *units: Unit) -> None:
        """Queues access units."""
        for unit in units:
            memory = Memory(len(unit.octets))
            memory.map[: len(unit.octets)] = unit.octets
            self.queue(memory, unit.timestamp, unit.duration, unit.flags)

    def queue(self, memory: Memory, timestamp: int, duration: int = 0, flags: video.InputFlag = NO_FLAGS) -> int:
        """Queues any input; returns its cookie."""
        cookie = self._next_cookie()
        self.session.queue_input(memory.span, cookie, flags, timestamp, duration)
        self.inputs[cookie] = memory
        return cookie

    def lend(self, memory: Memory) -> int:
        """Queues an output; returns its cookie."""
        cookie = self._next_cookie()
        self.session.queue_output(memory.span, cookie)
        self.outputs[cookie] = memory
        return cookie

    def lend_new(self, count: int, length: int) -> None:
        """Queues new memory for outputs."""
        for _ in range(count):
            memory = Memory(length)
            self._owned.append(memory)
            self.lend(memory)

    def give_back(self) -> None:
        """Lends again what was held."""
        held, self.held = self.held, []
        for memory in held:
            self.lend(memory)

    def play(self, units: Sequence[Unit], *, depth: int = 4) -> list[Picture]:
        """Decodes units to the end of a drain, with at most ``depth`` queued; the pictures of this run."""
        before = len(self.pictures)
        for unit in units:
            self.wait(lambda: len(self.inputs) < depth)
            self.send(unit)
        self.session.drain()
        self.wait_drained()
        return self.pictures[before:]

    # --- what it waits for ------------------------------------------------------------------------

    def take(self) -> list[video.Event]:
        """What has happened by now."""
        events = list(self.session.completions())
        for event in events:
            self.events.append(event)
            self._on(event)
        return events

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until the condition holds; an assertion fails when the driver stays silent instead."""
        deadline = time.monotonic() + PATIENCE
        self.take()
        while not condition():
            left = deadline - time.monotonic()
            heard = left > 0 and self._poll.poll(left * 1000)
            assert heard, f"the driver is silent; its last words: {self.events[-5:]}"
            self.take()

    def wait_inputs(self) -> None:
        """Until the driver has given all inputs back."""
        self.wait(lambda: not self.inputs)

    def wait_drained(self) -> None:
        """Until the next ``drained``."""
        count = self.count(video.Drained)
        self.wait(lambda: self.count(video.Drained) > count)

    def count(self, kind: type[video.Event]) -> int:
        """How often this was told."""
        return sum(isinstance(event, kind) for event in self.events)

    # --- what it is told ----------------------------------------------------------------------------

    def _on(self, event: video.Event) -> None:
        if isinstance(event, video.InputDone):
            del self.inputs[event.cookie]
        elif isinstance(event, video.OutputReady):
            self._on_output(event, self.outputs.pop(event.cookie))
        elif isinstance(event, video.SourceChange):
            self._on_change(event)

    def _on_output(self, event: video.OutputReady, memory: Memory) -> None:
        if event.flags & OutputFlag.CANCELLED:
            self._retire(memory)
            return
        if not event.flags & OutputFlag.EMPTY:
            self._note(event, memory)
        if self.hold:
            self.held.append(memory)
        else:
            self.lend(memory)

    def _retire(self, memory: Memory) -> None:
        """What is given back unused is not lent again; a codec may still read it, so that it stays mapped."""
        self._retired = [old for old in [*self._retired, memory] if self.session.holds(old.span)]
        if memory in self._owned:
            self._owned.remove(memory)

    def _note(self, event: video.OutputReady, memory: Memory) -> None:
        if not event.generation:
            self.packets.append((event, memory.view[: event.bytes_used]))
            return
        format_ = self.formats[event.generation]
        assert event.bytes_used == format_.size
        assert not self.pictures or self.pictures[-1].event.generation <= event.generation, "generations do not go back"
        self.pictures.append(Picture(event, format_, digest(memory.view, format_, event)))

    def _on_change(self, event: video.SourceChange) -> None:
        assert event.generation == len(self.formats) + 1, "generations count up from 1"
        check_format(event.format)
        self.formats[event.generation] = event.format
        if event.changes & (video.ChangeFlag.BUFFERS | video.ChangeFlag.COUNT):
            self._provide(event.format)

    def _provide(self, format_: video.PictureFormat) -> None:
        """As many spans as are asked for, counting those that are large enough already."""
        enough = [memory for memory in self._owned if memory.length >= format_.size]
        self.lend_new(max(0, format_.buffers_min + self._spare - len(enough)), format_.size)

    def _next_cookie(self) -> int:
        self._cookie += 1
        return self._cookie
