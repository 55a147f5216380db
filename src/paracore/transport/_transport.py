# SPDX-License-Identifier: Apache-2.0
"""What a transport is: how octets, pages and notifications move between a domain and the backend.

Two ends, three parties. The *frontend* is a process of the domain and has a ``FrontendChannel``. In the
backend the *supervisor* has a ``Listener`` and one ``Port`` per process, through which the transport asks
its ``Host`` (the policy) whom to admit and what to allow; the *worker* has a ``Loop`` over the channels
of one domain and maps the grants whose descriptors the supervisor passed it.

Nothing above may know which transport it is. Descriptors are the kernel's, except in ``memory``, where
they number the entries of a table of its own; whoever takes one from here gives it back to ``Pages.close``.
Everything that comes out of a ``Port`` or a ``Loop`` was written by a hostile peer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from paracore._errors import Error, PermissionRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from paracore.classes import TraceEvent
    from paracore.classes.link import BufferFlag, Failure, Limit, Refusal
    from paracore.protocol import Attachment
    from paracore.transport._handover import PortState
    from paracore.transport._wire import Wire

__all__ = [
    "Buffer",
    "CallRefused",
    "ChannelDescriptors",
    "Entry",
    "EntryKind",
    "Event",
    "FrontendChannel",
    "Host",
    "Listener",
    "Loop",
    "LoopStatistics",
    "Mapping",
    "Membership",
    "Pages",
    "Peer",
    "Port",
    "Refused",
    "Transport",
]


class Refused(PermissionRefused):
    """The backend will not have this connection; the peer is told why and the connection ends."""

    def __init__(self, reason: Refusal, limit: Limit | None = None) -> None:
        super().__init__(f"refused: {reason.name.lower()}" + (f" {limit.name.lower()}" if limit else ""))
        self.reason = reason
        self.limit = limit


class CallRefused(Error):  # noqa: N818 - a value, no fault
    """The backend answered a call with a failure, which is a value of the wire and no fault.

    Attributes:
        failure: the wire's ``Failure``: error, limit, allowed.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.error.name.lower())
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as the kernel (never the peer) says."""

    identities: tuple[str, ...]
    """What policy may know it by, the most telling first: ``uid:1000``, ``gid:44``; Xen adds ``domid:3``."""
    administrator: bool
    """May ask for the backend's status."""
    text: str
    """For logs."""


class ChannelDescriptors(NamedTuple):
    """The backend's end of a channel: what its worker is given."""

    pages: int
    doorbell_in: int
    doorbell_out: int
    port: int = 0
    """The event channel's, for both doorbells; 0 when they are eventfds."""

    @property
    def passed(self) -> tuple[int, int, int]:
        """What travels beside a message; the port travels in it."""
        return self.pages, self.doorbell_in, self.doorbell_out


class Mapping(ABC):
    """Pages of a domain, mapped here.

    SAFETY: the domain may rewrite them at any time; whoever parses their content copies it first.
    """

    address: int
    length: int
    read_only: bool

    @abstractmethod
    def view(self) -> memoryview:
        """The octets; must be released before ``close``."""

    @abstractmethod
    def close(self) -> None:
        """Unmaps. Idempotent."""


class Pages(ABC):
    """Makes and maps shared pages and doorbells. The supervisor makes, the worker maps."""

    @abstractmethod
    def allocate(self, length: int) -> int:
        """Zeroed pages whose size nobody can change any more.

        Raises:
            GrantError: there is no memory or no descriptor left.
        """

    @abstractmethod
    def duplicate(self, descriptor: int, *, read_only: bool) -> int:
        """A second descriptor of the same pages; through a read-only one they can only be read."""

    @abstractmethod
    def doorbell(self) -> int:
        """A counter that polls readable when it was rung."""

    @abstractmethod
    def map(self, descriptor: int, length: int, *, read_only: bool) -> Mapping:
        """Maps pages; the descriptor may be closed afterwards.

        Raises:
            GrantError: they are shorter than that, or may not be written.
        """

    @abstractmethod
    def close(self, descriptor: int) -> None:
        """Gives a descriptor back."""


class EntryKind(IntEnum):
    """What a wait of a ``Loop`` has found; the numbers are native/backend/loop.h's."""

    MESSAGE = 1
    VIOLATION = 2
    WATCHED = 3


class Entry(NamedTuple):
    """One thing that happened: `number` is the channel, or the token of a watched descriptor."""

    kind: int
    number: int
    message: bytes = b""
    reason: str = ""


