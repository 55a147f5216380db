# SPDX-License-Identifier: Apache-2.0
"""What decoders and encoders have in common: inputs in order, times that come out again, the end of a sequence.

Theory of operation
-------------------
The codec works on the kernel's threads. Its file becomes readable, writable or urgent when something has
happened; ``completions`` then takes all there is. The file is watched edge by edge, since an idle one has
an error pending all the time.

Inputs wait here while the codec has as many as it takes. A drain is an entry among them. When it is
reached, the codec is told to stop, and what was queued behind it waits until the output marked last has come.

The kernel copies a time from an input to what comes of it. What it gets is a *tag*, a number that is
never used again, which says here what input it was. So a time of the domain's may be any number.

A codec hangs when it has to go on and nothing comes back: neither an input nor an output. It has to when it has more
inputs than it may keep to see what follows them, or is to stop, and has room for as many outputs as it needs.
The kernel's stop of both sides ends that. Nobody says whether a codec keeps an input until the next one comes: it is taken to, until
it has once given out what came of the newest input it had.

A request that fails beyond what the interface foresees ends the session: with ``no_device`` when the
device has been unplugged, with ``io`` else.
"""

from __future__ import annotations

import errno
import select
import time
from abc import abstractmethod
from collections import OrderedDict, deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from paracore.classes import video
from paracore.classes.video import Error, OutputFlag, PictureType
from paracore.drivers import CallFailed, Notices, Span, VideoSession
from paracore.drivers.v4l2._sink import Lent
from paracore.drivers.v4l2._source import Input
from paracore.drivers.v4l2._uapi import BufferFlag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paracore.drivers.v4l2._node import Node
    from paracore.drivers.v4l2._sink import Output, Sink
    from paracore.drivers.v4l2._source import Source

__all__ = ["Session"]

NO_TIME: Final = -(1 << 63)
TAGS_MAX: Final = 256
"""Inputs remembered: far more than any codec reorders. Some never come out, a bit stream's parameter sets."""

_TYPES = {
    BufferFlag.KEYFRAME: PictureType.INTRA,
    BufferFlag.PFRAME: PictureType.PREDICTED,
    BufferFlag.BFRAME: PictureType.BIDIRECTIONAL,
}


