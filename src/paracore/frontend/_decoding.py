# SPDX-License-Identifier: Apache-2.0
"""A decoder as its domain sees it, sans-I/O.

Theory of operation
-------------------
Access units are copied into an arena (kilobytes; the driver copies them out again before it parses).
Pictures are decoded into spans. A source change brings a new *series* of spans: those of the old one
come back with their last pictures, or cancelled, and are then let go. A series begins with what the
device needs and some for the user to hold; when the user holds more than that, it grows, until
a limit of the domain says no: then the wait ends with that limit's name instead of lasting for ever.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from paracore._errors import QuotaExceeded, RemoteProtocolError
from paracore.classes import video
from paracore.frontend._buffers import Arena, Lease, Memory, Region, Span, aligned, spans_of
from paracore.frontend._geometry import check_format
from paracore.frontend._picture import Picture, wire_ticks
from paracore.frontend._session import MemoryRequest, Session
from paracore.protocol import Direction

if TYPE_CHECKING:
    from paracore.frontend._packet import Packet

__all__ = ["Decoding"]

#: Access units in flight: enough to keep every codec thread busy through a scheduling gap.
INPUT_DEPTH = 16
#: Access units given, and spans given back, at once while the device has enough of them: waking the backend is
#: the larger part of a picture's cost.
BATCH = 4
#: Spans beyond the device's need when a series begins: for pictures on their way and in the user's hands.
HEADROOM = 8
#: The first arena: sixteen access units of 128 KiB, which is 1080p at 30 Mb/s.
ARENA_LENGTH = 2 << 20
#: Spans lent at most, whatever a backend says of its limits.
SPANS_MAX = 1 << 14
#: Formats remembered: pictures of an old generation may follow those of a new one, but not of many.
GENERATIONS = 4

_NO_FLAGS = video.InputFlag(0)
_UNUSED = int(video.OutputFlag.CANCELLED | video.OutputFlag.EMPTY)
_NEW_SPANS = video.ChangeFlag.BUFFERS | video.ChangeFlag.COUNT


class Decoding(Session):
    """State of one decoder.

    Attributes:
        pictures: decoded and not yet taken.
        form: the format at the head of the stream, None before the first.
        refused: access units that the codec could make nothing of.
    """

    def __init__(self, outstanding_limit: int = 1 << 32) -> None:
        super().__init__(Direction.DECODE)
        self.pictures: deque[Picture] = deque()
        self.form: video.PictureFormat | None = None
        self.refused = 0
        self._forms: dict[int, video.PictureFormat] = {}
        self._arena: Arena | None = None
        self._depth = max(BATCH, min(INPUT_DEPTH, outstanding_limit // 4))
        self._span_limit = min(outstanding_limit, SPANS_MAX) - self._depth
        self._mark = self._depth
        self._enough = SPANS_MAX
        self._series = 0
        self._series_count = 0
        self._wanted = 0
        self._span_cookie = 0
        self._hidden: set[int] = set()

    # --- input ------------------------------------------------------------------------------

    @property
    def busy(self) -> int:
        """Access units with the device."""
        return len(self._inputs)

    @property
    def full(self) -> bool:
        """As many access units are with the device as it shall have; again so until some have come back.

        They are given in batches, so that not each of them wakes the backend.
        """
        return len(self._inputs) >= self._mark

    @property
    def blocked(self) -> bool:
        """The device lacks spans because nobody takes its pictures."""
        return bool(self.pictures) and self.form is not None and len(self._lent) < self.form.buffers_min

    def reserve(self, length: int) -> Region | None:
        """Room for one access unit; None while there is none."""
        if len(self._inputs) >= self._mark:
            self._mark = self._depth - BATCH + 1
            return None
        self._mark = self._depth
        return self._arena.allocate(length) if self._arena else None

    def arena_request(self, length: int) -> MemoryRequest | None:
        """The arena for access units of this size, when there is none large enough."""
        if self.full or (self._arena and length * 2 <= self._arena.memory.length):
            return None
        size = max(ARENA_LENGTH, aligned(length) * 4)
        return MemoryRequest(size, read_only=True, accept=self._accept_arena, refuse=self._refuse)

    def _accept_arena(self, memory: Memory) -> None:
        self._arena = Arena(memory)  # the old one lives on while regions of it are with the device

    def submit(self, region: Region, packet: Packet) -> None:
        """Queues the access unit that has been copied into the region."""
        if packet.discard and packet.timestamp is not None:
            self._hidden.add(packet.timestamp)
        span = video.Span(region.memory.identity, region.length, region.offset)
        self._submit(region, span, _NO_FLAGS, wire_ticks(packet.timestamp), packet.duration)

    def _input_returned(self, holder: Region, error: int) -> None:
        if self._arena and holder.memory is self._arena.memory:
            self._arena.release(holder)
        self.refused += error == video.Error.INVALID

    # --- spans ------------------------------------------------------------------------------

    @property
    def changed(self) -> bool:
        """A new format waits for its spans."""
        return self._wanted > 0

    @property
    def needy(self) -> bool:
        """The device has little to decode, or few spans to decode into."""
        return len(self._inputs) <= self._depth // 2 or len(self._lent) < self._enough

    def memory_request(self, *, waiting: bool) -> MemoryRequest | None:
        """The spans that are missing: for a new series, or because the user holds so many."""
        self._recycle()
        if waiting and len(self._lent) < self._enough and self._starved():
            self._wanted = max(HEADROOM, self._series_count // 2)
        if not self._wanted or not self.form or self._fault:
            return None
        if len(self._lent) + self._wanted > self._span_limit and not self._fewer():
            self._fault = QuotaExceeded("outstanding", self._span_limit + self._depth)
            return None
        length = self._wanted * aligned(self.form.size)
        return MemoryRequest(length, read_only=False, accept=self._accept_spans, refuse=self._refuse_spans)

    def _starved(self) -> bool:
        if self._wanted or self.starvation or self.pictures or not self.form:
            return False
        return len(self._lent) < self.form.buffers_min

    def _accept_spans(self, memory: Memory) -> None:
        assert self.form
        for span in spans_of(memory, self._wanted, self.form.size, self._span_cookie, self._series):
            self._lend(span)
        self._span_cookie += self._wanted
        self._series_count += self._wanted
        self._wanted = 0
        self.starvation = None

    def _refuse_spans(self, fault: Exception) -> None:
        """Makes do with as few as the device needs, or says why that is impossible."""
        if self._fewer():
            return
        self._wanted = 0
        if self._lent and isinstance(fault, QuotaExceeded):
            self.starvation = fault  # the device may still get on with what it has: the wait shows
        else:
            self._fault = fault

    def _fewer(self) -> bool:
        """Wants no more spans than the device needs; false when it wanted no more before."""
        assert self.form
        missing = self.form.buffers_min - len(self._lent)
        if not 0 < missing < self._wanted:
            return False
        self._wanted = missing
        return len(self._lent) + missing <= self._span_limit

    def _refuse(self, fault: Exception) -> None:
        self._fault = fault

    def _recycle(self) -> None:
        """Lends what the user has given back, if it is of the current series."""
        returns = self.returns
        if len(returns) < BATCH and len(self._lent) >= self._enough:
            return
        while returns:
            span = returns.popleft()
            if span.series == self._series:
                self.starvation = None
                self._lend(span)

    # --- events -----------------------------------------------------------------------------

    def _on_source_change(self, event: video.SourceChange) -> None:
        check_format(event.format)
        self._forms[event.generation] = self.form = event.format
        self._enough = event.format.buffers_min + 2
        while len(self._forms) > GENERATIONS:
            del self._forms[next(iter(self._forms))]
        if event.changes & video.ChangeFlag.BUFFERS or not self._series:
            self._series += 1
            self._series_count = 0
        if event.changes & _NEW_SPANS:
            self._wanted = max(0, event.format.buffers_min + HEADROOM - self._series_count)

    def _output_returned(self, span: Span, event: video.OutputReady) -> None:
        self.starvation = None
        if int(event.flags) & _UNUSED:
            self.returns.append(span)
            return
        form = self._forms.get(event.generation)
        if form is None or form.size > span.length:
            raise RemoteProtocolError(f"a picture of generation {event.generation}, which has no such span")
        if event.timestamp in self._hidden:
            self._hidden.discard(event.timestamp)
            self.returns.append(span)
            return
        self.pictures.append(Picture(Lease(span, self.returns), form, event))

    def dispose(self) -> None:
        """Lets go of all memory; the session is over."""
        self.pictures.clear()
        self._arena = None
        super().dispose()

    def flushed(self) -> None:
        """The device has forgotten its input; pictures from before the flush are not wanted either."""
        super().flushed()
        self._hidden.clear()
        self.pictures.clear()
