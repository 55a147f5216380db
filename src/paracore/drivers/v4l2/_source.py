# SPDX-License-Identifier: Apache-2.0
"""What goes into a codec: units of a bit stream, which are copied, and pictures, which are not if the kernel allows.

A bit stream is copied into the kernel's buffers, since the domain could rewrite it while it is parsed. A
picture decides nothing and is read in place, unless the node does not work in foreign pages, or the
kernel (before 6.2) wants to be able to write what it only reads, and the domain has granted it for reading.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from ctypes import memmove
from errno import ENODEV
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore.drivers import Span  # noqa: TC001 - a field of a NamedTuple
from paracore.drivers.v4l2._buffers import Mapped, Slots
from paracore.drivers.v4l2._uapi import BufferFlag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paracore.classes import video
    from paracore.drivers.v4l2._node import Dequeued, Node, Side

__all__ = ["Copying", "InPlace", "Input", "Source"]

UNIT_MAX: Final = 16 << 20
"""Octets of one unit. Bounds the kernel's memory that a domain can make a session take, a few times over."""


class Input(NamedTuple):
    """A queued input."""

    span: Span
    cookie: int
    flags: video.InputFlag
    timestamp: int
    duration: int


class Source(ABC):
    """The side that goes in."""

    copies = 0
    """Pictures that were copied."""

    def __init__(self, node: Node, side: Side) -> None:
        self._node = node
        self._side = side
        self._inputs: dict[int, Input] = {}
        self._runs = False

    @property
    def busy(self) -> bool:
        """Whether the codec has inputs."""
        return bool(self._inputs)

    @property
    def count(self) -> int:
        """How many."""
        return len(self._inputs)

    @property
    @abstractmethod
    def free(self) -> bool:
        """Whether there is room for one more."""

    @abstractmethod
    def put(self, unit: Input, tag: int) -> None:
        """Gives an input to the codec, which will say `tag` of what comes of it."""

    @abstractmethod
    def _dequeue(self) -> Dequeued | None: ...

    def done(self) -> Iterator[tuple[Input, bool]]:
        """The inputs that have come back, and whether the codec could make something of them."""
        while self._runs and (done := self._dequeue()):
            yield self._inputs.pop(done.number), not done.flags & BufferFlag.ERROR

    def start(self) -> None:
        """The side runs."""
        self._node.start(self._side)
        self._runs = True

    @abstractmethod
    def stop(self) -> list[Input]:
        """The side stands still; what the codec had, in order."""

    @abstractmethod
    def release(self) -> None:
        """Lets go of its buffers."""

    @abstractmethod
    def holds(self, span: Span) -> bool:
        """Whether the kernel has pages of it."""

    def _forget(self) -> list[Input]:
        self._runs = False
        left = list(self._inputs.values())
        self._inputs.clear()
        return left


class Copying(Source):
    """Inputs are copied; ``pieces`` say how a picture lies in its span, none that it is a unit of a bit stream."""

    def __init__(self, node: Node, side: Side, count: int, pieces: Sequence[tuple[int, int]] = ()) -> None:
        super().__init__(node, side)
        self._pieces = pieces
        self._buffers = Mapped(node, side, count)

    @property
    def free(self) -> bool:
        return bool(self._buffers.free)

    def takes(self, length: int) -> bool:
        """Whether there is a buffer for a unit so long, be it in use; a larger one is made if need be."""
        if any(area[0][1] >= length for area in self._buffers.areas):
            return True
        if length > UNIT_MAX:
            return False
        try:
            self._buffers.enlarge(1 << (length - 1).bit_length())
        except OSError as error:
            if error.errno == ENODEV:
                raise
            return False
        return True

    def free_for(self, length: int) -> int | None:
        """The smallest free buffer that holds a unit so long."""
        areas = self._buffers.areas
        fits = [index for index in self._buffers.free if areas[index][0][1] >= length]
        return min(fits, key=lambda index: areas[index][0][1], default=None)

    def put(self, unit: Input, tag: int) -> None:
        index = self.free_for(0 if self._pieces else unit.span.length)
        assert index is not None
        pieces = self._pieces or ((0, unit.span.length),)
        for (start, length), (address, _) in zip(pieces, self._buffers.areas[index], strict=False):
            memmove(address, unit.span.address + start, length)
        self._buffers.queue(index, [length for _, length in pieces], tag)
        self._buffers.free.remove(index)
        self._inputs[index] = unit
        self.copies += bool(self._pieces)

    def _dequeue(self) -> Dequeued | None:
        done = self._buffers.dequeue()
        if done:
            self._buffers.free.append(done.number)
        return done

    def stop(self) -> list[Input]:
        self._buffers.stop()
        return self._forget()

    def release(self) -> None:
        self._buffers.release()

    def holds(self, span: Span) -> bool:
        return False


class InPlace(Source):
    """Pictures are read where they are."""

    def __init__(self, node: Node, side: Side, pieces: Sequence[tuple[int, int]]) -> None:
        super().__init__(node, side)
        self._slots = Slots(node, side, pieces)

    @property
    def free(self) -> bool:
        return self._slots.idle

    def put(self, unit: Input, tag: int) -> None:
        slot = self._slots.find(unit.span.address)
        assert slot is not None
        self._slots.queue(slot, unit.span.address, filled=True, tag=tag)
        self._inputs[slot] = unit

    def _dequeue(self) -> Dequeued | None:
        return self._slots.dequeue()

    def stop(self) -> list[Input]:
        self._slots.stop()
        return self._forget()

    def release(self) -> None:
        self._slots.release()

    def holds(self, span: Span) -> bool:
        return self._slots.holds(span)
