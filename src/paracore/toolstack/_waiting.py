# SPDX-License-Identifier: Apache-2.0
"""Waits for both ends of a device, and says whose turn it is when it takes too long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from paracore._errors import TransportError
from paracore.protocol import XenbusState, backend_path, frontend_path
from paracore.toolstack._devices import look_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.toolstack._devices import Attached
    from paracore.transport.xen import Watch, Xenstore

__all__ = ["NotThere", "wait_until"]

_GONE = (XenbusState.CLOSING, XenbusState.CLOSED, XenbusState.UNKNOWN)


class NotThere(TransportError):  # noqa: N818 - says what is
    """An end has not come, or not gone, in time.

    Attributes:
        device: how its nodes are.
    """

    def __init__(self, device: Attached, text: str) -> None:
        super().__init__(text)
        self.device = device


async def wait_until(
    store: Xenstore,
    device: Attached,
    holds: Callable[[Attached], bool],
    timeout: float,  # noqa: ASYNC109 - with words
) -> Attached:
    """Looks at a device whenever one of its nodes changes, until it is as wanted.

    Raises:
        NotThere: it took too long; the device is as it was found last.
    """
    watch = await store.watch(backend_path(device.backend, device.frontend, device.index))
    other = await store.watch(frontend_path(device.frontend, device.index))
    try:
        until = asyncio.get_running_loop().time() + timeout
        while not holds(device := await look_at(store, device.frontend, device.backend, device.index)):
            await _news((watch, other), until, device)
    finally:
        watch.close()
        other.close()
    return device


async def _news(watches: tuple[Watch, Watch], until: float, device: Attached) -> None:
    left = until - asyncio.get_running_loop().time()
    if left <= 0:  # whatever a guest goes on writing
        raise NotThere(device, "")
    changes = [asyncio.ensure_future(anext(watch)) for watch in watches]
    done, waiting = await asyncio.wait(changes, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    for change in waiting:
        change.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    if not done:
        raise NotThere(device, "")
    for change in done:
        change.result()


def missing_end(device: Attached) -> str:
    """Which end a device waits for, and the remedy."""
    guest, backend = f"domain {device.frontend}", f"domain {device.backend}"
    if device.error:
        return f"the backend in {backend} says: {device.error}"
    if device.backend_state in {XenbusState.INITIALISING, XenbusState.UNKNOWN}:
        return f"no backend has taken it up in {backend}: start `paracore serve --xen` there"
    if device.backend_state in _GONE:
        return f"the backend in {backend} has closed it: its log says why (journalctl -u paracore)"
    if device.frontend_state in {XenbusState.INITIALISING, XenbusState.UNKNOWN, XenbusState.CLOSED}:
        return f"no frontend has taken it up in {guest}: start `paracore frontend` there"
    return (
        f"the frontend in {guest} is {_name(device.frontend_state)} and the backend in {backend} is "
        f"{_name(device.backend_state)}: their logs say what they wait for"
    )


def _name(state: XenbusState) -> str:
    return state.name.lower().replace("_", "-")
