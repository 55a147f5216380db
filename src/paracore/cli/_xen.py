# SPDX-License-Identifier: Apache-2.0
"""What the subcommands of the toolstack share: xenstore with its remedies, and how a guest's device is told."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, TypeVar

from paracore._errors import ConfigError, TransportError, XenStoreError
from paracore.cli._exit import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from paracore.transport.xen import Xenstore

__all__ = ["device_line", "with_xenstore", "xen_devices"]

Result = TypeVar("Result")

_REMEDIES = {
    errno.ENOENT: "run it in a domain of a Xen machine; paracore doctor says what is missing",
    errno.EACCES: "run it as root in the toolstack's domain, domain 0",
    errno.EPERM: "run it as root in the toolstack's domain, domain 0",
    errno.ECONNREFUSED: "xenstored does not run: systemctl start xenstored",
}


def with_xenstore(step: Callable[[Xenstore], Awaitable[Result]]) -> Result:
    """Runs a step of the toolstack; what the command line is to blame for is told as such."""
    import asyncio  # noqa: PLC0415 - the other subcommands need not wait for it

    async def run() -> Result:
        from paracore.transport.xen import Xenstore  # noqa: PLC0415 - needs the native library

        async with Xenstore.connect() as store:
            return await step(store)

    try:
        return asyncio.run(run())
    except XenStoreError as error:
        where = f"{error.filename}: " if error.filename else ""
        remedy = _REMEDIES.get(error.errno or 0)
        raise TransportError(f"{where}{error.strerror}" + (f"; {remedy}" if remedy else "")) from error
    except ConfigError as error:
        raise UsageError(str(error)) from error


def xen_devices() -> list[dict[str, Any]]:
    """The devices of this machine's guests; none where there is no xenstore, or none for this user."""
    from paracore.toolstack import attached  # noqa: PLC0415 - needs the native library

    try:
        devices = with_xenstore(attached)
    except TransportError:
        return []
    return [device.account() for device in devices]


def device_line(device: Mapping[str, Any]) -> str:
    """One device for a person."""
    name = f" ({device['name']})" if device["name"] else ""
    states = device["frontend_state"], device["backend_state"]
    state = "connected" if device["connected"] else f"frontend {states[0]}, backend {states[1]}"
    where = f", backend in domain {device['backend']}" if device["backend"] else ""
    leaving = "" if device["online"] else ", detaching"
    error = f": {device['error']}" if device["error"] else ""
    return f"guest {device['domid']}{name}  {' '.join(device['devices']) or '?'}  {state}{leaving}{where}{error}"
