# SPDX-License-Identifier: Apache-2.0
"""A decoder as its domain sees it, sans-I/O.

Theory of operation
-------------------
Access units are copied into an arena (``_intake``). Pictures are decoded into spans. A source change brings a new *series* of
spans: those of the old one come back with their last pictures, or cancelled, and are then let go. A series begins with
what the device needs and some for the user to hold; when the user holds more than that, it grows, until a limit of the
domain says no: then the wait ends with that limit's name instead of lasting for ever.

With a history of the stream (``_history``) the decoder can go on with another device when its own is lost: the state is
what it was at its beginning, but for the pictures and what the user has been told, and all that is due is given again.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from paracore._errors import QuotaExceeded, RemoteProtocolError, StateError
from paracore.classes import video
from paracore.frontend._buffers import Lease, Memory, Region, Span, aligned, spans_of
from paracore.frontend._geometry import check_format
from paracore.frontend._intake import BATCH, Intake
from paracore.frontend._picture import Picture, wire_ticks
from paracore.frontend._session import MemoryRequest, Session
from paracore.protocol import Direction

if TYPE_CHECKING:
    from paracore.frontend._history import History, Unit
    from paracore.frontend._packet import Packet

__all__ = ["Decoding"]

#: Spans beyond the device's need when a series begins: for pictures on their way and in the user's hands.
HEADROOM = 8
#: Spans lent at most, whatever a backend says of its limits.
SPANS_MAX = 1 << 14
#: Formats remembered: pictures of an old generation may follow those of a new one, but not of many.
GENERATIONS = 4

_NO_FLAGS = video.InputFlag(0)
_UNUSED = int(video.OutputFlag.CANCELLED | video.OutputFlag.EMPTY)
_KEY = int(video.OutputFlag.KEY)
_NEW_SPANS = video.ChangeFlag.BUFFERS | video.ChangeFlag.COUNT


class _Asked(NamedTuple):
    """Spans that memory was asked for: by the time that it is granted another format may have been met."""

    spans: int
    size: int
    series: int


class Decoding(Session):
    """State of one decoder.

    Args:
        outstanding_limit: inputs and spans that may be with the device.
        history: of the stream, for a decoder that shall go on after a loss.

    Attributes:
        pictures: decoded and not yet taken.
        form: the format at the head of the stream, None before the device has met the first.
        seen: the same, also while another device has yet to meet it.
        refused: access units that the codec could make nothing of.
    """

    def __init__(self, outstanding_limit: int = 1 << 32, history: History | None = None) -> None:
        super().__init__(Direction.DECODE)
        self._history = history
        self.pictures: deque[Picture] = deque()
        self.form: video.PictureFormat | None = None
        self.seen: video.PictureFormat | None = None
        self.refused = 0
        self._forms: dict[int, video.PictureFormat] = {}
        self._intake = Intake(outstanding_limit)
        self._span_limit = min(outstanding_limit, SPANS_MAX) - self._intake.depth
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
    def blocked(self) -> bool:
        """The device lacks spans because nobody takes its pictures."""
        return bool(self.pictures) and self.form is not None and len(self._lent) < self.form.buffers_min

    def reserve(self, length: int) -> Region | None:
        """Room for one access unit; None while there is none."""
        return self._intake.reserve(length, self.busy)

    def arena_request(self, length: int) -> MemoryRequest | None:
        """The arena for access units of this size, when there is none large enough."""
        return self._intake.request(length, self.busy, self._refuse)

    def octets_of(self, packet: Packet) -> bytes | memoryview:
        """What is to be copied into a region for that access unit."""
        data = memoryview(packet.data).cast("B")
        return data if self._history is None else self._history.octets_of(data)

    def submit(self, region: Region, packet: Packet) -> None:
        """Queues the access unit whose octets have been copied into the region."""
        if self._history is not None:
            self._submit_unit(region, self._history.append(packet))
            return
        if packet.discard and packet.timestamp is not None:
            self._hidden.add(packet.timestamp)
        span = video.Span(region.memory.identity, region.length, region.offset)
        self._submit(region, span, _NO_FLAGS, wire_ticks(packet.timestamp), packet.duration)

    def _submit_unit(self, region: Region, unit: Unit) -> None:
        region.unit = unit
        span = video.Span(region.memory.identity, region.length, region.offset)
        self._submit(region, span, _NO_FLAGS, unit.number, unit.duration)

    def _input_returned(self, holder: Region, error: int) -> None:
        self._intake.release(holder)
        if error == video.Error.INVALID and not (holder.unit and holder.unit.refused):
            self.refused += 1
            if holder.unit:
                holder.unit.refused = True

    # --- loss -------------------------------------------------------------------------------

    @property
    def _recoverable(self) -> bool:
        return self._history is not None and self._history.usable

    @property
    def behind(self) -> bool:
        """The device has yet to be given again what its predecessor had."""
        return self._history is not None and self._history.behind

    def reopened(self, form: video.PictureFormat | None) -> None:
        """There is another device: it wants memory of its own, and the stream from the last access point on."""
        assert self._history is not None
        super().reopened(form)
        self._history.lose()
        self._forms.clear()
        self.form = None
        self._intake.clear()
        self._enough = SPANS_MAX
        self._series += 1  # what the user still looks at belongs to none that is lent
        self._series_count = self._wanted = 0

    def octets_due(self) -> bytes | memoryview | None:
        """What is due to the device, of the units that its predecessor had; None when there is no more of them."""
        history = self._history
        if history is None:
            return None
        if history.drain_due:
            super().drain()
            history.given()  # not before: it may have raised
        return history.octets_due() if history.due() is not None else None

    def submit_again(self, region: Region) -> None:
        """Queues what was due and has been copied into the region."""
        history = self._history
        assert history is not None
        unit = history.due()
        assert unit is not None
        history.given()
        self._submit_unit(region, unit)

    def drain(self) -> None:
        """No more input for now; said once all that is due to the device has been given.

        Raises:
            StateError: a drain is under way.
        """
        history = self._history
        if history is None or not history.behind:
            super().drain()
        elif history.draining:
            raise StateError("draining", "ready for drain")
        self.drained = False
        if history is not None:
            history.drain()

    def _on_drained(self, event: video.Drained) -> None:
        super()._on_drained(event)
        if self._history is not None:
            self._history.drained()

    # --- spans ------------------------------------------------------------------------------

    @property
    def changed(self) -> bool:
        """A new format waits for its spans."""
        return self._wanted > 0

    @property
    def needy(self) -> bool:
        """The device has little to decode, or few spans to decode into."""
        return self.busy <= self._intake.depth // 2 or len(self._lent) < self._enough

    def memory_request(self, *, waiting: bool) -> MemoryRequest | None:
        """The spans that are missing: for a new series, or because the user holds so many."""
        self._recycle()
        if waiting and len(self._lent) < self._enough and self._starved():
            self._wanted = max(HEADROOM, self._series_count // 2)
        if not self._wanted or not self.form or self._fault:
            return None
        if len(self._lent) + self._wanted > self._span_limit and not self._fewer():
            self._fault = QuotaExceeded("outstanding", self._span_limit + self._intake.depth)
            return None
        asked = _Asked(self._wanted, self.form.size, self._series)
        length = asked.spans * aligned(asked.size)
        accept, refuse = partial(self._accept_spans, asked), partial(self._refuse_spans, asked)
        return MemoryRequest(length, read_only=False, accept=accept, refuse=refuse)

    def _starved(self) -> bool:
        if self._wanted or self.starvation or self.pictures or not self.form:
            return False
        return len(self._lent) < self.form.buffers_min

    def _accept_spans(self, asked: _Asked, memory: Memory) -> None:
        if asked.series != self._series:
            return  # it was granted too late, and goes back
        for span in spans_of(memory, asked.spans, asked.size, self._span_cookie, asked.series):
            self._lend(span)
        self._span_cookie += asked.spans
        self._series_count += asked.spans
        self._wanted = max(0, self._wanted - asked.spans)
        self.starvation = None

    def _refuse_spans(self, asked: _Asked, fault: Exception) -> None:
        """Makes do with as few as the device needs, or says why that is impossible."""
        if asked.series != self._series or self._fewer():
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

    @property
    def ready(self) -> bool:
        """Pictures wait to be taken."""
        return bool(self.pictures)

    def _on_source_change(self, event: video.SourceChange) -> None:
        check_format(event.format)
        self._forms[event.generation] = self.form = self.seen = event.format
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
        if self._history is not None:
            self._deliver(span, form, event, self._history)
        elif event.timestamp in self._hidden:
            self._hidden.discard(event.timestamp)
            self.returns.append(span)
        else:
            self.pictures.append(Picture(Lease(span, self.returns), form, event))

    def _deliver(self, span: Span, form: video.PictureFormat, event: video.OutputReady, history: History) -> None:
        """A picture that says which unit it is of."""
        unit = history.picture(event.timestamp, key=bool(int(event.flags) & _KEY))
        if unit is None:
            self.returns.append(span)
            return
        picture = Picture(Lease(span, self.returns), form, event)
        picture.timestamp = unit.timestamp
        self._fruitless = 0
        self.pictures.append(picture)

    def dispose(self) -> None:
        """Lets go of all memory; the session is over."""
        self.pictures.clear()
        self._intake.clear()
        self._history = None
        super().dispose()

    def forget(self) -> None:
        """Nothing of what the user has given is wanted any more, by whichever device."""
        if self._history is not None:
            self._history.clear()

    def flushed(self) -> None:
        """The device has forgotten its input; pictures from before the flush are not wanted either."""
        super().flushed()
        self._hidden.clear()
        self.pictures.clear()
