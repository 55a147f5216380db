# SPDX-License-Identifier: Apache-2.0
"""A channel to the backend: libparacore with Python's types and exceptions, and nothing else.

May be used from several threads. Events are handed to the inbox of the session they are for by
whichever thread waits; the others sleep until their inbox has something.

A channel that is closed while the user still looks at pictures stays connected, and its memory granted,
until the last view has gone: what the domain still holds is counted as held.
"""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from threading import Condition, Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, TypeVar

from paracore._errors import QuotaExceeded, RemoteProtocolError, TransportClosed
from paracore._native._frontend import ffi, lib
from paracore.classes import core, link, video
from paracore.frontend._buffers import Memory
from paracore.frontend._faults import call_fault, open_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, ClassVar

    from paracore.classes._payload import Payload
    from paracore.frontend._capability import DeviceFacts
    from paracore.frontend._session import Post

__all__ = ["INBOX_MAX", "Channel", "Inbox", "Line", "Statistics", "default_address"]

#: Events of one session that wait for its thread: opcode and payload.
Inbox: TypeAlias = "deque[tuple[int, bytes]]"

_EINTR, _EBUSY, _ENOSPC, _EPIPE = -errno.EINTR, -errno.EBUSY, -errno.ENOSPC, -errno.EPIPE
#: Ends of a channel that nobody wanted, or that a start of the backend will follow.
_LOSSES = frozenset({link.Refusal.NONE, link.Refusal.WORKER_LOST, link.Refusal.SHUTDOWN})
_HEADER_SIZE = 16
#: Events of one session that nobody has taken yet: far beyond what the spans of one can have paid for.
INBOX_MAX = 1 << 16
#: Events taken at a stretch: a backend that sends without end keeps nobody from his deadline.
_STRETCH = 1024
_READ_ONLY = int(core.BufferFlag.READ_ONLY)
#: A waiting call looks up this often: another thread may have closed the channel. An idle domain does not wait.
_LOOK_UP_NS = 1_000_000_000
#: How long one call may take before the backend counts as gone. Generous: a loaded machine is no fault.
_CALL_SECONDS = 30.0
_CALL_NS = int(_CALL_SECONDS * 1e9)


class _Replied(Protocol):
    """A class of replies."""

    SIZE: ClassVar[int]

    @classmethod
    def unpack(cls, payload: Any) -> Any: ...


R = TypeVar("R", bound=_Replied)


class Statistics(NamedTuple):
    """What a channel has done so far."""

    calls: int
    posts: int
    events: int
    notifications_out: int
    notifications_in: int
    sleeps: int
    bytes_granted: int
    buffers: int


