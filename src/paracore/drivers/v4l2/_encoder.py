# SPDX-License-Identifier: Apache-2.0
"""An encoder: Documentation/userspace-api/media/v4l/dev-encoder.rst, from the client's side.

A key picture on demand is asked for by a button that acts on whatever picture comes next: so it is pushed
when the codec has none. A codec without the button is drained and begun again, since a stream
begins with a key picture.

A codec may do its work within the request that completes a job, and go on by itself only as long as it has
another by the end of that one (v4l2_m2m_job_finish; vicodec is such). So it begins with two pictures: with the first
alone if no other comes soon.

The kernel tells nothing of decode times. Without pictures that refer to later ones they are the times
of presentation; with them, those of one picture earlier.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from paracore.classes.video import Control, Error, InputFlag, OutputFlag, PictureFormat
from paracore.drivers import CallFailed
from paracore.drivers.v4l2._decoder import NOT_PAGES
from paracore.drivers.v4l2._formats import PIXELS, Layout, kernel_colours, key_of, layout_of
from paracore.drivers.v4l2._session import NO_TIME, Session
from paracore.drivers.v4l2._sink import Copied
from paracore.drivers.v4l2._source import Copying, InPlace
from paracore.drivers.v4l2._uapi import BufferFlag, Command, ControlId, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paracore.drivers import Span
    from paracore.drivers.v4l2._node import Node, RawFormat
    from paracore.drivers.v4l2._sink import Lent, Output
    from paracore.drivers.v4l2._source import Input, Source

__all__ = ["CONTROLS", "Encoder"]

UNITS: Final = 4
"""The kernel's buffers for the bit stream."""
MORE: Final = 3
"""Pictures beyond what the codec needs: two that wait while it works, one that the domain fills."""
HOLD: Final = 0.02
"""Seconds that the first picture waits for a second at most."""

CONTROLS: Final[dict[Control, tuple[ControlId, ...]]] = {
    Control.BITRATE: (ControlId.MPEG_VIDEO_BITRATE,),
    Control.GOP: (ControlId.MPEG_VIDEO_GOP_SIZE,),
    Control.B_FRAMES: (ControlId.MPEG_VIDEO_B_FRAMES,),
    Control.QUALITY: (ControlId.FWHT_I_FRAME_QP, ControlId.FWHT_P_FRAME_QP),
}
"""The kernel's controls that are set together for one of the wire; the first is read."""
ALWAYS: Final = {
    ControlId.MPEG_VIDEO_HEADER_MODE: 1,  # V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME
    ControlId.MPEG_VIDEO_PREPEND_SPSPPS_TO_IDR: 1,
    ControlId.MPEG_VIDEO_FRAME_RC_ENABLE: 1,
}
"""What an encoder that has it is set to: parameter sets in band, with the key pictures, and a bit rate that counts."""


