# SPDX-License-Identifier: Apache-2.0
"""A decoder: Documentation/userspace-api/media/v4l/dev-decoder.rst, from the client's side.

The codec tells of a format by an event. Before the first there is no side for pictures at all. A later one
comes with a last picture of the old format, or a mark where it would be; only then is the side made
anew, with the spans that are large enough. A format that turns out to be the old one is not told of.

A drain that is asked for before there is a format is over when the codec has eaten all of its input.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from paracore.classes import video
from paracore.classes.video import ChangeFlag, Error, OutputFlag, PictureFormat
from paracore.drivers import CallFailed
from paracore.drivers.v4l2._formats import PIXELS, Layout, layout_of
from paracore.drivers.v4l2._session import Session
from paracore.drivers.v4l2._sink import Copied, Direct
from paracore.drivers.v4l2._source import Copying
from paracore.drivers.v4l2._uapi import BufferFlag, Command, ControlId, EventType, Request

if TYPE_CHECKING:
    from paracore.drivers import Span
    from paracore.drivers.v4l2._node import Node, RawFormat
    from paracore.drivers.v4l2._sink import Lent, Output, Sink
    from paracore.drivers.v4l2._source import Input

__all__ = ["Decoder"]

UNITS: Final = 4
"""The kernel's buffers for the bit stream: one that is worked on, others that wait."""
MORE: Final = 2
"""The kernel's own buffers for pictures beyond what the codec needs: while a picture is copied it goes on."""
UNIT_SIZE: Final = 2 << 20
"""Octets wished for a unit."""
NOT_PAGES: Final = (errno.EFAULT, errno.EINVAL, errno.EPERM, errno.ENOMEM, errno.EOPNOTSUPP)
"""How a node says that it does not work in these pages."""


