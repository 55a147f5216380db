# SPDX-License-Identifier: Apache-2.0
"""Detaches a guest's devices: asks the backend to leave, waits until both have let go, removes the nodes.

The backend lets streams end in order first, for as long as it is told here, and ends what is left then. By force the
nodes go at once: the backend unmaps what it finds gone, and the guest's programs get their error.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from paracore._errors import ConfigError
from paracore.protocol import XenbusState, backend_path, frontend_path
from paracore.toolstack._devices import attached
from paracore.toolstack._waiting import NotThere, wait_until

if TYPE_CHECKING:
    from paracore.toolstack._devices import Attached
    from paracore.toolstack._domains import XenDomain
    from paracore.transport.xen import Xenstore

__all__ = ["detach"]

_GONE: Final = (XenbusState.CLOSED, XenbusState.UNKNOWN)
_HOLDS: Final = (XenbusState.INITIALISED, XenbusState.CONNECTED, XenbusState.CLOSING)


async def detach(
    store: Xenstore,
    guest: XenDomain,
    *,
    force: bool = False,
    drain: float = 0.0,
    timeout: float = 10.0,  # noqa: ASYNC109 - with words
) -> list[Attached]:
    """Detaches all that a guest has; what it was.

    Args:
        store: of a privileged domain.
        guest: whose.
        force: does not wait for anybody.
        drain: seconds that streams have to end in order; those that have not are ended as by force.
        timeout: seconds that both ends have to let go, when no stream keeps them any more.

    Raises:
        ConfigError: it has none.
        NotThere: an end has not let go in time; the nodes stay, and the backend has still been asked to leave.
    """
    devices = [each for each in await attached(store) if each.frontend == guest.number]
    if not devices and await store.read(f"{frontend_path(guest.number)}/backend") is None:
        raise ConfigError("domain", f"{guest} has no device attached")
    for device in [] if force else devices:
        await _left(store, guest, device, math.ceil(drain), timeout)
    for device in devices:
        await _remove(store, device)
    await store.remove(frontend_path(guest.number))
    return devices


async def _left(
    store: Xenstore,
    guest: XenDomain,
    device: Attached,
    drain: int,
    timeout: float,  # noqa: ASYNC109 - as above
) -> None:
    ours = backend_path(device.backend, device.frontend, device.index)
    await store.write(f"{ours}/drain", str(drain))
    await store.write(f"{ours}/online", "0")
    try:
        await wait_until(store, device, _let_go, drain + timeout)
    except NotThere as error:
        late = _late(error.device)
        text = f"{guest} is not detached after {drain + timeout:g} s: {late}; paracore detach --force does not wait"
        raise NotThere(error.device, text) from None


def _let_go(device: Attached) -> bool:
    return device.backend_state in _GONE and device.frontend_state not in _HOLDS


def _late(device: Attached) -> str:
    if device.backend_state not in _GONE:
        return f"the backend in domain {device.backend} has not let go"
    return f"the frontend in domain {device.frontend} has not let go"


async def _remove(store: Xenstore, device: Attached) -> None:
    """Not in one transaction, with which a guest that goes on writing would conflict for ever."""
    ours = backend_path(device.backend, device.frontend, device.index)
    above = ours.rpartition("/")[0]
    await store.remove(frontend_path(device.frontend, device.index))
    await store.remove(ours)
    if not await store.list(above):
        await store.remove(above)
