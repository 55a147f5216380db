# SPDX-License-Identifier: Apache-2.0
"""What every transport has to do: ``check_transport(maker)``, for whoever writes another one.

The checks stand at both ends of one channel: a frontend's own, and in the backend's place a ``Loop`` and
a ``Port`` behind a policy that allows everything. Each check gets a channel of its own, and whatever it
opened has to be closed when it is over: what is left is counted.
"""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections.abc import Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore._errors import GrantError, RemoteProtocolError, TransportBroken
from paracore.classes import core, link, video
from paracore.protocol import EVENT, FAILURE, HEADER_SIZE, PAGE_SIZE, REPLY, REQUEST, message, split
from paracore.protocol._wire import PAGE_OUT_PROD
from paracore.testing._hostile import HostileDomain
from paracore.transport import ChannelDescriptors, EntryKind, failure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Self

    from paracore.transport import Entry, FrontendChannel, Listener, Loop, Mapping, Port, Transport

__all__ = ["TRANSPORT_CHECKS", "Channel", "check_transport", "transport_channel"]

_PATIENCE: Final = 10.0
_ROUNDS: Final = 300
_POSTS: Final = 4000
"""Enough to go around a ring of the usual size many times."""
_EVENTS: Final = 2000
"""More than fit into a ring, fewer than a loop keeps for a frontend that reads late."""


class BackendStub:
    """The backend's place: admits everybody, gives each channel a number and its descriptors to a loop."""

    def __init__(self, transport: Transport, address: str) -> None:
        self.transport = transport
        self.loop: Loop = transport.loop()
        self.ports: dict[int, Port] = {}
        self.granted = 0
        self.ended: list[int] = []
        self.mappings: dict[int, Mapping] = {}
        self._listener: Listener = transport.listen(address)
        self._arrived: dict[int, Port] = {}
        self._wake, self._stop = os.pipe()
        self._poll = select.poll()
        for descriptor in (self._listener.fileno(), self._wake):
            self._poll.register(descriptor, select.POLLIN)
        self._thread = threading.Thread(target=self._serve, name="ports")
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._stop)
        self._thread.join()
        os.close(self._wake)
        for mapping in self.mappings.values():
            mapping.close()
        self.loop.close()
        for port in self._arrived.values():
            port.close()
        self._listener.close()

    # --- a Host that allows everything ------------------------------------------------------------

    def admit(self, port: Port) -> str:  # noqa: ARG002
        return "guest"

    def channel_open(self, port: Port, ring_order: int, descriptors: ChannelDescriptors) -> int:
        number = len(self.ports) + 1
        pages = self.transport.pages
        own = (pages.duplicate(descriptor, read_only=False) for descriptor in descriptors.passed)
        self.loop.add(number, ring_order, ChannelDescriptors(*own)._replace(port=descriptors.port))
        self.ports[number] = port
        return number

    def grant(self, port: Port, length: int) -> None:  # noqa: ARG002
        self.granted += length

    def ungrant(self, port: Port, length: int) -> None:  # noqa: ARG002
        self.granted -= length

    def revoking(self, port: Port) -> None: ...

    def status(self, port: Port, answer: Callable[[bytes], None]) -> None:  # noqa: ARG002
        answer(b"{}")

    def configure(self, port: Port, changes: bytes) -> None: ...

    def trace(self, port: Port, domain: str) -> tuple[int, str]:  # noqa: ARG002
        return self.transport.pages.allocate(PAGE_SIZE), domain

    # --- its thread -------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._wake:
                    return
                if descriptor == self._listener.fileno():
                    self._accept()
                else:
                    self._receive(descriptor)

    def _accept(self) -> None:
        if port := self._listener.accept(self):
            self._arrived[port.fileno()] = port
            self._poll.register(port.fileno(), select.POLLIN)

    def _receive(self, descriptor: int) -> None:
        port = self._arrived[descriptor]
        try:
            alive = port.receive()
        except RemoteProtocolError:
            port.goodbye(link.Refusal.PROTOCOL)
            return
        if not alive:
            self._poll.unregister(descriptor)
            del self._arrived[descriptor]
            self.ended += [number for number, other in self.ports.items() if other is port]
            port.close()


