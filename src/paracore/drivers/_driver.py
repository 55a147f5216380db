# SPDX-License-Identifier: Apache-2.0
"""What a driver is: the executor of one API on one coprocessor.

A driver sees calls, never octets of a ring: the worker has checked each span against its buffer
and hands over an address. The memory behind a span belongs to a hostile domain, which may rewrite it
at any time; a driver copies what it parses. Everything runs on the worker's one thread; nothing here
blocks except ``flush`` and ``close``. What happens later is told by completions: the driver makes
``fileno()`` readable and the worker calls ``completions()``. What never happens is found out by a deadline: the
worker asks ``busy_since()`` now and then, and closes a session that has been at one job for too long.

To write one, copy ``drivers/null`` and run ``paracore.testing.check_driver`` on it.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence  # noqa: TC003 - of class attributes
from contextlib import suppress
from typing import NamedTuple

from paracore.classes import video

__all__ = ["CallFailed", "Driver", "Gate", "GateWords", "Notices", "Span", "VideoSession"]


class CallFailed(Exception):  # noqa: N818 - a value on its way to the wire, not a fault of ours
    """A call fails with this error of the wire; the worker turns it into a reply or ``post_failed``."""

    def __init__(self, error: video.Error, limit: video.Limit | None = None, allowed: int = 0) -> None:
        super().__init__(error.name)
        self.error = error
        self.limit = limit
        self.allowed = allowed


class Span(NamedTuple):
    """A checked piece of a mapped buffer: ``length`` octets at ``address`` in this process."""

    address: int
    length: int
    read_only: bool


class Notices:
    """The completions of a session whose work is done at once: to be inherited beside ``VideoSession``."""

    def __init__(self) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._told: list[video.Event] = []

    def tell(self, event: video.Event) -> None:
        """Adds one and makes the descriptor readable."""
        self._told.append(event)
        os.eventfd_write(self._event, 1)

    def fileno(self) -> int:
        """As in ``VideoSession``."""
        return self._event

    def completions(self) -> Sequence[video.Event]:
        """As in ``VideoSession``."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._event)
        told, self._told = self._told, []
        return told

    def close(self) -> None:
        """As in ``VideoSession``."""
        if self._event >= 0:
            os.close(self._event)
        self._event = -1


class VideoSession(ABC):
    """One codec instance. Failures of the API are raised as ``CallFailed`` with a wire error."""

    copies: int = 0
    """Pictures whose pixels the driver had to copy, because the codec would not work in the span itself."""

    stoppable: bool = True
    """Whether ``close`` ends a job that hangs. Where it cannot, the worker is ended in its place."""

    keeps: int = 0
    """Inputs that it may have for as long as it likes, because it wants to see what follows them."""

    device_time: int | None = None
    """Nanoseconds of device time that its jobs have taken so far, where the device says so. None: see ``busy_since``."""

    has_news: bool = False
    """Whether there are completions of which ``fileno()`` does not tell. For what the worker puts before a driver."""

    @property
    def worked(self) -> int:
        """Nanoseconds so far that it was at its jobs, see ``busy_since``. For accounts of who uses what, not of shares."""
        return 0

    @property
    def waited(self) -> int:
        """Nanoseconds so far during which inputs waited in front of the device."""
        return 0

    @abstractmethod
    def fileno(self) -> int:
        """A descriptor that polls readable while completions wait."""

    @abstractmethod
    def completions(self) -> Sequence[video.Event]:
        """Takes what has happened, in order, as the class's events, and makes ``fileno()`` quiet."""

    def busy_since(self) -> int | None:
        """Since when it has been at one job, in nanoseconds of the monotonic clock, with what it waited left out.

        A job is an input worked off, or what a drain still has to give. None: it is at none, waits for the domain (to
        queue a span) or for its turn at the device, and will not go on before the worker has heard of something. A
        driver that does all at once, in the caller's thread, need not say so itself. Where the device itself
        does not say how long its jobs take this is also the measure of it: it begins anew with each job.
        """
        return None

    @abstractmethod
    def format_get(self) -> video.PictureFormat: ...

    @abstractmethod
    def format_set(self, wanted: video.PictureFormat) -> video.PictureFormat: ...

    def control_get(self, control: video.Control) -> int:  # noqa: ARG002
        """The value of a control; a codec without any need not say so itself."""
        raise CallFailed(video.Error.NO_ENTRY)

    def control_set(self, control: video.Control, value: int) -> int:  # noqa: ARG002
        """Sets a control; returns its value as the device took it."""
        raise CallFailed(video.Error.NO_ENTRY)

    @abstractmethod
    def queue_input(self, span: Span, cookie: int, flags: video.InputFlag, timestamp: int, duration: int) -> None: ...

    @abstractmethod
    def queue_output(self, span: Span, cookie: int) -> None: ...

    def holds(self, span: Span) -> bool:  # noqa: ARG002
        """Whether the codec still reads pictures there, as references, though their spans were given back.

        The worker asks before it unmaps a buffer and answers ``busy``; a codec lets go as it goes on.
        """
        return False

    @abstractmethod
    def drain(self) -> None: ...

    @abstractmethod
    def flush(self) -> None:
        """Forgets inputs and pictures; the completions of what it cancelled wait when it returns."""

    def recall(self) -> None:  # noqa: B027 - a codec that cannot let go of anything need not say so itself
        """Gives back the outputs that hold no picture, nor soon will; their completions wait when it returns."""

    def label(self, channel: int, session: int) -> None:  # noqa: B027 - one that records nothing need not say so itself
        """By which traces know it."""

    @abstractmethod
    def close(self) -> None:
        """Stops at once. When it returns no span is touched any more. Idempotent."""


