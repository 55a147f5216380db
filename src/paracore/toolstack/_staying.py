# SPDX-License-Identifier: Apache-2.0
"""Keeps devices attached to a guest that comes and goes: rebooted it is another domain, of the same name and UUID."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from paracore._errors import ConfigError, TransportClosed
from paracore.protocol import frontend_path
from paracore.toolstack._attach import attach
from paracore.toolstack._domains import domains

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paracore.toolstack._devices import Attached
    from paracore.toolstack._domains import XenDomain
    from paracore.transport.xen import Xenstore

__all__ = ["stay_attached"]

_INTRODUCED: Final = "@introduceDomain"


async def stay_attached(
    store: Xenstore,
    guest: str,
    devices: Sequence[str],
    *,
    backend: int = 0,
    decided: Mapping[str, int] | None = None,
    tell: Callable[[Attached], None] = lambda _: None,
) -> NoReturn:
    """Attaches devices to a guest, now or when it comes, and to each that follows it. Does not wait for its daemon.

    Args:
        store: of a privileged domain.
        guest: its name or UUID.
        devices: as in ``attach``.
        backend: as in ``attach``.
        decided: as in ``attach``.
        tell: called with each device that was attached.

    Raises:
        ConfigError: as in ``attach``; a number is no name.
        TransportClosed: xenstore has gone.
    """
    if guest.isdecimal():
        raise ConfigError("domain", f"{guest} is another domain's number after a reboot; give its name or UUID")
    watch = await store.watch(_INTRODUCED)
    last = -1
    try:
        async for _ in watch:  # at once, too
            found = await _newest(store, guest)
            if found and found.number != last:
                last = found.number
                if await store.read(f"{frontend_path(last)}/backend") is None:
                    tell(await attach(store, found, devices, backend=backend, timeout=0, decided=decided))
    finally:
        watch.close()
    raise TransportClosed("xenstore has gone")


async def _newest(store: Xenstore, guest: str) -> XenDomain | None:
    """The one that came last: while a guest is rebooted there are two."""
    return max((each for each in await domains(store) if guest in (each.name, each.uuid)), default=None)