class Channel:
    """One channel of this process.

    Args:
        address: the backend's Unix socket; None means ``$PARACORE_SOCKET``, else the default one.
        spin: seconds that a waiting call spins before it sleeps.
        timeout: seconds that opening may take.

    Attributes:
        domain: the name by which the backend knows this process's domain.
        devices: what the backend has said of them, None before it is asked.
        lost: the backend's end of it has gone, as it may without anybody's fault or wish.

    Raises:
        TransportError: nothing listens there, or it does not answer.
        PermissionRefused: the policy knows no domain for this process.
    """

    def __init__(
        self, address: str | os.PathLike[str] | None = None, *, spin: float = 0.0, timeout: float = 10.0
    ) -> None:
        self.lost = False
        self.devices: dict[str, DeviceFacts] | None = None
        options: Any = ffi.new("struct paracore_options *")
        options.size = ffi.sizeof("struct paracore_options")
        options.spin_ns = _nanoseconds(spin)
        options.connect_ns = _nanoseconds(timeout)
        out, reason = ffi.new("struct paracore_channel **"), ffi.new("uint32_t *")
        where = ffi.NULL if address is None else os.fsencode(address)
        status = lib.paracore_open(where, options, out, reason)
        if status < 0:
            raise open_fault(status, os.fspath(address or default_address()), reason[0])
        self.handle = out[0]
        self.domain: str = _text(lib.paracore_domain(self.handle))
        event: Any = ffi.new("struct paracore_event *")
        self._event = event
        self._payload = ffi.buffer(event.payload)
        self._inboxes: dict[int, Inbox] = {}
        self._turn = Condition()
        self._pumping = False
        self._followers = 0
        self._delivered = 0
        self._buffers: dict[int, Any] = {}
        self._retired: deque[int] = deque()
        self._busy: deque[int] = deque()
        self._abandoned: deque[int] = deque()
        self._closing = False
        self._last_close = Lock()

    # --- messages ---------------------------------------------------------------------------

    def call(self, request: Payload, reply: type[R], what: str, session: int = 0, *, timeout: float | None = None) -> R:
        """Makes one call and waits for its reply.

        Args:
            request: the call.
            reply: the class of what answers it.
            what: is attempted, for the message of an error.
            session: what it is for.
            timeout: seconds.
        """
        self.check_open(what)
        payload = request.pack()
        room = ffi.new("uint8_t[]", max(reply.SIZE, 1))
        size = ffi.new("size_t *", reply.SIZE)
        failure = ffi.new("struct paracore_failure *")
        limit = _nanoseconds(_CALL_SECONDS if timeout is None else timeout)
        status = lib.paracore_call(
            self.handle, request.OPCODE, session, payload, len(payload), room, size, failure, limit
        )
        if status < 0:
            raise self.fault(status, what, failure)
        result: R = reply.unpack(ffi.buffer(room, size[0]))
        return result

    # --- events -----------------------------------------------------------------------------

    def line(self, session: int) -> Line:
        """The use of this channel for one session.

        Raises:
            RemoteProtocolError: the backend has named it as another one.
        """
        if session == 0 or session in self._inboxes:
            raise RemoteProtocolError(f"a new session that is named {session}")
        inbox: Inbox = deque()
        self._inboxes[session] = inbox
        return Line(self, session, inbox)

    def wait(self, inbox: Inbox, deadline: float | None) -> bool:
        """Waits until the inbox holds an event.

        Args:
            inbox: of a session.
            deadline: by ``time.monotonic``, None for never; one that has passed only looks.

        Returns:
            False when the deadline passed first.
        """
        while not inbox:
            if not self._take_turn(inbox, deadline):
                break
            try:
                self.pump(deadline)
            finally:
                self._give_turn()
            if deadline is not None and time.monotonic() >= deadline:
                break
        return bool(inbox)

    def _take_turn(self, inbox: Inbox, deadline: float | None) -> bool:
        """True when it is for this thread to wait for all; False when there is news, or the time is over."""
        with self._turn:
            while self._pumping and not inbox:
                if not self._follow(deadline):
                    return False
            if inbox:
                return False
            self._pumping = True
            return True

    def _follow(self, deadline: float | None) -> bool:
        """Sleeps until another thread gives its turn; False when the deadline passed first."""
        self._followers += 1
        try:
            return self._turn.wait(None if deadline is None else _remaining(deadline))
        finally:
            self._followers -= 1

    def settle(self) -> None:
        """Has all events that have been received by now in their inboxes.

        A call's reply overtakes them here: they wait to be taken, or another thread is about to hand them over. One that
        sleeps has none of them.
        """
        due = self.statistics().events
        while self._take_turn_until(due):
            before = self._delivered
            try:
                self.pump(0.0)
            finally:
                self._give_turn()
            if self._delivered == before:
                break

    def _take_turn_until(self, due: int) -> bool:
        """True when it is for this thread to take events; False once so many have been delivered."""
        with self._turn:
            while self._pumping and self._delivered < due:
                self._follow(None)
            if self._delivered >= due:
                return False
            self._pumping = True
            return True

    def _give_turn(self) -> None:
        with self._turn:
            self._pumping = False
            if self._followers:
                self._turn.notify_all()

    def pump(self, deadline: float | None) -> None:
        """Takes the events there are into their inboxes, after waiting a while for the first of them."""
        self.check_open("wait")
        wait_ns = _LOOK_UP_NS if deadline is None else min(_LOOK_UP_NS, _nanoseconds(_remaining(deadline)))
        for taken in range(_STRETCH):
            status = lib.paracore_next_event(self.handle, self._event, 0 if taken else wait_ns)
            if status <= 0:
                break
            try:
                self._deliver()
            finally:
                self._delivered += 1
        if status < 0 and status != _EINTR and not taken:
            raise self.fault(status, "wait")

    def _deliver(self) -> None:
        header = self._event.header
        message = (header.opcode, self._payload[0 : header.size - _HEADER_SIZE])
        inbox = self._inboxes.get(header.object)
        if inbox is not None:
            _put(inbox, message)
        elif header.opcode == core.PostFailed.OPCODE:  # it names a serial, and each session knows its own
            for each in list(self._inboxes.values()):
                _put(each, message)

    def fileno(self) -> int:
        """Polls readable when there may be events, once ``arm`` has said that it is safe to wait."""
        return int(lib.paracore_fd(self.handle))

    def arm(self) -> bool:
        """False when an event waits already."""
        status = lib.paracore_arm(self.handle)
        if status < 0:
            raise self.fault(status, "wait")
        return bool(status)

    # --- memory -----------------------------------------------------------------------------

    def grant(self, length: int, *, read_only: bool) -> Memory:
        """Grants memory to the backend, maps it here and attaches it.

        Raises:
            QuotaExceeded: a limit of the domain forbids it.
        """
        self.reap()
        buffer: Any = ffi.new("struct paracore_buffer *")
        status = lib.paracore_buffer_create(self.handle, length, _READ_ONLY if read_only else 0, buffer)
        if status == _ENOSPC:
            raise self._limit_in_the_way()
        if status < 0:
            raise self.fault(status, "granting memory")
        self._buffers[buffer.id] = buffer
        address = int(ffi.cast("uintptr_t", buffer.address))
        view = memoryview(ffi.buffer(buffer.address, buffer.length)).cast("B")
        return Memory(buffer.id, address, view, self._retire)

    def _limit_in_the_way(self) -> QuotaExceeded:
        """Which limit forbids one more buffer."""
        failure: Any = ffi.new("struct paracore_failure *")
        lib.paracore_get_failure(self.handle, failure)
        return QuotaExceeded(video.Limit(failure.limit).name.lower(), failure.allowed)

    def _retire(self, identity: int) -> None:
        """Nobody refers to this memory any more. Called by finalizers: on any thread, at any point."""
        self._retired.append(identity)
        if self._closing:
            self._close_when_unused()

    def abandon(self, session: int) -> None:
        """A session was forgotten without being closed. Called by finalizers."""
        self._abandoned.append(session)

    @property
    def littered(self) -> bool:
        """There is something to ``reap``."""
        return bool(self._retired or self._abandoned)

    def reap(self) -> None:
        """Closes what was forgotten and takes back the memory that nobody refers to; each of them once, whoever else does so."""
        for session in _emptied(self._abandoned):
            self.close_session(session)
        self._retired.extend(_emptied(self._busy))
        for identity in _emptied(self._retired):
            if lib.paracore_buffer_destroy(self.handle, self._buffers[identity]) == _EBUSY:
                self._busy.append(identity)  # a codec still reads it as a reference: another time
            else:
                del self._buffers[identity]

    def close_session(self, session: int) -> None:
        """Ends a session; that it or the channel has ended already is no error."""
        request, failure = video.Close().pack(), ffi.new("struct paracore_failure *")
        room, size = ffi.new("uint8_t[]", 1), ffi.new("size_t *", 0)
        lib.paracore_call(
            self.handle, video.Close.OPCODE, session, request, len(request), room, size, failure, _CALL_NS
        )
        self._inboxes.pop(session, None)

    # --- end --------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """``close`` has been called."""
        return self._closing

    def statistics(self) -> Statistics:
        """Counts since the channel was opened."""
        self.check_open("statistics")
        out = ffi.new("struct paracore_statistics *")
        lib.paracore_get_statistics(self.handle, out)
        return Statistics(*(getattr(out, name) for name in Statistics._fields))

    def close(self) -> None:
        """Ends all sessions and, once no view of its memory is left, the channel. Idempotent."""
        if self._closing:
            return
        for session in list(self._inboxes):
            self.close_session(session)
        self.reap()
        self._closing = True
        self._close_when_unused()

    def _close_when_unused(self) -> None:
        """May run on any thread and within itself, hence the lock that nobody waits for."""
        unused = len(self._retired) + len(self._busy) == len(self._buffers)
        if unused and self._last_close.acquire(blocking=False):
            lib.paracore_close(self.handle)  # which also unmaps what is left

    def __del__(self) -> None:
        if not getattr(self, "_closing", True):
            self._closing = True
            self._close_when_unused()

    def check_open(self, what: str) -> None:
        """Raises ``TransportClosed`` when it is closed."""
        if self._closing:
            raise TransportClosed(f"{what}: the channel is closed")

    def fault(self, status: int, what: str, failure: Any = None) -> Exception:
        """The exception for a negative result of libparacore."""
        if failure is None or not failure.error:
            told = video.Failure(video.Error.IO, video.Limit.NONE, 0)
        else:
            told = video.Failure.unpack(ffi.buffer(failure))
        reason = lib.paracore_goodbye(self.handle)
        self.lost = self.lost or (status == _EPIPE and reason in _LOSSES)
        return call_fault(status, what, told, reason)