class Decoder(Session):
    """See the module.

    Args:
        node: becomes the session's.
        fourcc: of the bit stream.
        hint: width and height that units are likely to have, for the size of their buffers.
        in_place: whether pictures may be made in the domain's pages.
    """

    def __init__(self, node: Node, fourcc: int, hint: tuple[int, int], *, in_place: bool) -> None:
        super().__init__(node)
        self._fourcc = fourcc
        self._hint = hint
        self._in_place = in_place
        self._layout: Layout | None = None
        self._changing = False
        """The codec has met another format, and its last picture of the old one is still to come."""

    def begin(self) -> None:
        node = self._node
        self._in_place &= node.takes_pages(node.capture)
        node.subscribe(EventType.SOURCE_CHANGE)
        if node.coded_set(node.output, self._fourcc, *self._hint, UNIT_SIZE).fourcc != self._fourcc:
            raise CallFailed(Error.NOT_SUPPORTED)
        self._source = self._units = Copying(node, node.output, UNITS)
        self._units.start()

    def format_get(self) -> PictureFormat:
        if not self._layout:
            raise CallFailed(Error.AGAIN)
        return self._layout.format

    def format_set(self, wanted: PictureFormat) -> PictureFormat:
        raise CallFailed(Error.NOT_SUPPORTED)

    # --- input --------------------------------------------------------------------------------------------

    def _check_input(self, span: Span) -> None:
        """Anything may come; what cannot be a unit is told of when its turn comes."""

    def _put(self, unit: Input) -> bool:
        length = unit.span.length
        if not length or not self._units.takes(length):
            self.tell(video.InputDone(unit.cookie, Error.INVALID))
        elif self._units.free_for(length) is None:
            return False
        else:
            self._units.put(unit, self._tag(unit))
        return True

    def _stop(self) -> None:
        if self._sink:
            self._node.command(Request.DECODER_CMD, Command.STOP)
        else:
            self._look()

    # --- the format ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        for kind, changes in self._node.events():
            self._changing |= kind == EventType.SOURCE_CHANGE and bool(changes)
        if self._sink is None:
            self._look_first()

    def _look_first(self) -> None:
        """Whether there is a first format, or none in all of a drain's input."""
        if self._changing:
            self._enter(self._met())
        elif self._stopping and not self._units.busy:
            self._drained()

    def _met(self) -> Layout:
        """The format that the codec has met, as a span has to be for it."""
        node = self._node
        raw = node.raw(node.capture)
        if raw.fourcc not in PIXELS:
            raw = self._choose(raw)
        visible = node.visible() or (0, 0, raw.width, raw.height)
        needed = max(1, node.control(ControlId.MIN_BUFFERS_FOR_CAPTURE, 1))
        return layout_of(raw, visible, needed, (0, 1))

    def _choose(self, raw: RawFormat) -> RawFormat:
        """Another layout of samples than the codec's own choice, which the wire does not know."""
        node = self._node
        for known in [each.fourcc for each in node.formats(node.capture) if each.fourcc in PIXELS]:
            answer = node.raw_set(node.capture, known, raw.width, raw.height, raw.colour)
            if answer.fourcc == known:
                return answer
        raise OSError(errno.EOPNOTSUPP, "no layout of its pictures is known")

    def _enter(self, layout: Layout) -> None:
        """The side for pictures is made for a format; told of if it is another one."""
        spans, self._spans = [*(self._sink.stop() if self._sink else ()), *self._spans], []
        if self._sink:
            self._copied += self._sink.copies
            self._sink.release()
        if self._is_new(layout):
            self._tell_of(layout)
        self._changing = False
        self._sink = self._made(in_place=self._in_place)
        self._sink.start()
        for lent in spans:
            self._lend(lent)
        if self._stopping:  # the drain is not over: restarting has ended the codec's own idea of it
            self._node.command(Request.DECODER_CMD, Command.STOP)

    def _tell_of(self, layout: Layout) -> None:
        new = layout.format
        old, self._layout = self._layout.format if self._layout else None, layout
        self._generation += 1
        self._visible = (new.crop_left, new.crop_top, new.width, new.height)
        self._needs = new.buffers_min
        changes = ChangeFlag.COLOR if old and _shape(old) == _shape(new) else ChangeFlag.BUFFERS
        if old and new.buffers_min > old.buffers_min:
            changes |= ChangeFlag.COUNT
        self.tell(video.SourceChange(self._generation, changes, new))

    def _made(self, *, in_place: bool) -> Sink:
        assert self._layout
        node, pieces = self._node, self._layout.pieces
        if in_place:
            return Direct(node, node.capture, pieces)
        return Copied(node, node.capture, self._layout.format.buffers_min + MORE, pieces)

    # --- pictures -----------------------------------------------------------------------------------------

    def _lend(self, lent: Lent) -> None:
        if not self._layout or not self._sink:
            self._spans.append(lent)
        elif lent.span.length < self._layout.format.size:
            self._give(lent, OutputFlag.CANCELLED, self._layout.format.size)
        else:
            self._pass(lent)

    def _pass(self, lent: Lent) -> None:
        """To the codec. If it does not work in the first pages it gets, it gets none."""
        assert self._sink
        sink = self._sink
        try:
            sink.lend(lent)
        except OSError as error:
            if error.errno not in NOT_PAGES or not isinstance(sink, Direct) or sink.used:
                raise
            spans = sink.stop()
            sink.release()
            self._in_place = False
            self._sink = self._made(in_place=False)
            self._sink.start()
            for each in spans:
                self._sink.lend(each)

    def _came(self, output: Output) -> None:
        if not output.flags & BufferFlag.LAST:
            self._tell_output(output, OutputFlag(0))
            return
        self._look()
        if self._changing:
            met = self._met()
            self._tell_output(output, OutputFlag.LAST if self._is_new(met) else OutputFlag(0))
            self._enter(met)
            return
        self._tell_output(output, OutputFlag.LAST if self._stopping else OutputFlag(0))
        self._resume()
        if self._stopping:
            self._drained()

    def _resume(self) -> None:
        """The side for pictures begins again, and with it a codec that has stopped.

        Not by its START, after which nothing can be dequeued from vicodec (Linux 6.1).
        """
        assert self._sink
        spans = self._sink.stop()
        for lent in spans:
            self._sink.lend(lent)
        self._sink.start()

    def _ends(self) -> bool:
        return self._stopping and not self._changing

    def _is_new(self, layout: Layout) -> bool:
        return not self._layout or layout.format != self._layout.format

    def _tell_output(self, output: Output, flags: OutputFlag) -> None:
        """A picture; or a span that comes back with a mark; or one that need not."""
        if not output.lent:
            return
        assert self._layout
        assert self._sink
        if output.octets:
            flags |= OutputFlag.KEY if output.flags & BufferFlag.KEYFRAME else 0
            flags |= OutputFlag.ERROR if output.flags & BufferFlag.ERROR else 0
            self._give(output.lent, flags, self._layout.format.size, output)
        elif flags:
            self._give(output.lent, flags | OutputFlag.EMPTY, 0)
        else:
            self._sink.again(output.lent)

    def _restart(self) -> None:
        self._look()
        if self._sink:
            met = self._met()
            if self._is_new(met):
                self._enter(met)
            else:
                self._resume()
            self._changing = False
        self._units.start()


def _shape(form: PictureFormat) -> tuple[object, ...]:
    """What a span depends on."""
    return form.pixel_format, form.coded_width, form.coded_height, form.plane_offset, form.plane_stride, form.size