class Channel(NamedTuple):
    """Both ends of one channel."""

    frontend: FrontendChannel
    backend: BackendStub
    number: int
    address: str

    def entries(self, count: int) -> list[Entry]:
        """The next entries of the backend's loop, at least so many."""
        found: list[Entry] = []
        until = time.monotonic() + _PATIENCE
        while len(found) < count:
            _require(time.monotonic() < until, f"{count} messages come; {len(found)} came")
            found += self.backend.loop.wait(100)
        return found

    def serving(self, count: int) -> AbstractContextManager[None]:
        """Answers so many calls at the backend's end, in another thread."""
        return _running(lambda: self._serve(count))

    def tell(self, serial: int) -> None:
        """An event to the frontend, recognized by `serial`."""
        event = core.PostFailed(serial, video.Drain.OPCODE, link.Error.BUSY, link.Limit.NONE)
        self.backend.loop.send(self.number, message(event.OPCODE, EVENT, 0, 0, event.pack()))

    def hear(self, timeout: float = _PATIENCE) -> int | None:
        """The serial of the next event."""
        event = self.frontend.next_event(timeout)
        return core.PostFailed.unpack(event.payload).serial if event else None

    def _serve(self, count: int) -> None:
        while count:
            for entry in self.entries(1):
                self.backend.loop.send(self.number, self._answer(entry.message))
                count -= 1
            self.backend.loop.flush()

    def _answer(self, octets: bytes) -> bytes:
        """Attaches, detaches, and answers all else with zeros."""
        header, payload = split(octets)
        kind = core.MESSAGES[header.opcode].reply
        reply = bytes(kind.SIZE) if kind else b""
        try:
            if header.opcode == core.BufferAttach.OPCODE:
                reply = self._attach(core.BufferAttach.unpack(payload))
            elif header.opcode == core.BufferDetach.OPCODE:
                self._detach(core.BufferDetach.unpack(payload))
        except GrantError as error:
            return message(header.opcode, FAILURE, 0, header.serial, failure_of(error).pack())
        return message(header.opcode, REPLY, 0, header.serial, reply)

    def _attach(self, request: core.BufferAttach) -> bytes:
        pages = self.backend.transport.pages
        descriptor = self.backend.ports[self.number].map(request.grant, request.length, request.flags)
        read_only = bool(request.flags & link.BufferFlag.READ_ONLY)
        self.backend.mappings[request.grant] = pages.map(descriptor, request.length, read_only=read_only)
        pages.close(descriptor)
        return core.BufferAttachReply(request.grant).pack()

    def _detach(self, request: core.BufferDetach) -> None:
        self.backend.mappings.pop(request.buffer).close()
        self.backend.ports[self.number].unmap(request.buffer)


# --- messages -----------------------------------------------------------------------------------------


def check_calls_are_answered(channel: Channel) -> None:
    """A call's reply finds its call, many times over, with both ends asleep in between."""
    with channel.serving(_ROUNDS):
        for _ in range(_ROUNDS):
            reply = channel.frontend.call(core.LimitsQuery.OPCODE, 0, b"")
            _require(reply == bytes(core.LimitsQueryReply.SIZE), "the reply is the one that was sent")


def check_messages_keep_their_order(channel: Channel) -> None:
    """Posts arrive whole and in order, around the end of the ring many times."""
    seen: list[int] = []

    def collect() -> None:
        while len(seen) < _POSTS:
            seen.extend(_cookie(entry) for entry in channel.entries(1))

    with _running(collect):
        for cookie in range(_POSTS):
            _post(channel.frontend, cookie)
        channel.frontend.flush()
    _require(seen == list(range(_POSTS)), "posts arrive in order, each once")


def check_events_keep_their_order(channel: Channel) -> None:
    """Events arrive whole and in order, also when the frontend reads late."""
    for serial in range(_EVENTS):
        channel.tell(serial)
    done = threading.Event()
    with _running(lambda: _pump(channel, done.is_set)):
        heard = [channel.hear() for _ in range(_EVENTS)]
        done.set()
    _require(heard == list(range(_EVENTS)), "events arrive in order, each once")


