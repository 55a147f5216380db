# SPDX-License-Identifier: Apache-2.0
"""Attaches devices of a backend to a guest: makes both directories at once, then waits for both ends.

The frontend's directory is the guest's and the backend may read it; the backend's directory is the backend's
domain's and the guest may read it. What is written below takes its directory's owner and permissions.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, cast

from paracore._errors import ConfigError, LocalProtocolError
from paracore.protocol import Attachment, XenbusState, backend_path, frontend_path
from paracore.toolstack._devices import look_at
from paracore.toolstack._waiting import NotThere, missing_end, wait_until
from paracore.transport.xen import Conflict

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from paracore.toolstack._devices import Attached
    from paracore.toolstack._domains import XenDomain
    from paracore.transport.xen import Transaction, Xenstore

__all__ = ["attach"]

_TRIES: Final = 10
_INITIALISING: Final = str(int(XenbusState.INITIALISING))


async def attach(
    store: Xenstore,
    guest: XenDomain,
    devices: Sequence[str],
    *,
    backend: int = 0,
    timeout: float = 10.0,  # noqa: ASYNC109 - with words
    decided: Mapping[str, int] | None = None,
) -> Attached:
    """Attaches devices to a guest.

    Args:
        store: of a privileged domain.
        guest: who shall have them.
        devices: their names in the backend's configuration.
        backend: the domain that the backend is in.
        timeout: seconds until both ends have to be connected; 0 does not wait.
        decided: limits, weight and priority, by the names of ``Attachment``.

    Raises:
        ConfigError: it cannot be: the guest has some already, a value is out of range.
        NotThere: the nodes are made and stay, but an end has not come.
    """
    if guest.number == backend:
        raise ConfigError("domain", f"{guest} is where the backend is; its processes use the local socket")
    attachment = _decided(guest, devices, decided or {})
    try:
        await _made(store, guest, backend, attachment)
    except LocalProtocolError as error:
        raise ConfigError("device", str(error)) from error
    device = await look_at(store, guest.number, backend)
    if not timeout:
        return device
    try:
        return await wait_until(store, device, lambda now: now.connected, timeout)
    except NotThere as error:
        text = f"attached to {guest}, but not connected after {timeout:g} s: {missing_end(error.device)}"
        raise NotThere(error.device, text) from None


def _decided(guest: XenDomain, devices: Sequence[str], decided: Mapping[str, int]) -> Attachment:
    attachment = Attachment(frontend_path(guest.number), guest.number, tuple(devices), name=_name(guest))
    return attachment._replace(**cast("dict[str, Any]", dict(decided)))


def _name(guest: XenDomain) -> str:
    """The guest's name as a backend knows names: some characters fewer, at most 31."""
    return re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9._-]", "", guest.name)[:31]


async def _made(store: Xenstore, guest: XenDomain, backend: int, attachment: Attachment) -> None:
    for _ in range(_TRIES):
        try:
            async with store.transaction() as nodes:
                await _make(nodes, guest, backend, attachment)
        except Conflict:
            continue
        return
    raise ConfigError("domain", f"the nodes of {guest} change all the time; try again when they do not")


async def _make(nodes: Transaction, guest: XenDomain, backend: int, attachment: Attachment) -> None:
    ours, theirs = backend_path(backend, guest.number), frontend_path(guest.number)
    if (there := await nodes.read(f"{theirs}/backend")) is not None:
        raise ConfigError("domain", f"{guest} has devices already, of {there}; paracore detach {guest.number} first")
    if backend and await nodes.read(f"/local/domain/{backend}/domid") is None:
        raise ConfigError("backend", f"there is no domain {backend}")
    frontend = {"backend": ours, "backend-id": str(backend), "state": _INITIALISING}
    decided = {**attachment.values(), "state": _INITIALISING}
    await asyncio.gather(
        *_directory(nodes, theirs, guest.number, backend, frontend),
        *_directory(nodes, ours, backend, guest.number, decided),
    )


def _directory(
    nodes: Transaction, path: str, owner: int, reader: int, values: dict[str, str]
) -> tuple[Coroutine[Any, Any, None], ...]:
    """The requests that make one, in their order: what is written takes its owner and permissions."""
    return nodes.remove(path), nodes.make(path), nodes.permit(path, owner, read=[reader]), nodes.write_all(path, values)