class LoopStatistics(NamedTuple):
    """Counts since the loop was made."""

    messages_in: int = 0
    messages_out: int = 0
    native_calls: int = 0
    wakeups: int = 0
    notifications_in: int = 0
    notifications_out: int = 0
    violations: int = 0


class Loop(ABC):
    """The worker's wait over all channels of its domain, see native/backend/loop.h for the rules.

    Header, size and reserved fields of each message are checked already. A channel that breaks the
    protocol is reported once and then ignored until it is removed.
    """

    @abstractmethod
    def add(self, channel: int, ring_order: int, descriptors: ChannelDescriptors) -> None:
        """Takes the channel and its descriptors over."""

    @abstractmethod
    def remove(self, channel: int) -> None: ...

    @abstractmethod
    def watch(self, descriptor: int, token: int) -> None:
        """Reports a kernel descriptor as WATCHED while it is readable."""

    @abstractmethod
    def unwatch(self, descriptor: int) -> None: ...

    @abstractmethod
    def wait(self, timeout_ms: int = -1) -> list[Entry]:
        """Publishes what was sent, then waits; empty on time-out."""

    @abstractmethod
    def send(self, channel: int, message: bytes) -> None:
        """Queues one message; a peer that does not read only stops itself.

        Raises:
            RemoteProtocolError: the peer let more pile up than it can have paid for.
        """

    @abstractmethod
    def flush(self) -> None:
        """Publishes now what was sent."""

    @abstractmethod
    def statistics(self) -> LoopStatistics: ...

    def trace(self, address: int) -> None:  # noqa: B027 - one of a test's need not
        """Records in the trace's memory at this address from now on which messages come and go; 0: no more."""

    def mark(  # noqa: B027, PLR0917 - as above; a record's fields
        self, event: TraceEvent, channel: int, session: int, cookie: int, timestamp: int, value: int = 0
    ) -> None:
        """Records something else there, while anybody wants to know."""

    @abstractmethod
    def close(self) -> None: ...


class Port(ABC):
    """The supervisor's end of one process of a domain. Closing it takes back all that the process held."""

    peer: Peer

    @abstractmethod
    def fileno(self) -> int:
        """Polls readable when ``receive`` has something to do."""

    @abstractmethod
    def receive(self) -> bool:
        """Serves a bounded part of what has arrived; False once the peer has gone.

        Raises:
            RemoteProtocolError: the peer broke the descriptor protocol.
            Refused: the host will not have it.
        """

    @abstractmethod
    def goodbye(self, reason: Refusal, limit: Limit | None = None) -> None:
        """Tells why the connection is about to end, takes its grants back, and waits for nothing but its end."""

    @abstractmethod
    def map(self, grant: int, length: int, flags: BufferFlag) -> int:
        """A descriptor of a grant for the worker, which the caller owns.

        Raises:
            GrantError: ENOENT for an unknown grant, EINVAL beyond its length or against its flags,
                EBUSY when it is mapped already.
        """

    @abstractmethod
    def unmap(self, grant: int) -> None:
        """The worker says that it has unmapped a grant. Unknown ones are ignored: workers may lie."""

    def released(self) -> None:  # noqa: B027 - nothing to do where pages are the backend's own
        """After the end of a channel: no worker has any of its pages mapped any more. Called once, late or early."""

    def hand_over(self) -> PortState | None:
        """What the backend's next program image needs to go on with it; None: there is no going on. Changes nothing."""
        return None

    @abstractmethod
    def close(self) -> None: ...


class Host(Protocol):
    """What a ``Port`` asks. Whatever is not allowed raises ``Refused``, ``QuotaExceeded`` or ``GrantError``."""

    def admit(self, port: Port) -> str:
        """The name of the peer's domain, empty for an administrator without one."""

    def channel_open(self, port: Port, ring_order: int, descriptors: ChannelDescriptors) -> int:
        """Hands the backend's end, borrowed for this call, to the worker; returns the channel's number."""

    def grant(self, port: Port, length: int) -> None:
        """Counts a grant before its pages are allocated."""

    def ungrant(self, port: Port, length: int) -> None:
        """The reverse."""

    def revoking(self, port: Port) -> None:
        """A grant that looks mapped is to be revoked: hear first what the worker has said by now."""

    def status(self, port: Port, answer: Callable[[bytes], None]) -> None:
        """Calls `answer` once, now or later, with a JSON text."""

    def configure(self, port: Port, changes: bytes) -> None:
        """Changes settings while they are used, all of them or none.

        Raises:
            ConfigError: which of them cannot be so, and the remedy.
        """

    def trace(self, port: Port, domain: str) -> tuple[int, str]:
        """Traces a domain, the peer's own if it is empty, until the port is closed; the descriptor is the caller's."""


