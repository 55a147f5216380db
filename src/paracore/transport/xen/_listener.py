# SPDX-License-Identifier: Apache-2.0
"""Where the processes of Xen guests arrive: one ``Guest`` for each device that a toolstack has attached.

Devices come and go with directories in xenstore; a domain that has been destroyed is known by ``@releaseDomain``,
whatever nodes it has left. While xenstore has gone no guest is served; when it is back, they are found connected
to an earlier life and begin anew.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from paracore._errors import RemoteProtocolError, TransportError, XenStoreError
from paracore.protocol import device_of_path
from paracore.transport._transport import Listener
from paracore.transport.xen._guest import Guest
from paracore.transport.xen._news import News
from paracore.transport.xen._xenstore import Xenstore

if TYPE_CHECKING:
    from paracore.transport._handover import GuestState, PortState
    from paracore.transport._transport import Host, Port
    from paracore.transport.xen._guest import XenHost
    from paracore.transport.xen._hypervisor import Hypervisor
    from paracore.transport.xen._port import XenPort

__all__ = ["XenListener"]

_log = logging.getLogger("paracore.xen")

_DEVICES: Final = "backend/paracore"
_RELEASED: Final = "@releaseDomain"
_FORBIDDEN: Final = (errno.EACCES, errno.EPERM)
"""To all but dom0."""
_AGAIN: Final = 1.0
"""Seconds until xenstore is tried again, or a device whose guest has failed here."""
_ACCOUNTS: Final = 5.0
"""Seconds between two looks at what each guest has used."""
_FAREWELL: Final = 1.0
"""Seconds that guests have to follow when the backend leaves."""

_Key = tuple[int, int]
"""The frontend's domain, and the index of the device there."""


