# SPDX-License-Identifier: Apache-2.0
"""The devices that are attached, and how they do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paracore._errors import RemoteProtocolError
from paracore.protocol import (
    Attachment,
    XenbusState,
    backend_path,
    frontend_path,
    xenbus_state,
)

if TYPE_CHECKING:
    from paracore.transport.xen import StoreNodes, Xenstore

__all__ = ["Attached", "attached", "look_at"]


@dataclass(frozen=True, slots=True)
class Attached:
    """One device of one guest."""

    frontend: int
    backend: int
    index: int
    name: str
    """The guest's own name."""
    frontend_state: XenbusState
    backend_state: XenbusState
    error: str
    """What the backend says of itself, when something is wrong."""
    attachment: Attachment | None
    """None: the nodes are incomplete, or somebody has spoilt them."""

    @property
    def connected(self) -> bool:
        """Whether it can be used."""
        return self.frontend_state == self.backend_state == XenbusState.CONNECTED

    def account(self) -> dict[str, Any]:
        """For JSON."""
        decided = self.attachment._asdict() if self.attachment else {}
        limits = {key.removeprefix("max_"): value for key, value in decided.items() if key.startswith("max_")}
        if "device_time" in limits:
            limits["device_time"] /= 1000  # as in a configuration
        return {
            "domid": self.frontend,
            "name": self.name,
            "backend": self.backend,
            "index": self.index,
            "devices": list(decided.get("devices", ())),
            "online": decided.get("online", False),
            "weight": decided.get("weight"),
            "priority": decided.get("priority"),
            "limits": limits,
            "frontend_state": self.frontend_state.name.lower(),
            "backend_state": self.backend_state.name.lower(),
            "connected": self.connected,
            "error": self.error,
        }


async def attached(store: Xenstore) -> list[Attached]:
    """All devices of all backends that this domain may see."""
    found = []
    for backend in await _numbers(store, "/local/domain"):
        top = f"/local/domain/{backend}/backend/paracore"
        for frontend in await _numbers(store, top):
            found += [
                await look_at(store, frontend, backend, index) for index in await _numbers(store, f"{top}/{frontend}")
            ]
    return found


async def look_at(store: StoreNodes, frontend: int, backend: int, index: int = 0) -> Attached:
    """One device as its nodes have it now."""
    ours, theirs = backend_path(backend, frontend, index), frontend_path(frontend, index)
    decided, name, *states, error = await asyncio.gather(
        store.read_all(ours, Attachment.names()),
        store.read(f"/local/domain/{frontend}/name"),
        store.read(f"{theirs}/state"),
        store.read(f"{ours}/state"),
        store.read(f"{ours}/error"),
    )
    attachment = None
    with suppress(RemoteProtocolError):
        attachment = Attachment.parse(decided)
    frontend_state, backend_state = map(xenbus_state, states)
    return Attached(frontend, backend, index, name or "", frontend_state, backend_state, error or "", attachment)


async def _numbers(store: Xenstore, path: str) -> list[int]:
    return sorted(int(each) for each in await store.list(path) if each.isdecimal())