def check_a_full_ring_holds_back(channel: Channel) -> None:
    """A frontend that the backend does not read waits; nothing that was taken is lost."""
    sent = 0
    try:
        while True:
            _post(channel.frontend, sent, timeout=0.05)
            sent += 1
            _require(sent < 1 << 20, "a ring is full at last")
    except TimeoutError:
        pass
    seen = [_cookie(entry) for entry in channel.entries(sent)]
    _require(seen == list(range(sent)), "what was posted before the ring was full arrives")
    _post(channel.frontend, sent)
    channel.frontend.flush()
    _require(_cookie(channel.entries(1)[0]) == sent, "there is room again")


def check_a_sleeping_frontend_is_woken(channel: Channel) -> None:
    """An event wakes a frontend that waits for one."""
    with _running(lambda: _tell_later(channel)):
        _require(channel.hear() == 1, "the event arrives")
    _require(channel.hear(0.0) is None, "no event is made up")


def check_a_sleeping_backend_is_woken(channel: Channel) -> None:
    """A message wakes a backend that sleeps, and one at rest finds nothing."""
    _require(channel.backend.loop.wait(20) == [], "nothing is made up")
    with channel.serving(1):
        time.sleep(0.05)
        channel.frontend.call(core.LimitsQuery.OPCODE, 0, b"")


def check_pings_need_no_interpreter(channel: Channel) -> None:
    """Native calls are answered within the loop."""
    done = threading.Event()
    with _running(lambda: _pump(channel, done.is_set)):
        for number in range(100):
            cookie = core.Ping(number).pack()
            _require(channel.frontend.call(core.Ping.OPCODE, 0, cookie) == cookie, "a ping comes back")
        done.set()
    _require(channel.backend.loop.statistics().native_calls == 100, "each was counted")


# --- grants -------------------------------------------------------------------------------------------


def check_grants_are_seen_by_both(channel: Channel) -> None:
    """What one end writes into granted pages the other end reads, without a copy in between."""
    with _attached(channel, link.BufferFlag(0)) as (ours, theirs):
        ours[:5] = b"there"
        _require(bytes(theirs[:5]) == b"there", "the backend sees what the frontend writes")
        theirs[-4:] = b"back"
        _require(bytes(ours[-4:]) == b"back", "the frontend sees what the backend writes")


def check_read_only_grants_cannot_be_written(channel: Channel) -> None:
    """A read-only grant is read-only however the backend maps it; the frontend writes it all the same."""
    with _attached(channel, link.BufferFlag.READ_ONLY) as (ours, theirs):
        ours[:3] = b"see"
        _require(bytes(theirs[:3]) == b"see", "the backend sees what the frontend writes")
        _require(theirs.readonly, "the backend's view cannot be written")
    with HostileDomain(channel.backend.transport, channel.address).opened() as other:
        grant, _ = other.grant(PAGE_SIZE, link.BufferFlag.READ_ONLY)
        port = channel.backend.ports[channel.number + 1]
        with _passed(channel, port.map(grant, PAGE_SIZE, link.BufferFlag.READ_ONLY)) as descriptor:
            _refused(lambda: channel.backend.transport.pages.map(descriptor, PAGE_SIZE, read_only=False), errno.EACCES)


def check_sizes_are_sealed(channel: Channel) -> None:
    """Neither end maps more than was granted."""
    with HostileDomain(channel.backend.transport, channel.address).opened() as other:
        grant, _ = other.grant(PAGE_SIZE)
        port = channel.backend.ports[channel.number + 1]
        _refused(lambda: port.map(grant, 2 * PAGE_SIZE, link.BufferFlag(0)), errno.EINVAL)
        with _passed(channel, port.map(grant, PAGE_SIZE, link.BufferFlag(0))) as descriptor:
            _refused(
                lambda: channel.backend.transport.pages.map(descriptor, 2 * PAGE_SIZE, read_only=True), errno.EINVAL
            )


def check_grants_are_what_was_said(channel: Channel) -> None:
    """An unknown grant, one with other flags, one that is mapped already: not to be had."""
    with HostileDomain(channel.backend.transport, channel.address).opened() as other:
        grant, _ = other.grant(PAGE_SIZE)
        port = channel.backend.ports[channel.number + 1]
        _refused(lambda: port.map(grant + 1, PAGE_SIZE, link.BufferFlag(0)), errno.ENOENT)
        _refused(lambda: port.map(grant, PAGE_SIZE, link.BufferFlag.READ_ONLY), errno.EINVAL)
        with _passed(channel, port.map(grant, PAGE_SIZE, link.BufferFlag(0))):
            _refused(lambda: port.map(grant, PAGE_SIZE, link.BufferFlag(0)), errno.EBUSY)


