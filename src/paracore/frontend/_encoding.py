# SPDX-License-Identifier: Apache-2.0
"""An encoder as its domain sees it, sans-I/O.

Theory of operation
-------------------
Pictures are filled by the user in spans that the backend may only read (unless the device works in no others),
and come back when the codec is done with them. Each access unit is written into a span of its own, copied out of it
(kilobytes) and the span is lent again at once.

When the device is lost another one goes on: pictures that the codec was not done with, and that are later than all
access units given out, are in pages of this process still and are given again (``_awaited``), the first as a key frame. What
the codec had taken into its look-ahead is not: it is counted and told with the next access unit.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from paracore._errors import RemoteProtocolError, StateError
from paracore.classes import video
from paracore.frontend._awaited import Sent
from paracore.frontend._buffers import Lease, Memory, Span, aligned, spans_of
from paracore.frontend._geometry import check_format
from paracore.frontend._packet import EncodedPacket
from paracore.frontend._picture import WritablePicture, ticks, wire_ticks
from paracore.frontend._session import MemoryRequest, Session
from paracore.protocol import Direction, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.frontend._awaited import Awaited

__all__ = ["Encoding"]

#: Pictures beyond the device's need: one being filled, one on its way.
HEADROOM = 2
#: Spans for access units: a codec with look-ahead gives out several at once.
OUTPUT_COUNT = 8
#: Beyond the picture's own size, for headers: a codec that cannot compress stores.
OUTPUT_EXTRA = 64 << 10
#: An access unit is never larger than so many times its picture: what a backend may make this process allocate.
_OUTPUT_MOST = 4

_UNUSED = video.OutputFlag.CANCELLED | video.OutputFlag.EMPTY


class Encoding(Session):
    """State of one encoder.

    Args:
        form: the format as the device wants it.
        copy: copies octets out of this process's memory, told address and length.
        writable: the device reads pictures in place only where it may write.
        awaited: what is remembered of pictures, for an encoder that shall go on after a loss.

    Attributes:
        packets: encoded and not yet taken.
        form: the layout of the pictures.
    """

    def __init__(
        self,
        form: video.PictureFormat,
        copy: Callable[[int, int], bytes],
        *,
        writable: bool = False,
        awaited: Awaited | None = None,
    ) -> None:
        super().__init__(Direction.ENCODE)
        check_format(form)
        self._step(Step.FORMAT_SET_REPLY)
        self.form = form
        self.packets: deque[EncodedPacket] = deque()
        self._copy = copy
        self._read_only = not writable
        self._returned_outputs: deque[Span] = deque()
        self._picture_count = 0
        self._wanted = max(form.buffers_min, 1) + HEADROOM
        self._outputs_wanted = OUTPUT_COUNT
        self._output_size = form.size + OUTPUT_EXTRA
        self._output_cookie = 0
        self._next_timestamp = 0
        self._awaited = awaited
        self._series = 0
        self._force_key = False

    # --- loss -------------------------------------------------------------------------------

    @property
    def lost(self) -> int:
        """Pictures that went with a device."""
        return self._awaited.lost if self._awaited else 0

    @property
    def _recoverable(self) -> bool:
        return self._awaited is not None

    @property
    def behind(self) -> bool:
        """The device has yet to be given again what its predecessor had."""
        return self._awaited is not None and self._awaited.behind

    def reopened(self, form: video.PictureFormat | None) -> None:
        """There is another device: it wants memory of its own, and the pictures that are still here."""
        assert form is not None
        assert self._awaited is not None
        check_format(form)
        if _kind(form) != _kind(self.form):
            raise RemoteProtocolError("another device that wants pictures of another format or size")
        super().reopened(form)
        self._awaited.lose()
        self._force_key = True
        self.form = form
        self._series += 1
        self._returned_outputs.clear()
        self._picture_count = 0
        self._wanted = max(form.buffers_min, 1) + HEADROOM
        self._outputs_wanted = OUTPUT_COUNT
        self._output_size = max(self._output_size, form.size + OUTPUT_EXTRA)

    def salvage(self, inbox: deque[tuple[int, bytes]]) -> None:
        """Takes the access units up to the last of a picture that is here no more.

        That the codec is done with a picture is not taken: it may be given again, if it comes later than those.
        """
        if self._awaited is None:
            return
        for _ in range(max((place for place, event in enumerate(inbox, 1) if self._is_last_of(*event)), default=0)):
            opcode, payload = inbox.popleft()
            if opcode != video.InputDone.OPCODE:
                self.receive(opcode, payload)

    def _is_last_of(self, opcode: int, payload: bytes) -> bool:
        """Whether an event is all that is left of a picture."""
        if opcode != video.OutputReady.OPCODE or self._awaited is None:
            return False
        event = video.OutputReady.unpack(payload)
        return not event.flags & _UNUSED and self._awaited.gone(ticks(event.timestamp))

    def due(self) -> Sent | None:
        """The picture that is to be given again next, once the drain before it is."""
        awaited = self._awaited
        if awaited is None:
            return None
        if awaited.drain_due:
            super().drain()
            awaited.given()  # not before: it may have raised
        return awaited.due()

    def submit_again(self, picture: WritablePicture) -> None:
        """Queues what was due and has been copied into that picture."""
        assert self._awaited is not None
        sent = self._awaited.due()
        assert sent is not None
        self._awaited.given()
        sent.lease, sent.form = picture.take(), self.form
        self._queue(sent)

    def is_stale(self, picture: WritablePicture) -> bool:
        """Its pages are those of a device that is lost."""
        return picture.series != self._series

    def drain(self) -> None:
        """No more pictures for now; said once all that is due to the device has been given.

        Raises:
            StateError: a drain is under way.
        """
        awaited = self._awaited
        if awaited is None or not awaited.behind:
            super().drain()
        elif awaited.draining:
            raise StateError("draining", "ready for drain")
        self.drained = False
        if awaited is not None:
            awaited.drain()

    def _on_drained(self, event: video.Drained) -> None:
        super()._on_drained(event)
        if self._awaited is not None:
            self._awaited.drained()

    # --- pictures ---------------------------------------------------------------------------

    def picture(self) -> WritablePicture | None:
        """An empty picture; None while there is none."""
        return WritablePicture(Lease(self.returns.popleft(), self.returns), self.form) if self.returns else None

    def submit(self, picture: WritablePicture) -> None:
        """Queues a filled picture.

        Raises:
            StateError: it has been sent before.
        """
        lease = picture.take()
        timestamp = self._next_timestamp if picture.timestamp is None else picture.timestamp
        self._next_timestamp = timestamp + (picture.duration or 1)
        sent = Sent(lease, self.form, timestamp, picture.duration, key=picture.key)
        if self._awaited is not None:
            self._awaited.append(sent)
        self._queue(sent)

    def _queue(self, sent: Sent) -> None:
        assert sent.lease
        place = sent.lease.span
        span = video.Span(place.memory.identity, place.length, place.offset)
        flags = video.InputFlag.KEY if sent.key or self._force_key else video.InputFlag(0)
        self._force_key = False
        self._submit(sent, span, flags, wire_ticks(sent.timestamp), sent.duration)

    def _input_returned(self, holder: Sent, error: int) -> None:
        holder.lease = None  # it goes back as soon as the user looks at it no more
        if error not in (0, video.Error.CANCELLED):
            self._fault = RemoteProtocolError(f"the encoder could make nothing of a picture (error {error})")

    # --- spans ------------------------------------------------------------------------------

    def memory_request(self, *, waiting: bool) -> MemoryRequest | None:
        """Spans for access units and pictures; more pictures when the user fills so many at once."""
        self._recycle()
        if self._fault:
            return None
        if self._picture_count and self._outputs_wanted:
            count, size = self._outputs_wanted, self._output_size  # as they are now; more may be wanted meanwhile
            taken, refused = partial(self._accept_outputs, count, size), self._refuse_outputs
            return MemoryRequest(count * aligned(size), read_only=False, accept=taken, refuse=refused)
        if not self._wanted and waiting and not self.returns and not self._inputs:
            self._wanted = HEADROOM
        if not self._wanted:
            return None
        length = self._wanted * aligned(self.form.size)
        accept, refuse = self._accept_pictures, self._refuse_pictures
        return MemoryRequest(length, read_only=self._read_only, accept=accept, refuse=refuse)

    def _accept_outputs(self, count: int, size: int, memory: Memory) -> None:
        for span in spans_of(memory, count, size, self._output_cookie, 0):
            self._lend(span)
        self._output_cookie += count
        self._outputs_wanted -= count

    def _accept_pictures(self, memory: Memory) -> None:
        self.returns.extend(spans_of(memory, self._wanted, self.form.size, self._picture_count, self._series))
        self._picture_count += self._wanted
        self._wanted = 0

    def _refuse_outputs(self, fault: Exception) -> None:
        """Makes do with half as many, while that is possible."""
        self._outputs_wanted //= 2
        if not self._outputs_wanted:
            self._fault = fault
            self._outputs_wanted = 1

    def _refuse_pictures(self, fault: Exception) -> None:
        """Makes do with one less, while that is possible."""
        if self._wanted > (1 if self._picture_count else self.form.buffers_min):
            self._wanted -= 1
        else:
            self._fault = fault

    def _recycle(self) -> None:
        """Lends the outputs that have been copied out of."""
        while self._returned_outputs:
            self._lend(self._returned_outputs.popleft())

    # --- events -----------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Access units wait to be taken."""
        return bool(self.packets)

    def _output_returned(self, span: Span, event: video.OutputReady) -> None:
        if event.flags & video.OutputFlag.CANCELLED:
            self._replace(span, event.bytes_used)
            return
        self._returned_outputs.append(span)
        if event.flags & video.OutputFlag.EMPTY:
            return
        if event.bytes_used > span.length:
            raise RemoteProtocolError(f"{event.bytes_used} octets in a span of {span.length}")
        packet = EncodedPacket(
            self._copy(span.address, event.bytes_used),
            ticks(event.timestamp),
            ticks(event.decode_timestamp),
            event.duration,
            bool(event.flags & video.OutputFlag.KEY),
        )
        if self._awaited is not None:
            self._fruitless = 0
            packet = self._awaited.received(packet)
        self.packets.append(packet)

    def _replace(self, span: Span, needed: int) -> None:
        """A span was too small for an access unit: others come in its place."""
        if needed > _OUTPUT_MOST * self.form.size + OUTPUT_EXTRA:
            raise RemoteProtocolError(f"an access unit of {needed} octets from pictures of {self.form.size}")
        self._output_size = max(self._output_size, needed)
        if span.length < self._output_size:
            self._outputs_wanted += 1
        else:
            self._returned_outputs.append(span)

    @property
    def changed(self) -> bool:
        """An access unit waits for a larger span."""
        return self._outputs_wanted > 0

    def dispose(self) -> None:
        """Lets go of all memory; the session is over."""
        self._returned_outputs.clear()
        self.forget()
        super().dispose()

    def forget(self) -> None:
        """Nothing of what the user has given is wanted any more, by whichever device."""
        if self._awaited is not None:
            self._awaited.clear()

    def flushed(self) -> None:
        """The device has forgotten its pictures; what it made before is not wanted either."""
        super().flushed()
        self.forget()  # also what has come since then: times may go back from here on
        self.packets.clear()


def _kind(form: video.PictureFormat) -> tuple[video.PixelFormat, int, int]:
    """What two layouts have in common when pictures of the one can be copied into the other."""
    return form.pixel_format, form.width, form.height