class Line:
    """What one session uses of a channel. One thread at a time.

    Attributes:
        inbox: events that have arrived.
        session: its number.
    """

    __slots__ = ("_channel", "_serial", "inbox", "session")

    def __init__(self, channel: Channel, session: int, inbox: Inbox) -> None:
        self._channel = channel
        self._serial = ffi.new("uint32_t *")
        self.session = session
        self.inbox = inbox

    def post(self, posts: Sequence[Post]) -> None:
        """Sends messages that have no reply. The backend sees them at the next ``publish``, wait or call."""
        channel, serial = self._channel, self._serial
        channel.check_open("post")
        handle = channel.handle
        for opcode, payload, ticket in posts:
            status = lib.paracore_post(handle, opcode, self.session, payload, len(payload), serial, _CALL_NS)
            if status < 0:
                raise channel.fault(status, "post")
            ticket.serial = serial[0]

    def publish(self) -> None:
        """Shows the backend what has been posted; wakes it if it sleeps, which is what a picture's cost is made of."""
        status = lib.paracore_flush(self._channel.handle)
        if status < 0:
            raise self._channel.fault(status, "post")

    def wait(self, deadline: float | None) -> bool:
        """Waits until the inbox holds something; False when the deadline passed first."""
        return bool(self.inbox) or self._channel.wait(self.inbox, deadline)

    def settle(self) -> None:
        """Has all that was received by now in the inbox."""
        self._channel.settle()


def _put(inbox: Inbox, message: tuple[int, bytes]) -> None:
    if len(inbox) >= INBOX_MAX:
        raise RemoteProtocolError("more events than anybody has paid for")
    inbox.append(message)


def _emptied(queue: deque[int]) -> Iterator[int]:
    """Takes what is in a queue that others may append to, or take from, meanwhile."""
    for _ in range(len(queue)):
        try:
            yield queue.popleft()
        except IndexError:
            return


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


def _remaining(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def default_address() -> str:
    """Where the backend is looked for when nobody says."""
    return os.environ.get("PARACORE_SOCKET") or _text(lib.PARACORE_DEFAULT_SOCKET)


def _text(characters: Any) -> str:
    octets = ffi.string(characters)
    assert isinstance(octets, bytes)
    return octets.decode()