def check_mapped_grants_are_not_revoked(channel: Channel) -> None:
    """Revoking waits for the backend to unmap, then frees."""
    with HostileDomain(channel.backend.transport, channel.address).opened() as other:
        grant, _ = other.grant(PAGE_SIZE)
        port = channel.backend.ports[channel.number + 1]
        with _passed(channel, port.map(grant, PAGE_SIZE, link.BufferFlag(0))):
            failure = link.Failure.unpack(other.link_call(link.Revoke.OPCODE, link.Revoke(grant).pack())[0])
            _require(failure.error is link.Error.BUSY, "a mapped grant is busy")
        port.unmap(grant)
        _require(not other.link_call(link.Revoke.OPCODE, link.Revoke(grant).pack())[0], "an unmapped one is freed")
        _require(channel.backend.granted == 0, "and counted")


# --- ends ---------------------------------------------------------------------------------------------


def check_the_frontends_end_is_seen(channel: Channel) -> None:
    """The backend hears that a process has gone, and everything it held is taken back."""
    other = HostileDomain(channel.backend.transport, channel.address)
    other.open()
    other.grant(PAGE_SIZE)
    other.close()
    _wait(lambda: channel.number + 1 in channel.backend.ended, "the backend hears of the end")
    _wait(lambda: channel.backend.granted == 0, "its grants are taken back")
    channel.backend.loop.remove(channel.number + 1)


def check_the_backends_end_is_seen(channel: Channel) -> None:
    """A frontend that waits learns that the backend has gone, and why; so do those that call later."""
    with _running(lambda: channel.backend.ports[channel.number].goodbye(link.Refusal.SHUTDOWN)):
        try:
            channel.frontend.next_event(_PATIENCE)
        except TransportBroken:
            pass
        else:
            raise AssertionError("a waiting frontend is told")
    try:
        channel.frontend.call(core.LimitsQuery.OPCODE, 0, b"")
    except TransportBroken:
        pass
    else:
        raise AssertionError("a calling frontend is told")
    _require(channel.frontend.goodbye() is link.Refusal.SHUTDOWN, "the reason arrives")


def check_garbage_ends_one_channel(channel: Channel) -> None:
    """What is no message is reported once, as that channel's fault, and the others go on."""
    with HostileDomain(channel.backend.transport, channel.address).opened() as other:
        other.put(message(0x7777, REQUEST, 0, 1))
        _violation(channel, channel.number + 1)
        other.put(message(0x7777, REQUEST, 0, 1))
        _goes_on(channel)
        channel.backend.loop.remove(channel.number + 1)


def check_wild_indices_end_one_channel(channel: Channel) -> None:
    """An index that no honest frontend can have is that channel's fault."""
    with HostileDomain(channel.backend.transport, channel.address).opened() as other:
        other.write(PAGE_OUT_PROD, 0x4000_0008)
        other.bells.ring()
        _violation(channel, channel.number + 1)
        _goes_on(channel)
        channel.backend.loop.remove(channel.number + 1)


def check_a_broken_link_ends_one_connection(channel: Channel) -> None:
    """Octets without meaning on the descriptor connection end it, with a word, and no other."""
    with HostileDomain(channel.backend.transport, channel.address).opened() as other:
        other.say(bytes(range(64)))
        _require(other.wait_end() is link.Refusal.PROTOCOL, "it is told why")
        _goes_on(channel)


TRANSPORT_CHECKS: Final[tuple[Callable[[Channel], None], ...]] = (
    check_calls_are_answered,
    check_messages_keep_their_order,
    check_events_keep_their_order,
    check_a_full_ring_holds_back,
    check_a_sleeping_frontend_is_woken,
    check_a_sleeping_backend_is_woken,
    check_pings_need_no_interpreter,
    check_grants_are_seen_by_both,
    check_read_only_grants_cannot_be_written,
    check_sizes_are_sealed,
    check_grants_are_what_was_said,
    check_mapped_grants_are_not_revoked,
    check_the_frontends_end_is_seen,
    check_the_backends_end_is_seen,
    check_garbage_ends_one_channel,
    check_wild_indices_end_one_channel,
    check_a_broken_link_ends_one_connection,
)


