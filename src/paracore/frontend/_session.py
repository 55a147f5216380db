# SPDX-License-Identifier: Apache-2.0
"""One session as its domain sees it: what a decoder and an encoder have in common.

Sans-I/O: events go in by ``receive``, what is to be sent comes out of ``take_posts``, what memory is needed
out of ``memory_request``. The synchronous and the asynchronous API drive the same object and differ only in
how they wait. What may follow what is the table of ``paracore.protocol``; the backend is not trusted: every
event is asked of that table and matched against what is outstanding.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from paracore._errors import QuotaExceeded, RemoteProtocolError, StateError
from paracore.classes import core, video
from paracore.frontend._faults import wire_fault
from paracore.protocol import SESSION, Refusal, State, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.frontend._buffers import Memory, Span
    from paracore.protocol import Direction

__all__ = ["FRUITLESS_MAX", "MemoryRequest", "Post", "Session", "Ticket"]

#: Recoveries in a row that brought nothing: what kills each worker that it is given to is not given to ever more.
FRUITLESS_MAX = 3


class Ticket:
    """What a post is for, until it is answered; ``serial`` is how a failure would name it."""

    __slots__ = ("serial",)

    def __init__(self) -> None:
        self.serial = 0


class Post(NamedTuple):
    """A message to send. Its serial is to be written into ``ticket``."""

    opcode: int
    payload: bytes
    ticket: Any


class MemoryRequest(NamedTuple):
    """Memory to be granted and attached."""

    length: int
    read_only: bool
    accept: Callable[[Memory], None]
    refuse: Callable[[Exception], None]
    """To be told that a limit of the domain forbids it."""

    def answer(self, granted: Callable[[], Memory]) -> None:
        """Hands over what was granted, or tells why it was not.

        Args:
            granted: returns the memory or raises ``QuotaExceeded``.
        """
        try:
            memory = granted()
        except QuotaExceeded as fault:
            self.refuse(fault)
        else:
            self.accept(memory)


class Session:
    """State of one session.

    Attributes:
        returns: spans that come back from the user; finalizers append here.
        drained: a drain is complete and nothing has been sent since.
        starvation: why no more memory can be had, while the device lacks some.
        recoveries: how often the device was lost and the session went on with another.
    """

    def __init__(self, direction: Direction) -> None:
        self.returns: deque[Span] = deque()
        self.drained = False
        self._rows = SESSION[direction]
        self._state = State.FORMATLESS
        self._lent: dict[int, Span] = {}
        self._inputs: dict[int, Any] = {}
        self._posts: list[Post] = []
        self._cookie = 0
        self._drain = Ticket()
        self._fault: Exception | None = None
        self._over: Exception | None = None
        self.starvation: QuotaExceeded | None = None
        self.recoveries = 0
        self._fruitless = 0

    # --- loss -------------------------------------------------------------------------------

    def lose(self) -> bool:
        """The device is lost; whether there is hope with another one."""
        if self._over is not None or self._fruitless == FRUITLESS_MAX or not self._recoverable:
            return False
        self._fruitless += 1
        return True

    @property
    def _recoverable(self) -> bool:
        """What another device would have to be given is still here."""
        return False

    @property
    def behind(self) -> bool:
        """The device has yet to be given again what its predecessor had."""
        return False

    def reopened(self, form: video.PictureFormat | None) -> None:
        """There is another device, with a session that knows nothing yet.

        Args:
            form: an encoder's format, as that one wants it.
        """
        self.recoveries += 1
        self._state = State.FORMATLESS
        if form is not None:
            self._step(Step.FORMAT_SET_REPLY)
        self._lent.clear()
        self._inputs.clear()
        self._posts.clear()
        self.returns = deque()  # what the user still has is not to come back here
        self._drain = Ticket()
        self._fault = self.starvation = None

    def salvage(self, inbox: deque[tuple[int, bytes]]) -> None:
        """Takes, of the events of a lost device, those up to the last that its successor could not bring again."""

    # --- what goes out ----------------------------------------------------------------------

    def take_posts(self) -> list[Post]:
        """What is to be sent now, in order."""
        posts, self._posts = self._posts, []
        return posts

    @property
    def ready(self) -> bool:
        """Something that the device has made waits to be taken by the user."""
        raise NotImplementedError

    @property
    def changed(self) -> bool:
        """Memory is due because of an event, not for want of waiting."""
        return False

    def memory_request(self, *, waiting: bool) -> MemoryRequest | None:
        """Memory that is needed now; ``waiting`` says that without it nothing will happen.

        First lends the spans that have come back to the device again: there may be enough of them.
        """
        raise NotImplementedError

    def drain(self) -> None:
        """No more input for now.

        Raises:
            StateError: a drain is under way.
        """
        self.check()
        self._step(Step.DRAIN)
        self.drained = False
        self._posts.append(Post(video.Drain.OPCODE, b"", self._drain))

    def check(self) -> None:
        """Raises what has gone wrong since the last look."""
        if self._over is not None:
            raise self._over
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault

    def end(self, fault: Exception) -> None:
        """From now on everything fails with this."""
        self._over = self._over or fault

    def starve(self) -> None:
        """The device has stood still for lack of memory.

        Raises:
            QuotaExceeded: the limit that is in the way, unless something has come back meanwhile.
        """
        fault, self.starvation = self.starvation, None
        if fault is not None and not self.returns:
            raise fault

    def dispose(self) -> None:
        """Lets go of all memory; the session is over."""
        self._lent.clear()
        self._inputs.clear()
        self._posts.clear()
        self.returns.clear()
        self._over = self._over or StateError("closed", "open")

    def forget(self) -> None:
        """Nothing of what the user has given is wanted any more, by whichever device."""

    def flushed(self) -> None:
        """The device has forgotten what it had."""
        self._step(Step.FLUSH_REPLY)
        self.drained = False

    def _step(self, step: Step) -> None:
        """Moves the state.

        Raises:
            StateError: we may not do that now.
            RemoteProtocolError: the backend may not.
        """
        outcome = self._rows[self._state][step]
        if isinstance(outcome, State):
            self._state = outcome
        elif outcome is Refusal.VIOLATION:
            raise RemoteProtocolError(f"{step} of a session that is {self._state}")
        else:
            raise StateError(self._state, f"ready for {step}")

    def _lend(self, span: Span) -> None:
        self._lent[span.cookie] = span
        self._posts.append(Post(video.QueueOutput.OPCODE, span.message, span))

    def _submit(self, holder: Any, span: video.Span, flags: video.InputFlag, timestamp: int, duration: int) -> None:
        if self._rows[self._state][Step.QUEUE_INPUT] is not self._state:
            self._step(Step.QUEUE_INPUT)
        self.drained = False
        self._cookie = cookie = (self._cookie + 1) & 0xFFFFFFFF
        self._inputs[cookie] = holder
        message = video.QueueInput(span, cookie, flags, timestamp, duration)
        self._posts.append(Post(video.QueueInput.OPCODE, message.pack(), holder))

    # --- what comes in ----------------------------------------------------------------------

    def receive(self, opcode: int, payload: bytes) -> None:
        """Takes one event.

        Raises:
            RemoteProtocolError: it cannot be.
        """
        known = self._handlers.get(opcode)
        if known is None:
            raise RemoteProtocolError(f"an event with the unknown opcode {opcode:#06x}")
        unpack, step, handler = known
        event = unpack(payload)
        if step is not None and self._rows[self._state][step] is not self._state:
            self._step(step)
        handler(self, event)

    def _on_input_done(self, event: video.InputDone) -> None:
        self._input_returned(_taken(self._inputs, event.cookie, "input"), event.error)

    def _on_output_ready(self, event: video.OutputReady) -> None:
        self._output_returned(_taken(self._lent, event.cookie, "output"), event)

    def _on_source_change(self, event: video.SourceChange) -> None:
        raise NotImplementedError

    def _on_drained(self, _: video.Drained) -> None:
        self.drained = True

    def _on_session_failed(self, event: video.SessionFailed) -> None:
        self.end(wire_fault(event.error, "the session", event.limit, event.allowed))

    def _on_post_failed(self, event: core.PostFailed) -> None:
        """The post's span is ours again; it may have been another session's post."""
        for holders, restore in ((self._lent, None), (self._inputs, self._input_returned)):
            for cookie, holder in holders.items():
                if holder.serial == event.serial:
                    del holders[cookie]
                    if restore:
                        restore(holder, video.Error.CANCELLED)
                    self._fault = wire_fault(event.error, "a queued span", event.limit)
                    return
        if self._drain.serial == event.serial and event.opcode == video.Drain.OPCODE:
            self._fault = wire_fault(event.error, "drain", event.limit)

    def _input_returned(self, holder: Any, error: int) -> None:
        raise NotImplementedError

    def _output_returned(self, span: Span, event: video.OutputReady) -> None:
        raise NotImplementedError

    _handlers: ClassVar[dict[int, tuple[Callable[[bytes], Any], Step | None, Callable[[Any, Any], None]]]]

    def __init_subclass__(cls) -> None:
        """Looks up once what each event does in this class."""
        cls._handlers = {
            kind.OPCODE: (kind.unpack, step, getattr(cls, name))
            for kind, step, name in (
                (video.InputDone, Step.INPUT_DONE, "_on_input_done"),
                (video.OutputReady, Step.OUTPUT_READY, "_on_output_ready"),
                (video.SourceChange, Step.SOURCE_CHANGE, "_on_source_change"),
                (video.Drained, Step.DRAINED, "_on_drained"),
                (video.SessionFailed, Step.SESSION_FAILED, "_on_session_failed"),
                (core.PostFailed, None, "_on_post_failed"),
            )
        }


def _taken(outstanding: dict[int, Any], cookie: int, what: str) -> Any:
    try:
        return outstanding.pop(cookie)
    except KeyError:
        raise RemoteProtocolError(f"an {what} comes back that was not given: {cookie}") from None
