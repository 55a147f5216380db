# SPDX-License-Identifier: Apache-2.0
"""The backend's end of one xenbus device: looks at both states and moves by the table (docs/protocol/xenbus.md).

The backend's directory is the toolstack's and trusted, the frontend's is a hostile guest's: its nodes are
checked before they are believed, and how often they are looked at is bounded. A guest that breaks the protocol
loses its control ring and may begin anew by way of ``CLOSING``; it keeps nobody else waiting.

A state is written when the action is done, so whoever sees ``CLOSED`` knows that nothing is mapped any more. A
domain that has been destroyed is not waited for: its worker is killed. One that is detached is, for as long as the
toolstack says: until its streams have ended in order the device stays connected (``_draining``).
"""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, Protocol

from paracore._errors import (
    ConfigError,
    EventChannelError,
    GrantError,
    RemoteProtocolError,
    VersionError,
    XenStoreError,
)
from paracore.protocol import (
    PROTOCOL_VERSION,
    Attachment,
    BackendNodes,
    End,
    FrontendNodes,
    Move,
    XenbusAction,
    XenbusState,
    backend_path,
    drain_seconds,
    frontend_path,
    xenbus_start,
    xenbus_state,
    xenbus_step,
    xenbus_stop,
)
from paracore.transport._handover import GuestState
from paracore.transport._rate import BoundedLog, Bucket
from paracore.transport._transport import Host, Membership
from paracore.transport.xen._draining import Draining
from paracore.transport.xen._exchange import Exchange
from paracore.transport.xen._news import News
from paracore.transport.xen._xenstore import Conflict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from paracore.transport._handover import PortState
    from paracore.transport.xen._hypervisor import Hypervisor
    from paracore.transport.xen._port import XenPort
    from paracore.transport.xen._xenstore import StoreNodes, Transaction, Xenstore

__all__ = ["Guest", "XenHost"]

_RATE, _RATE_BURST = 20.0, 40.0
"""Looks at one device's nodes, a second and at once."""
_PAUSE: Final = 0.1
"""Seconds that the nodes of a guest which changes them too often are not looked at."""
_WORDS_MAX: Final = 200
"""Octets of the ``error`` node."""
_PATIENCE: Final = 5.0
"""Seconds that a frontend has to answer CLOSING."""
_LEFT: Final = (XenbusState.CLOSED, XenbusState.UNKNOWN)
_LEAVING: Final = (XenbusState.CLOSING, *_LEFT)


class XenHost(Host, Membership, Protocol):
    """The supervisor."""


class _Found(NamedTuple):
    """What the nodes say at one moment."""

    own: XenbusState
    other: XenbusState
    online: bool
    drain: int


