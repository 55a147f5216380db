# SPDX-License-Identifier: Apache-2.0
"""What ``paracore doctor`` reads of xenstore: whose devices are attached, and how they do. Without one: nothing."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Final

from paracore._errors import Error, XenStoreError
from paracore.cli._examination import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paracore.transport.xen import Xenstore

__all__ = ["examine_store"]

_SUBJECT: Final = "xen attached"
_PATIENCE: Final = 5.0


def examine_store() -> Iterator[Finding]:
    """One finding, where there is a xenstore."""
    try:
        yield asyncio.run(_looked())
    except XenStoreError as error:
        if error.errno == errno.EACCES:
            yield Finding(_SUBJECT, "fair", "xenstore is not for this user", "look again as root")
        elif error.errno != errno.ENOENT:
            yield _silent(error)
    except (Error, TimeoutError) as error:
        yield _silent(error)


def _silent(error: Exception) -> Finding:
    return Finding(_SUBJECT, "bad", f"xenstore does not answer: {error}", "systemctl status xenstored")


async def _looked() -> Finding:
    from paracore.transport.xen import Xenstore  # noqa: PLC0415 - needs the native library

    async with Xenstore.connect() as store, asyncio.timeout(_PATIENCE):
        try:
            await store.list("/local/domain")
        except XenStoreError as error:
            if error.errno != errno.EACCES:
                raise
            return await _frontend(store)
        return await _backends(store)


async def _backends(store: Xenstore) -> Finding:
    from paracore.toolstack import attached  # noqa: PLC0415 - as above

    devices = await attached(store)
    if not devices:
        return Finding(_SUBJECT, "fair", "no guest has a device", "paracore attach GUEST DEVICE")
    idle = [str(device.frontend) for device in devices if not device.connected]
    if idle:
        remedy = (
            "`paracore serve --xen` here, `paracore frontend` there; paracore list says which of the two has not come"
        )
        return Finding(_SUBJECT, "fair", f"not connected: domain {', '.join(idle)}", remedy)
    return Finding(_SUBJECT, "good", f"{len(devices)} guests, all connected")


async def _frontend(store: Xenstore) -> Finding:
    from paracore.protocol import xenbus_state  # noqa: PLC0415 - as above

    number = await store.read("domid") or "?"
    there = await store.read("device/paracore/0/backend")
    if there is None:
        remedy = f"paracore attach {number} DEVICE, in the toolstack's domain"
        return Finding(_SUBJECT, "fair", f"this is domain {number}; no device is attached to it", remedy)
    state = xenbus_state(await store.read("device/paracore/0/state")).name.lower()
    if state == "connected":
        return Finding(_SUBJECT, "good", f"this is domain {number}, connected to {there}")
    remedy = "`paracore frontend` here, `paracore serve --xen` in the backend's domain"
    return Finding(_SUBJECT, "fair", f"this is domain {number}; its device is {state}", remedy)