class Session(Notices, VideoSession):
    """See the module. Owns the node."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._source: Source | None = None
        self._sink: Sink | None = None
        self._pending: deque[Input | None] = deque()
        """Inputs not yet with the codec; None is a drain."""
        self._spans: list[Lent] = []
        """Spans lent before there is anything to put into them."""
        self._stopping = False
        """A drain has been reached."""
        self._outputs: set[Span] = set()
        """Those that have been lent."""
        self._failure: Error | None = None
        self._tags: OrderedDict[int, Input] = OrderedDict()
        self._last_tag = 0
        self._copied = 0
        self.keeps = 1  # a unit ends where the next one begins
        self._needs = 1
        """Room for outputs without which it need not go on."""
        self._busy_since: int | None = None
        self._worked = 0
        self._epoll = select.epoll()
        self._epoll.register(self._event, select.EPOLLIN)
        self._epoll.register(node.fileno(), select.EPOLLIN | select.EPOLLOUT | select.EPOLLPRI | select.EPOLLET)

    # --- as in VideoSession -----------------------------------------------------------------------

    @property
    def copies(self) -> int:  # type: ignore[override]
        """As in ``VideoSession``."""
        return self._copied + sum(side.copies for side in (self._source, self._sink) if side)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def completions(self) -> Sequence[video.Event]:
        self._epoll.poll(0)
        if self._failure is None:
            try:
                self._turn()
            except OSError as error:
                self._broken(error)
        told = super().completions()
        self._note(moved=bool(told))
        return told

    def busy_since(self) -> int | None:
        return self._busy_since

    def queue_input(self, span: Span, cookie: int, flags: video.InputFlag, timestamp: int, duration: int) -> None:
        with self._kernel():
            self._check_input(span)
            self._pending.append(Input(span, cookie, flags, timestamp, duration))
            self._feed()
            self._note(moved=False)

    def queue_output(self, span: Span, cookie: int) -> None:
        with self._kernel():
            if any(_overlap(span, other) for other in self._outputs):
                raise CallFailed(Error.BUSY)
            self._outputs.add(span)
            self._lend(Lent(span, cookie))
            self._take_outputs()
            self._note(moved=False)

    def holds(self, span: Span) -> bool:
        return any(side.holds(span) for side in (self._source, self._sink) if side)

    def drain(self) -> None:
        with self._kernel():
            if self._stopping or None in self._pending:
                raise CallFailed(Error.BUSY)
            self._pending.append(None)
            self._feed()
            self._note(moved=False)

    def flush(self) -> None:
        with self._kernel():
            had = self._source.stop() if self._source else []
            for unit in [*had, *filter(None, self._pending)]:
                self.tell(video.InputDone(unit.cookie, Error.CANCELLED))
            self._pending.clear()
            self._tags.clear()
            self._stopping = False
            self._restart()

    def close(self) -> None:
        if self._node.fileno() >= 0:
            self._copied, source, sink = self.copies, self._source, self._sink
            self._source = self._sink = None
            for side in (source, sink):
                _let_go(side)
            self._epoll.close()
            self._node.close()
        super().close()

    # --- what a decoder and an encoder do each in its own way ------------------------------------------

    @abstractmethod
    def begin(self) -> None:
        """Sets the codec up; a session whose setting up fails is to be closed."""

    @abstractmethod
    def _check_input(self, span: Span) -> None:
        """Refuses an input that cannot be one."""

    @abstractmethod
    def _put(self, unit: Input) -> bool:
        """Gives an input to the codec; false while it has enough."""

    @abstractmethod
    def _lend(self, lent: Lent) -> None:
        """Takes a span for outputs."""

    @abstractmethod
    def _look(self) -> None:
        """Sees what the codec has to say beside its buffers."""

    @abstractmethod
    def _came(self, output: Output) -> None:
        """Something has come out."""

    @abstractmethod
    def _stop(self) -> None:
        """Tells the codec to stop when it is through."""

    @abstractmethod
    def _restart(self) -> None:
        """Both sides begin again, after the source was stopped."""

    # --- the work -----------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Takes all that has happened, and goes on."""
        self._take_inputs()
        self._look()
        self._take_outputs()
        self._feed()

    def _take_inputs(self) -> None:
        for unit, good in self._source.done() if self._source else ():
            self.tell(video.InputDone(unit.cookie, 0 if good else Error.INVALID))

    def _take_outputs(self) -> None:
        while self._sink and (output := self._sink.take(alone=self._ends())):
            self._learn(output)
            self._came(output)

    def _learn(self, output: Output) -> None:
        """Of a codec that is through with its newest input there is nothing to be kept."""
        if self.keeps == 1 and output.octets and output.tag == self._last_tag and not self._stopping:
            self.keeps = 0

    def _ends(self) -> bool:
        """Whether a last mark ends a drain, so that it need not wait for a span."""
        return self._stopping

    def _feed(self) -> None:
        """Gives the codec what it takes."""
        while self._pending and not self._stopping:
            unit = self._pending[0]
            if unit is None:
                self._pending.popleft()
                self._stopping = True
                self._stop()
            elif self._put(unit):
                self._pending.popleft()
            else:
                return

    def _tag(self, unit: Input) -> int:
        """A number for what comes of an input."""
        self._last_tag += 1
        self._tags[self._last_tag] = unit
        if len(self._tags) > TAGS_MAX:
            self._tags.popitem(last=False)
        return self._last_tag

    def _drained(self) -> None:
        """A drain is complete; what waits behind it begins a new sequence."""
        self._take_inputs()
        self._stopping = False
        self.tell(video.Drained())
        self._feed()

    # --- hanging ------------------------------------------------------------------------------------------

    @property
    def worked(self) -> int:
        """As in ``VideoSession``."""
        return self._worked

    def _note(self, *, moved: bool) -> None:
        """Something has come back, or only something has been queued."""
        since, must_go_on = self._busy_since, self._must_go_on()
        if since is None and not must_go_on:
            return
        now = time.monotonic_ns()
        if since is not None and (moved or not must_go_on):
            self._worked += now - since
        if not must_go_on:
            self._busy_since = None
        elif moved or since is None:
            self._busy_since = now

    def _must_go_on(self) -> bool:
        source, sink = self._source, self._sink
        has_work = source is not None and (source.count > self.keeps or self._stopping)
        return has_work and (sink is None or sink.room >= self._needs)

    # --- telling ------------------------------------------------------------------------------------------

    def _give(self, lent: Lent, flags: OutputFlag, size: int, output: Output | None = None) -> None:
        """A span goes back to the domain, with what came out in it."""
        self._outputs.discard(lent.span)
        unit = self._tags.get(output.tag) if output else None
        time, duration = (unit.timestamp, unit.duration) if unit else (NO_TIME, 0)
        kind = next((name for flag, name in _TYPES.items() if output and output.flags & flag), PictureType.UNKNOWN)
        what = (self._generation, size, kind, *self._visible)
        self.tell(video.OutputReady(lent.cookie, flags, time, self._decode_time(time, duration), duration, *what))

    _generation = 0
    _visible = (0, 0, 0, 0)

    def _decode_time(self, timestamp: int, duration: int) -> int:
        return timestamp

    # --- failing ------------------------------------------------------------------------------------------

    @contextmanager
    def _kernel(self) -> Iterator[None]:
        """Around each call: what the kernel does not do any more ends the session."""
        if self._failure is not None:
            raise CallFailed(self._failure)
        try:
            yield
        except OSError as error:
            raise CallFailed(self._broken(error)) from error

    def _broken(self, error: OSError) -> Error:
        self._failure = Error.NO_DEVICE if error.errno == errno.ENODEV else Error.IO
        self.tell(video.SessionFailed(self._failure, video.Limit.NONE, 0))
        return self._failure


def _overlap(one: Span, other: Span) -> bool:
    return one.address < other.address + other.length and other.address < one.address + one.length


def _let_go(side: Source | Sink | None) -> None:
    """Stops a side and frees its buffers. What the kernel does not do for a device that has gone it does at the close."""
    if side:
        for step in (side.stop, side.release):
            with suppress(OSError):
                step()