class Guest:
    """See the module.

    Attributes:
        place: as it was given.
        identity: what the supervisor knows the domain by.
        remote: the domain.
    """

    def __init__(
        self,
        store: Xenstore,
        hypervisor: Hypervisor,
        host: XenHost,
        arrived: Callable[[XenPort], None],
        place: tuple[int, int, int],
    ) -> None:
        """`place` is the backend's domain, the frontend's, and the device's index there."""
        self.place = place
        own, self.remote, index = place
        self.identity = f"domid:{self.remote}" + (f"/{index}" if index else "")
        self.hypervisor = hypervisor
        self.host = host
        self.arrived = arrived
        self._store = store
        self._path = backend_path(own, self.remote, index)
        self._frontend = frontend_path(self.remote, index)
        self._news = News(store)
        self._bucket = Bucket(_RATE, _RATE_BURST)
        self._log = BoundedLog(logging.getLogger("paracore.xen"))
        self._attached: Attachment | None = None
        self._exchange: Exchange | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._draining: Draining | None = None
        self._said = ""
        self._account: dict[str, str] = {}
        self._begun = self._stopping = self._dead = self._settling = False
        self._leaves = 0

    # --- across a reload ----------------------------------------------------------------------------

    def adopt(self, state: GuestState) -> None:
        """It is connected, as the last program image has left it.

        Raises:
            ConfigError: the configuration has not the devices any more.
            GrantError, EventChannelError: the guest has taken its control ring back meanwhile.
        """
        self.host.attach(self.identity, state.attachment)
        self._attached = state.attachment
        try:
            self._exchange = Exchange(self, state.control)
        except (GrantError, EventChannelError):
            self._detach(forced=True)
            raise
        self._exchange.adopt_ended(state.ended)
        self._begun = True
        for each in state.arrivals:
            self.arrived(self._exchange.adopt(each))

    def adopt_port(self, state: PortState) -> XenPort:
        """One of its processes."""
        assert self._exchange is not None  # it is connected
        return self._exchange.adopt(state)

    def pause(self) -> None:
        """Listens to its guest no more."""
        if self._exchange:
            self._exchange.pause()

    @property
    def settled(self) -> bool:
        """Whether waiting changes nothing about how much of it could be handed over."""
        return not self._settling and (self._exchange is None or self._exchange.closed or self._exchange.settled)

    def hand_over(self, arrivals: Iterable[XenPort]) -> GuestState | None:
        """What the next program image needs to go on with it; None: it has to begin anew. Changes nothing.

        `arrivals` are ports that nobody has taken in yet.
        """
        leaving = self._stopping or self._dead or self._leaves or self._deadline or self._draining
        if leaving or self._settling or not self._attached or not self._exchange or not self._exchange.settled:
            return None
        states = tuple(state for port in arrivals if port.of(self._exchange) and (state := port.hand_over()))
        return GuestState(self.place, self._attached, *self._exchange.hand_over(), states)

    # --- its life -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Moves until the device has been taken away, or ``stop`` has been followed to its end.

        Raises:
            TransportError: xenstore has gone.
        """
        try:
            await self._news.follow(self._path, f"{self._frontend}/state")
            while await self._settle():
                await self._news.wait()
                if not self._bucket.take():
                    await asyncio.sleep(_PAUSE)
        finally:
            self._news.close()
            self._detach(forced=True)
            self._hang_up()

    async def tell_account(self) -> None:
        """Writes the `stats` nodes if they have changed.

        Raises:
            TransportError: xenstore has gone.
        """
        if not self._attached:
            return
        said = {f"stats/{name}": str(value) for name, value in self.host.account(self.identity).items()}
        if said == self._account:
            return
        try:
            async with self._store.transaction() as nodes:
                if await nodes.read(f"{self._path}/state") is None:
                    return  # it has just been taken away, and is not to come back by this
                await nodes.write_all(self._path, said)
        except Conflict:
            return  # the next time will do
        except XenStoreError as error:
            self._log.write(logging.WARNING, "%s: %s", self.identity, error)
        self._account = said

    def stop(self) -> None:
        """Leaves by the table; said once more, at once."""
        self._stopping = True
        self._leave_now()

    def destroyed(self) -> None:
        """The domain is no more: whatever of it is mapped keeps Xen from forgetting it."""
        self._dead = True
        self._detach(forced=True)
        self._hang_up()
        self._news.stir()

    def broken(self, text: str) -> None:
        """The guest broke the protocol, on the ring or in its nodes."""
        if self._attached:
            self.host.violated(self.identity, text)
        self._leaves = self._leaves or 1
        self._news.stir()

    def _leave_now(self) -> None:
        self._leaves += 1
        self._news.stir()

    # --- moving -------------------------------------------------------------------------------------

    async def _settle(self) -> bool:
        """Moves until there is something to wait for; False when there is nothing more to come."""
        self._news.clear()
        self._settling = True
        try:
            return await self._settle_now()
        finally:
            self._settling = False

    async def _settle_now(self) -> bool:
        try:
            if await self._moves():
                return True
        except Conflict:  # somebody else has moved meanwhile
            self._news.stir()
        except XenStoreError as error:  # taken away while it was looked at: a watch tells of more
            self._log.write(logging.WARNING, "%s: %s", self.identity, error)
        except (RemoteProtocolError, GrantError, EventChannelError) as error:
            self.broken(str(error))
        except ConfigError as error:
            await self._complain(str(error))
        else:
            await self._end()
            return False
        return True

    async def _moves(self) -> bool:
        while not self._dead and (action := await self._step()) is not XenbusAction.FORGET:
            if action is XenbusAction.WAIT:
                return True
            if not self._bucket.take():  # one that moves all the time: others first
                self._news.stir()
                return True
        return False

    async def _step(self) -> XenbusAction:
        """One move in one transaction, so that no end believes what the other has taken back."""
        exchange = self._exchange
        try:
            async with self._store.transaction() as nodes:
                action, leaves = await self._make_move(nodes)
        except BaseException:
            if self._exchange is not exchange:  # it is made of what may not be published any more
                await self._drop()
            raise
        self._begun = True
        self._leaves -= leaves
        return action

    async def _make_move(self, nodes: Transaction) -> tuple[XenbusAction, int]:
        """What was done, and how many wishes to leave that was about."""
        found = await self._look(nodes)
        leaves = min(self._leaves, 1)
        if self._stopping and found.own in _LEFT:
            return XenbusAction.FORGET, leaves
        move = self._next(found)
        if move.action not in (XenbusAction.WAIT, XenbusAction.FORGET):
            said = await self.ACTIONS[move.action](self, found, nodes)
            await nodes.write_all(self._path, {**said, "state": str(int(move.state))})
        return move.action, leaves

    async def _look(self, nodes: StoreNodes) -> _Found:
        own = await nodes.read_all(self._path, ("state", "online", "drain"))
        other = await self._read_frontend(nodes)
        return _Found(xenbus_state(own["state"]), other, own["online"] != "0", drain_seconds(own["drain"]))

    async def _read_frontend(self, nodes: StoreNodes) -> XenbusState:
        try:
            return xenbus_state(await nodes.read(f"{self._frontend}/state"))
        except XenStoreError as error:
            if error.errno != errno.EACCES:  # what a driver domain hears of nodes that are not there
                raise
            return XenbusState.UNKNOWN

    def _next(self, found: _Found) -> Move:
        if found.own is XenbusState.CLOSING and self._shares() and not self._deadline:
            return Move(XenbusAction.LEAVE, found.own)  # as xl detaches
        if self._leaves or not (found.online or found.own in _LEAVING or self._drains(found)):
            move = xenbus_stop(End.BACKEND, found.own)
            if move.action is not XenbusAction.WAIT:
                return move
        if found.own is XenbusState.CLOSED and not found.online:
            return Move(XenbusAction.WAIT, found.own)
        if self._is_stranger(found):
            move = xenbus_start(End.BACKEND, found.own)
            if move.action is not XenbusAction.WAIT:
                return move
        return xenbus_step(End.BACKEND, found.own, found.other)

    def _drains(self, found: _Found) -> bool:
        """Whether it stays, though it is detached, for the sake of its streams; they are told the first time."""
        if not self._attached or found.own is not XenbusState.CONNECTED:
            return False
        if not self._draining and found.drain:
            self._draining = Draining(found.drain, self._news.stir)
            self.host.drain(self.identity, self._draining.ended)
        return self._draining is not None and not self._draining.over

    def _shares(self) -> bool:
        return self._exchange is not None and not self._exchange.closed

    def _is_stranger(self, found: _Found) -> bool:
        """Whether the state that was found is not this backend's own doing."""
        return (
            not self._begun
            or (found.own is XenbusState.INIT_WAIT and not self._attached)
            or (found.own is XenbusState.CONNECTED and not self._exchange)
        )

    async def _complain(self, text: str) -> None:
        """The toolstack's fault: it is told in its own directory, once."""
        text = text.encode("ascii", "replace").decode()[:_WORDS_MAX]
        if text != self._said:
            self._said = text
            self._log.write(logging.ERROR, "%s is not served: %s", self.identity, text)
            await self._store.write(f"{self._path}/error", text)

    # --- actions ------------------------------------------------------------------------------------

    async def _publish(self, _: _Found, nodes: Transaction) -> dict[str, str]:
        await self._drop()  # of what there still is the guest knows no more: its toolstack has written both ends anew
        values = await nodes.read_all(self._path, Attachment.names())
        try:
            attachment = Attachment.parse(values)
        except RemoteProtocolError as error:
            raise ConfigError(self._path, str(error)) from error
        if (attachment.frontend, attachment.frontend_id) != (self._frontend, self.remote):
            raise ConfigError(self._path, "is for another frontend; attach the device again")
        if attachment != self._attached:
            self._detach(forced=False)
            self.host.attach(self.identity, attachment)
            self._attached = attachment
        if self._said:
            self._said = ""
            await nodes.remove(f"{self._path}/error")
        return BackendNodes((PROTOCOL_VERSION,)).values()

    async def _connect(self, _: _Found, nodes: Transaction) -> dict[str, str]:
        published = FrontendNodes.parse(await nodes.read_all(self._frontend, FrontendNodes.names()))
        if published.version != PROTOCOL_VERSION:
            raise VersionError(f"it speaks version {published.version}, which was not offered")
        self._exchange = Exchange(self, published)
        return {}

    async def _leave(self, found: _Found, _: Transaction) -> dict[str, str]:
        if not found.online or (self._shares() and not self._stopping):
            self._detach(forced=self._draining is not None and self._draining.late)
        self._no_deadline()
        self._deadline = asyncio.get_running_loop().call_later(_PATIENCE, self._leave_now)
        return {}

    async def _reconfigure(self, _: _Found, __: Transaction) -> dict[str, str]:
        await self._drop()
        return {}

    async def _close(self, found: _Found, _: Transaction) -> dict[str, str]:
        if not found.online:
            self._detach(forced=False)
        await self._drop()
        return {}

    ACTIONS: ClassVar[dict[XenbusAction, Callable[[Guest, _Found, Transaction], Awaitable[dict[str, str]]]]] = {
        XenbusAction.PUBLISH: _publish,
        XenbusAction.CONNECT: _connect,
        XenbusAction.LEAVE: _leave,
        XenbusAction.RECONFIGURE: _reconfigure,
        XenbusAction.CLOSE: _close,
    }
    """What each does; returns the nodes that are to be written with the state."""

    async def _end(self) -> None:
        """Nothing more will come: by force, unless the backend leaves in peace."""
        self._detach(forced=not self._stopping)
        await self._drop()

    async def _drop(self) -> None:
        """Lets go of all that is shared; returns when nothing of it is mapped any more."""
        self._no_deadline()
        if exchange := self._exchange:
            self._hang_up()
            await exchange.emptied.wait()
            self._exchange = None

    def _no_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._no_deadline()
        if self._exchange:
            self._exchange.close()

    def _detach(self, *, forced: bool) -> None:
        if self._draining:
            self._draining.close()
            self._draining = None
        if self._attached:
            self._attached = None
            self.host.detach(self.identity, destroyed=forced)
