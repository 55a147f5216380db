# SPDX-License-Identifier: Apache-2.0
"""One process of the guest: class ``link`` towards it, class ``bridge`` towards the backend, call by call.

A process is not trusted. What it asks is checked by the same rules as on the backend's own socket, and while
one of its calls is on its way to the backend no other is read, so that it can make nothing pile up here.

However it ends (the process goes, breaks the protocol, is refused; the backend ends it or goes) it ends here
and once: it is told why, the backend is asked to let go, and only then is taken back what it held.
"""

from __future__ import annotations

import asyncio
import errno
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from paracore._errors import (
    EventChannelError,
    GrantError,
    PermissionRefused,
    QuotaExceeded,
    RemoteProtocolError,
    TransportBroken,
)
from paracore.classes import bridge, link
from paracore.frontend._daemon._bridge import Ended
from paracore.frontend._daemon._holdings import Holdings
from paracore.protocol import PROTOCOL_VERSION, RING_ORDER_MAX, RING_ORDER_MIN
from paracore.transport import CallRefused, Refused, WireFull, failure_of
from paracore.transport._link_rules import LinkRules
from paracore.transport.xen import write_directory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paracore.frontend._daemon._bridge import Line
    from paracore.frontend._daemon._holdings import Backend
    from paracore.transport import Wire
    from paracore.transport._rate import Bucket
    from paracore.transport.local import Credentials

__all__ = ["Process", "ProcessOwner"]

_HELLO: Final = 10.0
"""Seconds until a hello has to be there."""
_GOODBYE: Final = 1.0
"""Seconds that a process has to read its goodbye and to close."""
_PAUSE: Final = 0.05
"""Seconds that a process which asks too often is not listened to."""

_Reply = tuple[bytes, tuple[int, ...]]
"""Payload and descriptors."""


class ProcessOwner(Protocol):
    """What a process needs of the daemon."""

    def admit(self, process: Process) -> Backend:
        """The backend that will serve it; ``Refused`` when there is none, or when there are too many processes."""

    def complain(self, process: Process, text: str) -> None:
        """It broke the protocol."""