class Encoder(Session):
    """See the module.

    Args:
        node: becomes the session's.
        fourcc: of the bit stream.
        largest: width and height.
        in_place: whether pictures may be read in the domain's pages.
    """

    def __init__(self, node: Node, fourcc: int, largest: tuple[int, int], *, in_place: bool) -> None:
        super().__init__(node)
        self._fourcc = fourcc
        self._largest = largest
        self._in_place = in_place
        self._layout: Layout | None = None
        self._button = False
        self._fresh = True
        """The next picture is the first of a stream."""
        self._renewing = False
        """The codec is drained to begin a stream."""
        self._reorders = False
        self._hold: threading.Timer | None = None
        """The codec has its first picture, and does not run yet."""
        self._held_enough = False
        self._times: deque[int] = deque()

    def begin(self) -> None:
        node = self._node
        self._in_place &= node.takes_pages(node.output)
        self._button = node.has(ControlId.MPEG_VIDEO_FORCE_KEY_FRAME)
        if node.coded_set(node.capture, self._fourcc, *self._largest, 0).fourcc != self._fourcc:
            raise CallFailed(Error.NOT_SUPPORTED)
        for control, value in ALWAYS.items():
            if node.has(control):
                node.control_set(control, value)

    # --- format and controls ------------------------------------------------------------------------------

    def format_get(self) -> PictureFormat:
        if not self._layout:
            raise CallFailed(Error.AGAIN)
        return self._layout.format

    def format_set(self, wanted: PictureFormat) -> PictureFormat:
        with self._kernel():
            if self._source:
                raise CallFailed(Error.BUSY)
            self._layout = self._set(wanted)
            self._visible = (0, 0, wanted.width, wanted.height)
            return self._layout.format

    def _set(self, wanted: PictureFormat) -> Layout:
        node = self._node
        if not (0 < wanted.width <= self._largest[0] and 0 < wanted.height <= self._largest[1]):
            raise CallFailed(Error.INVALID, allowed=max(self._largest))
        raw = self._choose(wanted)
        if raw.width < wanted.width or raw.height < wanted.height:
            raise CallFailed(Error.INVALID, allowed=max(self._largest))
        size = (wanted.width, wanted.height)
        if (raw.width, raw.height) != size and node.visible_set(*size) != size:
            raise CallFailed(Error.INVALID, allowed=max(self._largest))
        if wanted.rate_num and wanted.rate_den:
            node.interval_set(node.output, wanted.rate_den, wanted.rate_num)
        needed = max(1, node.control(ControlId.MIN_BUFFERS_FOR_OUTPUT, 1)) + MORE
        return layout_of(raw, (0, 0, *size), needed, (wanted.rate_num, wanted.rate_den or 1))

    def _choose(self, wanted: PictureFormat) -> RawFormat:
        """The node's layout of these samples."""
        node = self._node
        able = {each.fourcc for each in node.formats(node.output)}
        for fourcc in (each for each, pixels in PIXELS.items() if pixels.format is wanted.pixel_format):
            if fourcc in able:
                raw = node.raw_set(node.output, fourcc, wanted.width, wanted.height, kernel_colours(wanted))
                if raw.fourcc == fourcc:
                    return raw
        raise CallFailed(Error.NOT_SUPPORTED)

    def control_get(self, control: Control) -> int:
        with self._kernel(), _refusing():
            return self._node.control(self._known(control)[0])

    def control_set(self, control: Control, value: int) -> int:
        with self._kernel(), _refusing():
            for known in self._known(control):
                self._node.control_set(known, value)
            return self._node.control(self._known(control)[0])

    def _known(self, control: Control) -> tuple[ControlId, ...]:
        known = CONTROLS.get(control, ())
        if not known or not all(self._node.has(each) for each in known):
            raise CallFailed(Error.NO_ENTRY)
        return known

    # --- pictures -----------------------------------------------------------------------------------------

    def _check_input(self, span: Span) -> None:
        if span.length < self.format_get().size:
            raise CallFailed(Error.INVALID)

    def _put(self, unit: Input) -> bool:
        source = self._source or self._open(unit)
        if self._renewing or not source.free:
            return False
        if unit.flags & InputFlag.KEY and not self._fresh and not self._key(source):
            return False
        self._fresh = False
        if self._reorders:
            self._times.append(unit.timestamp)
        second = source.busy
        source.put(unit, self._tag(unit))
        if second:
            self._run()
        return True

    def _key(self, source: Source) -> bool:
        """Makes the next picture a key picture; false while that cannot be."""
        if not self._button:
            self._renewing = True
            self._node.command(Request.ENCODER_CMD, Command.STOP)
            return False
        if source.busy:
            return False
        self._node.control_set(ControlId.MPEG_VIDEO_FORCE_KEY_FRAME, 1)
        return True

    def _open(self, first: Input) -> Source:
        """Both sides are made, and run."""
        node = self._node
        ahead = node.control(ControlId.MPEG_VIDEO_B_FRAMES, 0)
        self._reorders = ahead > 0
        self.keeps = 1 + ahead
        self._sink = Copied(node, node.capture, UNITS)
        for lent in self._spans:
            self._sink.lend(lent)
        self._spans.clear()
        self._source = self._opened(first)
        self._sink.start()
        self._hold = threading.Timer(HOLD, self._held)
        self._hold.start()
        return self._source

    def _held(self) -> None:
        """In the timer's thread."""
        self._held_enough = True
        os.eventfd_write(self._event, 1)

    def _run(self) -> None:
        """The codec runs, if it does not already."""
        if self._end_hold() and self._source:
            self._source.start()

    def _end_hold(self) -> bool:
        """Ends the wait for a second picture; whether there was one."""
        hold, self._hold = self._hold, None
        if hold:
            hold.cancel()
            hold.join()
        return hold is not None

    def close(self) -> None:
        self._end_hold()
        super().close()

    def _opened(self, first: Input) -> Source:
        """Pictures are read in place if the kernel takes the first one's pages."""
        assert self._layout
        node, pieces = self._node, self._layout.pieces
        if self._in_place:
            source = InPlace(node, node.output, pieces)
            try:
                source.put(first, 0)
            except OSError as error:
                if error.errno not in NOT_PAGES:
                    raise
                source.release()
            else:
                source.stop()
                return source
        return Copying(node, node.output, self._layout.format.buffers_min, pieces)

    def _stop(self) -> None:
        self._run()
        if self._source:
            self._node.command(Request.ENCODER_CMD, Command.STOP)
            return
        if self._spans:
            self._give(self._spans.pop(0), OutputFlag.EMPTY | OutputFlag.LAST, 0)
        self._drained()

    def _restart(self) -> None:
        self._times.clear()
        self._end_hold()
        self._renew()
        if self._source:
            self._source.start()

    def _look(self) -> None:
        """An encoder has nothing to say beside its buffers; a second picture may not have come."""
        if self._held_enough:
            self._run()

    # --- the bit stream -------------------------------------------------------------------------------------

    def _lend(self, lent: Lent) -> None:
        if self._sink:
            self._sink.lend(lent)
        else:
            self._spans.append(lent)

    def _came(self, output: Output) -> None:
        last = bool(output.flags & BufferFlag.LAST) and output.fits
        self._tell_output(output, OutputFlag.LAST if last and self._stopping and not self._renewing else OutputFlag(0))
        if last:
            self._renew()
            if self._stopping:
                self._drained()
            self._feed()

    def _tell_output(self, output: Output, flags: OutputFlag) -> None:
        """A unit; or a span that is too small for one; or one that comes back with a mark, or need not."""
        lent = output.lent
        if not lent:
            return
        if not output.fits:
            self._give(lent, OutputFlag.CANCELLED, output.octets)
        elif output.octets:
            flags |= OutputFlag.KEY if key_of(self._fourcc, output.flags, lent.span.address, output.octets) else 0
            self._give(lent, flags, output.octets, output)
        elif flags:
            self._give(lent, flags | OutputFlag.EMPTY, 0)
        else:
            assert self._sink
            self._sink.again(lent)

    def _renew(self) -> None:
        """The codec is through, or starts over: its next picture begins a stream."""
        self._renewing, self._fresh = False, True
        if self._sink:
            for lent in self._sink.stop():
                self._sink.lend(lent)
            self._sink.start()

    def _decode_time(self, timestamp: int, duration: int) -> int:
        if timestamp == NO_TIME or not self._times:
            return timestamp
        return min(timestamp, self._times.popleft() - (duration or 1))


_REFUSALS: Final = {errno.EBUSY: Error.BUSY, errno.EINVAL: Error.INVALID, errno.ERANGE: Error.INVALID}


@contextmanager
def _refusing() -> Iterator[None]:
    """What the kernel refuses of a control is refused, and the session goes on."""
    try:
        yield
    except OSError as error:
        if error.errno in _REFUSALS:
            raise CallFailed(_REFUSALS[error.errno]) from error
        raise