class XenListener(Listener):
    """See the module."""

    def __init__(self, hypervisor: Hypervisor, host: XenHost, address: str | None = None) -> None:
        """Connects to xenstore and begins to serve.

        Raises:
            XenStoreError: there is none.
        """
        self._hypervisor = hypervisor
        self._host = host
        self._address = address
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK | os.EFD_SEMAPHORE)
        self._arrivals: deque[XenPort] = deque()
        self._guests: dict[_Key, tuple[Guest, asyncio.Task[None]]] = {}
        self._news: News | None = None
        self._closing = self._paused = False
        self._loop = asyncio.get_running_loop()
        self._store = Xenstore.connect(address)
        self._task = self._loop.create_task(self._run(self._store))

    def fileno(self) -> int:
        return self._bell

    def accept(self, host: Host) -> Port | None:  # noqa: ARG002 - its ports know it
        if not self._arrivals:
            return None
        os.eventfd_read(self._bell)
        return self._arrivals.popleft()

    def close(self) -> None:
        """Guests stay until ``wait_closed``: they have yet to be told goodbye, over their rings."""
        self._closing = True

    # --- across a reload ----------------------------------------------------------------------------

    def pause(self) -> None:
        self._paused = True
        for guest, _ in self._guests.values():
            guest.pause()

    @property
    def settled(self) -> bool:
        return all(guest.settled for guest, _ in self._guests.values())

    def hand_over(self) -> tuple[GuestState, ...]:
        """All guests that the next program image can go on with; the others begin anew. Changes nothing."""
        found = (guest.hand_over(self._arrivals) for guest, _ in self._guests.values())
        return tuple(state for state in found if state)

    def adopt(self, state: GuestState) -> str:
        """A guest of the last program image; returns its identity. To be called before anything else happens.

        Raises:
            ConfigError, GrantError, EventChannelError: it cannot go on, see ``Guest.adopt``.
        """
        guest = Guest(self._store, self._hypervisor, self._host, self._arrived, state.place)
        guest.adopt(state)
        self._begin(state.place[1:], guest)
        return guest.identity

    def adopt_port(self, state: PortState) -> XenPort | None:
        """A process of a guest of the last program image, None if that does not go on."""
        found = (
            guest for guest, _ in self._guests.values() if state.process and guest.identity == state.process.identity
        )
        guest = next(found, None)
        return guest.adopt_port(state) if guest else None

    # --- its end ------------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Those of the hypervisor: ``HypervisorStatistics``."""
        return self._hypervisor.statistics()._asdict()

    async def wait_closed(self) -> None:
        for _ in range(2):  # the second time they are not waited for
            for guest, _ in self._guests.values():
                guest.stop()
            if tasks := [task for _, task in self._guests.values()]:
                await asyncio.wait(tasks, timeout=_FAREWELL)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        while self._arrivals:
            self._arrivals.popleft().close()
        os.close(self._bell)

    def _arrived(self, port: XenPort) -> None:
        self._arrivals.append(port)
        os.eventfd_write(self._bell, 1)

    # --- devices ------------------------------------------------------------------------------------

    async def _run(self, store: Xenstore) -> None:
        while True:
            try:
                async with store:
                    await self._follow(store)
            except (TransportError, RemoteProtocolError) as error:
                _log.error("guests are not served: %s", error)
            finally:
                await self._end_guests()
            await asyncio.sleep(_AGAIN)
            store = await self._connect_again()

    async def _connect_again(self) -> Xenstore:
        while True:
            with suppress(TransportError):
                return Xenstore.connect(self._address)
            await asyncio.sleep(_AGAIN)

    async def _follow(self, store: Xenstore) -> None:
        """Keeps a guest for each device, as long as xenstore is there."""
        own = await store.read("domid")
        if own is None or not own.isdecimal():
            raise RemoteProtocolError("xenstore does not say which domain this is")
        self._news = News(store)
        accounts = self._loop.create_task(self._tell_accounts())
        try:
            await self._watch(self._news)
            while True:
                self._news.clear()
                await self._look(store, int(own))
                await self._news.wait()
        finally:
            accounts.cancel()
            self._news.close()

    async def _tell_accounts(self) -> None:
        with suppress(TransportError, RemoteProtocolError):  # xenstore has gone, which others notice as well
            while True:
                await asyncio.sleep(_ACCOUNTS)
                for guest, _ in list(self._guests.values()):
                    await guest.tell_account()

    @staticmethod
    async def _watch(news: News) -> None:
        try:
            await news.follow(_DEVICES, _RELEASED)
        except XenStoreError as error:
            if error.errno not in _FORBIDDEN:
                raise
            await news.follow(_DEVICES)  # a driver domain sees the nodes of its guests vanish

    async def _look(self, store: Xenstore, own: int) -> None:
        devices = await _devices(store)
        domains = {domain for domain, _ in devices | self._guests.keys()}
        living = {domain for domain in domains if await _lives(store, domain)}
        for (domain, _), (guest, _) in self._guests.items():
            if domain not in living:
                guest.destroyed()
        for key in devices - self._guests.keys():
            if key[0] not in living:
                await _clear(store, *key)
            elif not self._closing and not self._paused:
                self._begin(key, Guest(store, self._hypervisor, self._host, self._arrived, (own, *key)))

    def _begin(self, key: _Key, guest: Guest) -> None:
        task = self._loop.create_task(guest.run())
        self._guests[key] = guest, task
        task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: _Key, task: asyncio.Task[None]) -> None:
        """The device has been taken away, perhaps to be made again; or something failed here, and is tried again."""
        del self._guests[key]
        if task.cancelled() or not self._news:
            return
        error = task.exception()
        if isinstance(error, TransportError):
            return  # xenstore has gone: that is told once for all
        if error:
            _log.error("domid %d, device %d: %s", *key, error, exc_info=error)
            self._loop.call_later(_AGAIN, self._news.stir)
        else:
            self._news.stir()

    async def _end_guests(self) -> None:
        tasks = [task for _, task in self._guests.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _lives(store: Xenstore, domain: int) -> bool:
    try:
        return await store.introduced(domain)
    except XenStoreError as error:
        if error.errno not in _FORBIDDEN:
            raise
        return True  # a driver domain is not told


async def _clear(store: Xenstore, domain: int, index: int) -> None:
    """Nobody else clears up after a domain that was destroyed; one that is being made has nodes of its own already."""
    if await store.list(f"/local/domain/{domain}"):
        return
    await store.remove(f"{_DEVICES}/{domain}/{index}")
    if not await store.list(f"{_DEVICES}/{domain}"):
        await store.remove(f"{_DEVICES}/{domain}")


async def _devices(store: Xenstore) -> set[_Key]:
    """The devices that toolstacks have made."""
    paths = [
        f"{_DEVICES}/{domain}/{index}"
        for domain in await store.list(_DEVICES)
        for index in await store.list(f"{_DEVICES}/{domain}")
    ]
    return {key for path in paths if (key := device_of_path(path))}
