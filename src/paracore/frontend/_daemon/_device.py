# SPDX-License-Identifier: Apache-2.0
"""The guest's end of the xenbus device: looks at both states and moves by the table (docs/protocol/xenbus.md).

The toolstack makes the device's directories, at any time; the backend may go, come back, or be another one.
What the other end has written is checked before it is believed. A backend that has published what cannot be
is waited for until it says something else.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, Protocol

from paracore._errors import RemoteProtocolError, XenStoreError
from paracore.classes.bridge import Refusal
from paracore.frontend._daemon._bridge import Bridge
from paracore.frontend._daemon._holdings import Backend, GuestLimits
from paracore.frontend._daemon._offer import Offer
from paracore.protocol import PROTOCOL_VERSION
from paracore.protocol._published import Attachment, BackendNodes
from paracore.protocol._xenbus import (
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

    from paracore.protocol._xenbus import Move
    from paracore.transport.xen import Hypervisor, Xenstore

__all__ = ["Device", "DeviceOwner"]

_log = logging.getLogger("paracore.frontend")

_LEAVE: Final = 5.0
"""Seconds that the backend has to let go before the daemon leaves without it."""
_AGAIN: Final = 1.0
"""Seconds before the device is begun anew with a backend that was lost. Bounds how often that happens."""
_SHARING: Final = (XenbusState.INITIALISED, XenbusState.CONNECTED)
_GONE: Final = (XenbusState.CLOSED, XenbusState.UNKNOWN)


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
        self._begun = False
        self._stops = self._stopped = 0

    async def run(self) -> None:
        """Moves until ``stop`` has been followed to its end.

        Raises:
            GrantError, EventChannelError: this guest cannot share what it has to, see their texts.
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
            while not self._has_left(found := await self._look()):
                if not await self._move(found):
                    return True
        except XenStoreError as error:  # taken away while it was looked at: a watch tells of more
            _log.warning("%s", error)
            return True
        except RemoteProtocolError as error:
            _log.error("the backend has published what cannot be: %s", error)
            return True
        return False

    async def _move(self, found: _Found) -> bool:
        """Makes one move; False when there is none now."""
        move = self._next(found)
        if move.action is XenbusAction.WAIT:
            return False
        nodes = await self.ACTIONS[move.action](self, found)
        if move.action is XenbusAction.FORGET:
            return False
        await self._say(found, move.state, nodes)
        return True

    def _next(self, found: _Found) -> Move:
        if self._stopped < self._stops:
            self._stopped += 1
            return xenbus_stop(End.FRONTEND, found.own)
        if not self._begun or (found.own in _SHARING and not self._offer):
            self._begun = True
            move = xenbus_start(End.FRONTEND, found.own)
            if move.action is not XenbusAction.WAIT:
                return move
        return xenbus_step(End.FRONTEND, found.own, found.other)

    def _has_left(self, found: _Found) -> bool:
        return self._stopped > 0 and found.own in _GONE

    async def _look(self) -> _Found:
        nodes = await self._store.read_all(self._path, ("state", "backend", "backend-id"))
        own, directory, remote = xenbus_state(nodes["state"]), nodes["backend"], nodes["backend-id"]
        if not directory or not remote or not remote.isdecimal():
            await self._news.follow(self._path)
            return _Found(own, XenbusState.UNKNOWN, "", 0)
        await self._news.follow(self._path, f"{directory}/state")
        other = xenbus_state(await self._store.read(f"{directory}/state"))
        return _Found(own, other, directory, int(remote))

    async def _say(self, found: _Found, state: XenbusState, nodes: dict[str, str]) -> None:
        """Writes a state and what it stands for at once, unless the device has been taken away meanwhile."""
        if state is found.own and not nodes:
            return
        try:
            async with self._store.transaction() as own:
                if await own.read(f"{self._path}/state") is not None:
                    await own.write_all(self._path, {**nodes, "state": str(int(state))})
        except Conflict:
            return  # somebody else has moved: it is looked at again

    # --- actions ------------------------------------------------------------------------------------

    async def _publish(self, found: _Found) -> dict[str, str]:
        said = BackendNodes.parse(await self._store.read_all(found.directory, BackendNodes.names()))
        said.choose((PROTOCOL_VERSION,))
        self._drop(Refusal.SHUTDOWN, "it begins anew")
        self._offer = Offer(self._hypervisor, found.remote)
        return self._offer.nodes.values()

    async def _connect(self, found: _Found) -> dict[str, str]:
        said = Attachment.parse(await self._store.read_all(found.directory, Attachment.names()))
        limits = GuestLimits(said.max_channels, said.max_buffers, said.max_bytes)
        assert self._offer  # else it would have begun anew
        bridge = self._bridge = Bridge(self._offer.ring, self._patience)
        bridge.lost.add_done_callback(lambda _: self._lost(bridge))
        self._owner.connected(Backend(self._hypervisor, found.remote, bridge, Quota(limits)))
        return {}

    async def _leave(self, _: _Found) -> dict[str, str]:
        self._disconnect(Refusal.SHUTDOWN, "the daemon leaves")
        return {}

    async def _reconfigure(self, _: _Found) -> dict[str, str]:
        self._drop(Refusal.SHUTDOWN, "it begins anew")
        return {}

    async def _close(self, _: _Found) -> dict[str, str]:
        self._drop(Refusal.DETACHED, "it closes")
        return {}

    async def _forget(self, _: _Found) -> dict[str, str]:
        self._drop(Refusal.DETACHED, "the device has been taken away")
        return {}

    ACTIONS: ClassVar[dict[XenbusAction, Callable[[Device, _Found], Awaitable[dict[str, str]]]]] = {
        XenbusAction.PUBLISH: _publish,
        XenbusAction.CONNECT: _connect,
        XenbusAction.LEAVE: _leave,
        XenbusAction.RECONFIGURE: _reconfigure,
        XenbusAction.CLOSE: _close,
        XenbusAction.FORGET: _forget,
    }
    """What each does; returns the nodes that are to be written with the state."""

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
