# SPDX-License-Identifier: Apache-2.0
"""What waits for a session, synchronously: the thin skin of I/O around its state.

Wherever the channel's loss is met, the session is opened again on the next channel (``_channels``) and what is due to its
device is given again at the next wait; or else it ends with the fault that the loss was, once all that the device had said
before has been given out.
"""

from __future__ import annotations

import time
import warnings
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from paracore._errors import StateError
from paracore.classes import video
from paracore.frontend._faults import FATAL
from paracore.frontend._settings import control_number

if TYPE_CHECKING:
    from paracore.frontend._channel import Channel
    from paracore.frontend._opening import Origin
    from paracore.frontend._session import MemoryRequest, Session

__all__ = ["STARVATION_SECONDS", "Running", "deadline_of"]

#: How long a device that lacks spans may still be silent before that counts as a standstill.
STARVATION_SECONDS = 1.0

S = TypeVar("S", bound="Session")


def deadline_of(timeout: float | None) -> float | None:
    """When a time-out that starts now is over."""
    return None if timeout is None else time.monotonic() + timeout


class Running(ABC, Generic[S]):
    """A session that is open. One thread at a time; other sessions of the channel may have others.

    Args:
        origin: of the session.
        channel: on which it is open.
        session: its number there.
        state: of it.
    """

    def __init__(self, origin: Origin, channel: Channel, session: int, state: S) -> None:
        self._origin = origin
        self._channel = channel
        self._line = channel.line(session)
        self._state = state
        self._closed = False

    # --- loss -------------------------------------------------------------------------------

    @property
    def recoveries(self) -> int:
        """How often the device was lost and this session went on with another."""
        return self._state.recoveries

    def _go_on(self, fault: Exception) -> None:
        """Opens the session again on the channel that follows a lost one.

        Raises:
            Exception: the fault, when that is not what it says, or there is no going on. While something waits to be
                taken by the user it is the state's alone, to be met after that.
        """
        state = self._state
        self._salvage()
        try:
            channel, opened = self._origin.open_again(self._channel, state, fault)
            self._channel, self._line = channel, channel.line(opened.session)
            state.reopened(opened.form)
        except Exception as end:
            with suppress(*FATAL):
                self._take()  # all that the device had said
            state.end(end)
            if not state.ready:
                raise

    def _salvage(self) -> None:
        """Takes what the device has said before its channel ended, as far as no other could say it again."""
        with suppress(*FATAL):
            self._line.wait(0.0)
            self._line.settle()
        with suppress(*FATAL):
            self._state.salvage(self._line.inbox)

    # --- I/O --------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Gives the device what is due to it."""
        try:
            self._give()
        except FATAL as fault:
            self._go_on(fault)

    def _give(self, *, waiting: bool = False) -> bool:
        """Gives the device what is due to it.

        Args:
            waiting: nothing will happen without it; the wait itself will show the device what was posted.

        Returns:
            True when memory was asked for, which is news to who waits.
        """
        state, channel = self._state, self._channel
        granted = False
        if state.behind:
            self._catch_up()
        while (request := state.memory_request(waiting=waiting)) is not None:
            self._grant(request)
            granted = True
        if channel.littered:
            channel.reap()
        posts = state.take_posts()
        if posts:
            self._line.post(posts)
        if granted or not waiting:
            self._line.publish()
        state.check()
        return granted

    def _grant(self, request: MemoryRequest) -> None:
        request.answer(partial(self._channel.grant, request.length, read_only=request.read_only))

    @abstractmethod
    def _catch_up(self) -> None:
        """Gives the device what its lost predecessor had, as far as there is room for it now."""

    def _look(self) -> None:
        """Gives the device what is due to it and takes what has arrived, without waiting."""
        try:
            self._give(waiting=True)
            self._line.wait(0.0)
            self._take()
        except FATAL as fault:
            self._go_on(fault)

    def _hear(self) -> None:
        """Takes all that the device had said before it answered a call, whichever thread hands that over."""
        try:
            self._line.settle()
        except FATAL as fault:
            self._go_on(fault)
        self._look()

    def _take(self) -> None:
        inbox, receive = self._line.inbox, self._state.receive
        while inbox:
            receive(*inbox.popleft())

    def _wait(self, deadline: float | None) -> bool:
        """Waits for news; False when the deadline passed first.

        Raises:
            QuotaExceeded: the device stands still because a limit of the domain keeps memory from it.
        """
        self._check_open()
        state = self._state
        state.check()
        try:
            if self._give(waiting=True):
                return True
            if state.starvation is not None:
                return self._wait_starving(deadline)
            news = self._line.wait(deadline)
            self._take()
            if state.changed:  # the device waits for new spans
                self._give()
        except FATAL as fault:
            self._go_on(fault)
            return True
        return news

    def _wait_starving(self, deadline: float | None) -> bool:
        """The same for a device that may be unable to go on, but not for ever."""
        standstill = time.monotonic() + STARVATION_SECONDS
        news = self._line.wait(standstill if deadline is None else min(deadline, standstill))
        self._take()
        if not news and time.monotonic() >= standstill:
            self._state.starve()
        return news

    def _call(self, request: Any, reply: Any, what: str) -> Any:
        self._check_open()
        while True:
            try:
                return self._channel.call(request, reply, what, self._line.session)
            except FATAL as fault:
                if not self._channel.lost:
                    raise
                self._go_on(fault)
                self._state.check()

    # --- what both directions offer ---------------------------------------------------------

    def drain(self) -> None:
        """Says that no more input comes for now: what is under way is given out.

        Raises:
            StateError: a drain is under way.
        """
        self._check_open()
        self._state.drain()
        self._serve()

    @property
    def drained(self) -> bool:
        """A drain is complete, and nothing has been sent since."""
        return self._state.drained

    def flush(self) -> None:
        """Forgets all that is under way: to go on elsewhere in the stream."""
        state, flushed = self._state, -1
        while flushed != state.recoveries:  # a device that is lost meanwhile has a successor to be flushed
            self._serve()
            self._call(video.Flush(), video.FlushReply, "flush")
            state.forget()
            flushed = state.recoveries
            self._hear()
        state.flushed()

    def control(self, name: str, value: int | None = None) -> int:
        """Reads a control, or sets it.

        Args:
            name: as in ``video.Control``, in lower case: ``"bitrate"``, ``"gop"``, ``"threads"`` …
            value: to set.

        Returns:
            Its value, as the device took it.

        Raises:
            StateError: the codec takes it only before it starts.
        """
        number = control_number(name)
        if value is None:
            got = self._call(video.ControlGet(number), video.ControlGetReply, f"reading {name}")
        else:
            got = self._call(video.ControlSet(number, value), video.ControlSetReply, f"setting {name} to {value}")
            self._origin.controls[name] = value
        return int(got.value)

    # --- end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends the session. Pictures that are still held stay as they are. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if not self._channel.closed:
            self._channel.close_session(self._line.session)
            self._state.dispose()
            self._channel.reap()
        self._state.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise StateError("closed", "open")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_closed", True) or self._channel.closed:
            return
        warnings.warn(f"{self!r} was not closed", ResourceWarning, stacklevel=2, source=self)
        self._channel.abandon(self._line.session)