def check_transport(maker: Callable[[], tuple[Transport, str]], *checks: Callable[[Channel], None]) -> None:
    """Runs all checks, or those that are named.

    Args:
        maker: makes a transport, and an address that can be listened at.
        *checks: of ``TRANSPORT_CHECKS``; all when there are none.

    Raises:
        AssertionError: the transport does not do what it has to; says what.
    """
    for check in checks or TRANSPORT_CHECKS:
        transport, address = maker()
        before = _held(transport)
        with transport_channel(transport, address) as channel:
            check(channel)
        _wait(lambda: _held(transport) == before, f"nothing is left: {before} before, {_held(transport)} after")  # noqa: B023 - called at once


@contextmanager
def transport_channel(transport: Transport, address: str) -> Iterator[Channel]:
    """Both ends of a new channel."""
    with BackendStub(transport, address) as backend, transport.connect(address) as frontend:
        yield Channel(frontend, backend, 1, address)


# --- helpers ------------------------------------------------------------------------------------------


def _require(holds: object, what: str) -> None:
    if not holds:
        raise AssertionError(f"it does not hold that {what}")


def _wait(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _PATIENCE
    while not holds():
        _require(time.monotonic() < until, what)
        time.sleep(0.002)


def _refused(step: Callable[[], object], code: int) -> None:
    try:
        step()
    except GrantError as error:
        _require(error.errno == code, f"it is refused with {code}, not {error.errno}")
    else:
        raise AssertionError("it is refused")


@contextmanager
def _running(step: Callable[[], None]) -> Iterator[None]:
    """Runs a step in another thread meanwhile; what it raises is raised here."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(2 * _PATIENCE)
    for error in raised:
        raise error


@contextmanager
def _attached(channel: Channel, flags: link.BufferFlag) -> Iterator[tuple[memoryview, memoryview]]:
    """A buffer as both ends see it."""
    with channel.serving(2):
        buffer = channel.frontend.buffer(2 * PAGE_SIZE, flags)
        mapping = channel.backend.mappings[buffer.grant]
        with buffer.view() as ours, mapping.view() as theirs:
            yield ours, theirs
        buffer.close()
    _require(channel.backend.granted == 0, "its grant is given back")


@contextmanager
def _passed(channel: Channel, descriptor: int) -> Iterator[int]:
    yield descriptor
    channel.backend.transport.pages.close(descriptor)


def _post(frontend: FrontendChannel, cookie: int, timeout: float = _PATIENCE) -> None:
    frontend.post(video.QueueOutput.OPCODE, 1, video.QueueOutput(video.Span(1, 8, 0), cookie).pack(), timeout)


def _cookie(entry: Entry) -> int:
    _require(entry.kind == EntryKind.MESSAGE, f"only messages come: {entry}")
    return video.QueueOutput.unpack(entry.message[HEADER_SIZE:]).cookie


def _pump(channel: Channel, done: Callable[[], bool]) -> None:
    """Lets the backend's loop do what it does by itself."""
    while not done():
        channel.backend.loop.wait(5)


def _tell_later(channel: Channel) -> None:
    time.sleep(0.05)
    channel.tell(1)
    channel.backend.loop.flush()


def _violation(channel: Channel, number: int) -> None:
    (entry,) = channel.entries(1)
    _require((entry.kind, entry.number) == (EntryKind.VIOLATION, number), f"it is a violation: {entry}")
    _require(entry.reason, "it says what was wrong")


def _goes_on(channel: Channel) -> None:
    with channel.serving(1):
        channel.frontend.call(core.LimitsQuery.OPCODE, 0, b"")


def _held(transport: Transport) -> tuple[int, int, int]:
    """What this process has open: kernel descriptors, mappings of shared pages, descriptors of the transport's own."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    own = len(transport.pages) if isinstance(transport.pages, Sized) else 0
    return len(list(Path("/proc/self/fd").iterdir())), maps.count("/memfd:paracore"), own
