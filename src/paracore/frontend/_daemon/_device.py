# SPDX-License-Identifier: Apache-2.0
"""The guest's end of the xenbus device: looks at both states and moves by the table (docs/protocol/xenbus.md).

The toolstack makes the device's directories, at any time; the backend may go, come back, or be another one.
What the other end has written is checked before it is believed. A backend that has published what cannot be
is waited for until it says something else.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, Protocol, TypeAlias

from paracore._errors import EventChannelError, GrantError, RemoteProtocolError, XenStoreError
from paracore.classes.bridge import Refusal
from paracore.frontend._daemon._bridge import Bridge
from paracore.frontend._daemon._holdings import Backend, GuestLimits
from paracore.frontend._daemon._offer import Offer
from paracore.protocol import (
    PROTOCOL_VERSION,
    Attachment,
    BackendNodes,
    End,
    XenbusAction,
    XenbusState,
    xenbus_start,
    xenbus_state,
    xenbus_step,
    xenbus_stop,
)
from paracore.transport._quota import Quota
from paracore.transport.xen import Conflict
from paracore.transport.xen._news import News

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paracore.protocol import Move
    from paracore.transport.xen import Hypervisor, Transaction, Xenstore

__all__ = ["Device", "DeviceOwner"]

_log = logging.getLogger("paracore.frontend")

_LEAVE: Final = 5.0
"""Seconds that the backend has to let go before the daemon leaves without it."""
_AGAIN: Final = 1.0
"""Seconds before the device is begun anew with a backend that was lost. Bounds how often that happens."""
_LACKING: Final = 5.0
"""Seconds until the guest tries again to share what it could not: its programs may have taken all there is."""
_STOPS: Final = 2
"""Stops after which the daemon ends even if xenstore does not let it say so."""
_SHARING: Final = (XenbusState.INITIALISED, XenbusState.CONNECTED)
_GONE: Final = (XenbusState.CLOSED, XenbusState.UNKNOWN)
_NO_MOVES: Final = (XenbusAction.WAIT, XenbusAction.FORGET)
_Done: TypeAlias = tuple[dict[str, str], "Callable[[], None]"]
"""The nodes that are written with the state, and what is done once they are."""


class DeviceOwner(Protocol):
    """Whom the device tells."""

    def connected(self, backend: Backend) -> None:
        """Processes can be served."""

    def disconnected(self, why: str) -> None:
        """Not any more; those that were have been told."""


class _Found(NamedTuple):
    """What the nodes say at one moment."""

    own: XenbusState
    other: XenbusState
    directory: str
    remote: int


class Device:
    """See the module."""

    def __init__(
        self, owner: DeviceOwner, store: Xenstore, hypervisor: Hypervisor, number: int, patience: float
    ) -> None:
        self._owner = owner
        self._store = store
        self._hypervisor = hypervisor
        self._path = f"device/paracore/{number}"
        self._patience = patience
        self._news = News(store)
        self._offer: Offer | None = None
        self._bridge: Bridge | None = None
        self._begun = self._left = False
        self._stops = self._stopped = 0

    async def run(self) -> None:
        """Moves until ``stop`` has been followed to its end.

        Raises:
            TransportError: xenstore has gone.
        """
        try:
            await self._news.follow(self._path)
            while await self._settle():
                await self._news.wait()
        finally:
            self._news.close()
            self._drop(Refusal.SHUTDOWN, "the daemon ends")

    def stop(self) -> None:
        """Leaves by the table, and without it when the backend does not follow."""
        self._stops += 1
        self._news.stir()
        if self._stops == 1:
            asyncio.get_running_loop().call_later(_LEAVE, self.stop)

    # --- moving -------------------------------------------------------------------------------------

    async def _settle(self) -> bool:
        """Moves until there is something to wait for; False when it has left."""
        self._news.clear()
        try:
            while await self._step():
                pass
        except XenStoreError as error:  # taken away while it was looked at: a watch tells of more
            _log.warning("%s", error)
        except RemoteProtocolError as error:
            _log.error("the backend has published what cannot be: %s", error)
        except (GrantError, EventChannelError) as error:
            _log.error("%s", error)
            asyncio.get_running_loop().call_later(_LACKING, self._news.stir)
        return not self._left and self._stops < _STOPS

    async def _step(self) -> bool:
        """One move, as one transaction; False when there is none now."""
        directory, stops = await self._follow(), self._stops
        try:
            async with self._store.transaction() as nodes:
                found = await self._look(nodes, directory)
                move = self._next(found)
                said, then = await self.ACTIONS[move.action](self, nodes, found)
                if said or move.state is not found.own:
                    await nodes.write_all(self._path, {**said, "state": str(int(move.state))})
        except Conflict:
            return True  # somebody else has moved: it is done again, on what there is now
        then()
        self._begun, self._stopped = True, stops
        self._left = stops > 0 and move.state in _GONE
        return not self._left and move.action not in _NO_MOVES

    def _next(self, found: _Found) -> Move:
        if self._stopped < self._stops:
            return xenbus_stop(End.FRONTEND, found.own)
        move = xenbus_step(End.FRONTEND, found.own, found.other)
        if self._begun and (self._offer or found.own not in _SHARING):
            return move
        begins = xenbus_start(End.FRONTEND, found.own)
        return move if begins.action is XenbusAction.WAIT else begins

    async def _follow(self) -> str:
        """Watches both states; returns the backend's directory."""
        directory = await self._store.read(f"{self._path}/backend") or ""
        await self._news.follow(self._path, *([f"{directory}/state"] if directory else ()))
        return directory

    async def _look(self, nodes: Transaction, directory: str) -> _Found:
        own = await nodes.read_all(self._path, ("state", "backend-id"))
        state, remote = xenbus_state(own["state"]), own["backend-id"] or ""
        if not directory or not remote.isdecimal():
            return _Found(state, XenbusState.UNKNOWN, "", 0)
        return _Found(state, xenbus_state(await _others(nodes, f"{directory}/state")), directory, int(remote))

    # --- actions ------------------------------------------------------------------------------------

    async def _wait(self, _: Transaction, __: _Found) -> _Done:
        return {}, _nothing

    async def _publish(self, nodes: Transaction, found: _Found) -> _Done:
        said = BackendNodes.parse(await nodes.read_all(found.directory, BackendNodes.names()))
        said.choose((PROTOCOL_VERSION,))
        self._drop(Refusal.SHUTDOWN, "it begins anew")
        self._offer = Offer(self._hypervisor, found.remote)
        return self._offer.nodes.values(), _nothing

    async def _connect(self, nodes: Transaction, found: _Found) -> _Done:
        said = Attachment.parse(await nodes.read_all(found.directory, Attachment.names()))
        limits = GuestLimits(said.max_channels, said.max_buffers, said.max_bytes)
        return {}, partial(self._use, found.remote, limits)

    def _use(self, remote: int, limits: GuestLimits) -> None:
        """Both ends have said that they are connected."""
        assert self._offer  # else it would have begun anew
        bridge = self._bridge = Bridge(self._offer.ring, self._patience)
        bridge.lost.add_done_callback(lambda _: self._lost(bridge))
        self._owner.connected(Backend(self._hypervisor, remote, bridge, Quota(limits)))

    async def _leave(self, _: Transaction, __: _Found) -> _Done:
        self._disconnect(Refusal.SHUTDOWN, "the daemon leaves")
        return {}, _nothing

    async def _reconfigure(self, _: Transaction, __: _Found) -> _Done:
        self._drop(Refusal.SHUTDOWN, "it begins anew")
        return {}, _nothing

    async def _close(self, _: Transaction, __: _Found) -> _Done:
        self._drop(Refusal.DETACHED, "it closes")
        return {}, _nothing

    async def _forget(self, _: Transaction, __: _Found) -> _Done:
        self._drop(Refusal.DETACHED, "the device has been taken away")
        return {}, _nothing

    ACTIONS: ClassVar[dict[XenbusAction, Callable[[Device, Transaction, _Found], Awaitable[_Done]]]] = {
        XenbusAction.WAIT: _wait,
        XenbusAction.PUBLISH: _publish,
        XenbusAction.CONNECT: _connect,
        XenbusAction.LEAVE: _leave,
        XenbusAction.RECONFIGURE: _reconfigure,
        XenbusAction.CLOSE: _close,
        XenbusAction.FORGET: _forget,
    }
    """What each does within the transaction; doing it again undoes what it did before."""

    def _disconnect(self, reason: Refusal, why: str) -> None:
        """Whoever used the backend is told; what is shared stays."""
        if self._bridge:
            bridge, self._bridge = self._bridge, None
            bridge.close(reason, why)
            self._owner.disconnected(bridge.lost.result())

    def _drop(self, reason: Refusal, why: str) -> None:
        self._disconnect(reason, why)
        if self._offer:
            self._offer.close()
            self._offer = None

    def _lost(self, bridge: Bridge) -> None:
        """The backend has gone without a word, or is not to be spoken with."""
        if bridge is self._bridge:
            self._disconnect(Refusal.SHUTDOWN, "")
            asyncio.get_running_loop().call_later(_AGAIN, self._begin_anew)

    def _begin_anew(self) -> None:
        if not self._bridge:
            self._begun = False
            self._news.stir()


async def _others(nodes: Transaction, path: str) -> str | None:
    """A node of the other end; what is not there is, elsewhere, not to be read."""
    try:
        return await nodes.read(path)
    except XenStoreError as error:
        if error.errno != errno.EACCES:
            raise
        return None


def _nothing() -> None:
    pass