class Process:
    """See the module.

    Attributes:
        who: as the kernel says.
        greeted: whether it has been admitted.
    """

    def __init__(self, owner: ProcessOwner, wire: Wire, who: Credentials, bucket: Bucket) -> None:
        self.who = who
        self.greeted = False
        self._owner = owner
        self._wire = wire
        self._bucket = bucket
        self._rules = LinkRules()
        self._line: Line | None = None
        self._holdings: Holdings | None = None
        self._backend: Backend | None = None
        self._over: Ended | None = None
        self._stirred = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Serves it to its end. Returns when nothing is held for it any more."""
        deadline = self._loop.call_later(_HELLO, self._too_late)
        try:
            await self._serve()
        except (Refused, Ended) as error:
            self._goodbye(error.reason, error.limit)
        except RemoteProtocolError as error:
            self._owner.complain(self, str(error))
            self._goodbye(link.Refusal.PROTOCOL)
        finally:
            deadline.cancel()
            await self._give_back()
            await self._linger()
            self._wire.close()

    def end(self, reason: link.Refusal) -> None:
        """The daemon will not serve it any longer."""
        self._over = Ended(reason)
        self._stirred.set()

    # --- its calls ----------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while octets := await self._next():
            header, request = self._rules.accept(octets)
            try:
                payload, descriptors = await self.HANDLERS[header.opcode](self, request)
            except CallRefused as refusal:
                self._send(self._rules.failure(header, refusal.failure))
            except Refused:
                raise
            except (QuotaExceeded, PermissionRefused, GrantError, EventChannelError) as error:
                self._send(self._rules.failure(header, failure_of(error)))
            else:
                self._send(self._rules.reply(header, payload), descriptors)
            if not self._bucket.take():
                await asyncio.sleep(_PAUSE)

    async def _hello(self, request: link.Hello) -> _Reply:
        self._rules.check_version(request)
        backend = self._backend = self._owner.admit(self)
        self.greeted = True
        self._holdings = Holdings(backend)
        self._line = backend.bridge.line(self._stirred.set)
        arrival = bridge.Connect(PROTOCOL_VERSION, PROTOCOL_VERSION, self.who.process, self.who.user)
        reply = await self._line.call(arrival, bridge.ConnectReply)
        return link.HelloReply(PROTOCOL_VERSION, reply.domain).pack(), ()

    async def _channel_open(self, request: link.ChannelOpen) -> _Reply:
        backend, line, holdings = self._served()
        order = min(max(request.ring_order, RING_ORDER_MIN), RING_ORDER_MAX)
        pages, events = holdings.channel(order)
        try:
            with closing(write_directory(backend.hypervisor, backend.remote, pages.references)) as directory:
                said = bridge.ChannelOpen(order, directory.reference, events.remote_port)
                reply = await line.call(said, bridge.ChannelOpenReply)
        except (CallRefused, GrantError):
            holdings.leave_channel()
            raise
        descriptors = (pages.descriptor, events.descriptor_out, events.descriptor_in)
        return link.ChannelOpenReply(reply.channel, order, events.port).pack(), descriptors

    async def _grant(self, request: link.Grant) -> _Reply:
        backend, line, holdings = self._served()
        grant, pages = holdings.grant(request.length, request.flags)
        try:
            with closing(write_directory(backend.hypervisor, backend.remote, pages.references)) as directory:
                said = bridge.Grant(grant, request.flags, request.length, directory.reference)
                await line.call(said, bridge.GrantReply)
        except (CallRefused, GrantError):
            holdings.revoke(grant)
            raise
        return link.GrantReply(grant).pack(), (pages.descriptor,)

    async def _revoke(self, request: link.Revoke) -> _Reply:
        _, line, holdings = self._served()
        holdings.check(request.grant)
        await line.call(bridge.Revoke(request.grant), bridge.RevokeReply)
        holdings.revoke(request.grant)
        return link.RevokeReply().pack(), ()

    async def _status(self, _: link.Status) -> _Reply:
        raise PermissionRefused("the status is for the driver domain's administrator")

    async def _configure(self, _: link.Configure) -> _Reply:
        raise PermissionRefused("settings are the driver domain's administrator's")

    async def _trace(self, _: link.Trace) -> _Reply:
        raise GrantError(errno.EOPNOTSUPP, "a guest's programs record their own side alone: its clock is another one")

    HANDLERS: ClassVar[dict[int, Callable[[Process, Any], Awaitable[_Reply]]]] = {
        link.Hello.OPCODE: _hello,
        link.ChannelOpen.OPCODE: _channel_open,
        link.Grant.OPCODE: _grant,
        link.Revoke.OPCODE: _revoke,
        link.Status.OPCODE: _status,
        link.Configure.OPCODE: _configure,
        link.Trace.OPCODE: _trace,
    }
    """What is served, when ``LinkRules`` let it."""

    def _served(self) -> tuple[Backend, Line, Holdings]:
        assert self._backend
        assert self._line
        assert self._holdings  # the rules let nothing come before a hello
        return self._backend, self._line, self._holdings

    # --- its wire -----------------------------------------------------------------------------------

    async def _next(self) -> bytes:
        """The next message, none at the end of all.

        Raises:
            Ended: nothing of it will be served any more.
        """
        while True:
            if over := self._over or (self._line and self._line.ended):
                raise over
            if packet := self._wire.receive():
                return packet.message
            await self._wait_stirred()

    async def _wait_stirred(self) -> None:
        """Until something has come, or the backend has said something."""
        self._stirred.clear()
        self._loop.add_reader(self._wire.fileno(), self._stirred.set)
        try:
            await self._stirred.wait()
        finally:
            self._loop.remove_reader(self._wire.fileno())

    def _send(self, octets: bytes, descriptors: tuple[int, ...] = ()) -> None:
        try:
            self._wire.send(octets, descriptors)
        except WireFull as error:
            raise RemoteProtocolError("it does not read its replies") from error
        except TransportBroken:
            pass  # it has gone: that is what comes next

    def _too_late(self) -> None:
        if not self.greeted:
            self.end(link.Refusal.PROTOCOL)

    # --- its end ------------------------------------------------------------------------------------

    def _goodbye(self, reason: link.Refusal, limit: link.Limit | None = None) -> None:
        with suppress(TransportBroken):  # it does not read or has gone: the end of the connection tells it as well
            self._wire.send(self._rules.goodbye(reason, limit))
        self._wire.finish()

    async def _give_back(self) -> None:
        if self._line:
            await self._line.disconnect()
        if self._holdings:
            self._holdings.close()

    async def _linger(self) -> None:
        """Lets it read its goodbye: a socket closed with calls unread in it would lose that."""
        with suppress(TimeoutError, RemoteProtocolError):
            async with asyncio.timeout(_GOODBYE):
                while (packet := self._wire.receive()) is None or packet.message:
                    await (asyncio.sleep(0) if packet else self._wait_stirred())