class Membership(Protocol):
    """What a ``Listener`` asks whose domains come and go."""

    def attach(self, identity: str, attachment: Attachment) -> None:
        """From now on the domain is served whose peers are known by this identity.

        Raises:
            ConfigError: the toolstack asked for what cannot be.
        """

    def detach(self, identity: str, *, destroyed: bool) -> None:
        """It is not any more: its connections are told so; of a `destroyed` one nothing is waited for."""

    def drain(self, identity: str, ended: Callable[[], None]) -> None:
        """It is about to be detached: `ended` is called once, when its streams have given out all that they were given."""

    def violated(self, identity: str, text: str) -> None:
        """The domain broke the protocol before any connection."""

    def account(self, identity: str) -> dict[str, int]:
        """What it has used so far and holds now, by the names of the `stats` nodes (docs/protocol/xenbus.md)."""


class Listener(ABC):
    """Where frontends arrive."""

    @abstractmethod
    def fileno(self) -> int: ...

    @abstractmethod
    def accept(self, host: Host) -> Port | None:
        """The next arrival, None when there is none now."""

    @abstractmethod
    def close(self) -> None:
        """Lets nobody else in; those who are in stay until their ports are closed."""

    def pause(self) -> None:  # noqa: B027 - where arrivals wait by themselves there is nothing to do
        """Listens to nobody any more: what peers send from now on waits, for this program image or the next."""

    @property
    def settled(self) -> bool:
        """After ``pause``: whether nothing is under way that could not be handed over."""
        return True

    def counts(self) -> dict[str, int]:
        """What it has counted beside arrivals, such as pages mapped and unmapped; most count nothing."""
        return {}

    async def wait_closed(self) -> None:  # noqa: B027 - most have nothing more to say
        """After ``close``, and after the last port's: whatever there is still to be said to domains has been said."""


class Event(NamedTuple):
    """What the backend sent unasked."""

    opcode: int
    object: int
    payload: bytes


class Buffer(ABC):
    """Granted pages on the frontend's side, writable here whatever the backend may do."""

    id: int
    grant: int
    length: int

    @abstractmethod
    def view(self) -> memoryview: ...

    @abstractmethod
    def close(self) -> None:
        """Detaches, revokes and unmaps.

        Raises:
            StateError: the backend still uses it.
        """


class FrontendChannel(ABC):
    """A process's own end, with libparacore's verbs (paracore.h).

    What the backend refuses comes as ``CallRefused``; when it has gone every method raises ``TransportBroken``.
    """

    domain: str

    @abstractmethod
    def fileno(self) -> int: ...

    @abstractmethod
    def call(self, opcode: int, object: int, payload: bytes, timeout: float = 10.0) -> bytes: ...  # noqa: A002 - the wire's word

    @abstractmethod
    def post(self, opcode: int, object: int, payload: bytes, timeout: float = 10.0) -> int: ...  # noqa: A002

    @abstractmethod
    def flush(self) -> None: ...

    @abstractmethod
    def next_event(self, timeout: float = 0.0) -> Event | None: ...

    @abstractmethod
    def buffer(self, length: int, flags: BufferFlag) -> Buffer: ...

    @abstractmethod
    def goodbye(self) -> Refusal: ...

    @abstractmethod
    def close(self) -> None: ...


class Transport(ABC):
    """One way of moving octets. A fourth is a new folder with the files of ``transport/local``."""

    name: str
    pages: Pages

    @abstractmethod
    def listen(self, address: str, mode: int = 0o666) -> Listener:
        """Binds an address that nobody serves.

        Raises:
            TransportError: somebody does.
        """

    @abstractmethod
    def connect(self, address: str, *, timeout: float = 10.0) -> AbstractContextManager[FrontendChannel]: ...

    @abstractmethod
    def dial(self, address: str) -> Wire:
        """The bare descriptor connection, for whoever speaks class ``link`` himself."""

    @abstractmethod
    def loop(self, spin_ns: int = 0) -> Loop: ...