class GateWords(NamedTuple):
    """What the supervisor is to be told of a device's time: `lease` is given back, and there is work for another."""

    release: bool
    want: bool
    lease: int


class Gate(ABC):
    """A device's time as one worker has it: sessions begin a unit of work only while it is leased."""

    @abstractmethod
    def fileno(self) -> int:
        """A descriptor that polls readable while there are words."""

    @abstractmethod
    def lease(self, number: int, budget: int) -> None:
        """So many nanoseconds from now, see ``worker.device_lease``; a lease's later words have its number."""

    @abstractmethod
    def words(self) -> GateWords:
        """Takes them, and makes ``fileno()`` quiet."""


class Driver(ABC):
    """One coprocessor instance. Made in the warm parent before any domain is seen, so that it is
    shared by all workers; opens sessions after the fork, inside the sandbox.
    """

    name: str

    is_processor: bool = False
    """Whether the device is the processor: what its time is the kernel knows. Else it is that of the sessions' jobs."""

    carries: bool = True
    """Whether its sessions go on over a reset. If not, the worker ends with those that it has: whoever uses them is to begin anew,
    as after the loss of a worker.
    """

    nodes: Sequence[str] = ()
    """Device files, one of which each session opens. Nothing else can be opened from inside the sandbox."""

    kernel_devices: Sequence[str] = ()
    """Folders in sysfs of the devices behind it, whose power the supervisor manages by what the kernel offers there."""

    requests: Sequence[int] = ()
    """The ``ioctl`` requests that sessions make of them: the sandbox lets no others pass."""

    open_node: Callable[[str], int]
    """Opens one of ``nodes``, for reading and writing and never waiting, or raises ``OSError``. A worker, which may
    open nothing itself, puts another in its place, see ``backend/_opener``.
    """

    @abstractmethod
    def capabilities(self) -> Sequence[video.CapabilityQueryReply]:
        """What the device can do, in a stable order. Called once, before the sandbox closes."""

    def share(self) -> Gate | None:
        """The gate of all sessions from now on, of a driver that has threads of its own. None: the worker has one before them.

        Called once in each worker, before any session is opened.
        """
        return None

    def reset(self) -> None:  # noqa: B027 - a device whose sessions know nothing of each other has nothing to reset
        """Sets the device right again, as far as this worker has it: its sessions hang again and again.

        Sessions go on from where they are, if the driver ``carries`` them.
        """

    def rest(self) -> None:  # noqa: B027 - a device that keeps nothing without a session has nothing to let go of
        """Lets go of what it keeps for sessions to come: nobody has had one for a while."""

    def trace(self, address: int) -> None:  # noqa: B027 - as above
        """Records in the trace's memory at this address from now on what its sessions do; 0: no more (native/core/trace.h)."""

    @abstractmethod
    def open(self, codec: video.Codec, direction: video.Direction, flags: video.OpenFlag) -> VideoSession: ...
