# SPDX-License-Identifier: Apache-2.0
"""The memory transport itself: addresses, and what there is to be had."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from paracore._errors import TransportError
from paracore.transport._transport import Peer, Transport
from paracore.transport.memory._frontend import MemoryFrontendChannel
from paracore.transport.memory._listener import MemoryListener
from paracore.transport.memory._loop import MemoryLoop
from paracore.transport.memory._pages import MemoryPages

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from paracore.transport._transport import FrontendChannel, Listener, Loop
    from paracore.transport._wire import Wire

__all__ = ["MemoryTransport"]


class MemoryTransport(Transport):
    """See ``Transport``. Addresses are names within this object."""

    name = "memory"

    def __init__(self, peer: Peer | None = None) -> None:
        self.pages: MemoryPages = MemoryPages()
        self._peer = peer or Peer(("uid:0",), administrator=True, text="this process")
        self._listeners: dict[str, MemoryListener] = {}

    def listen(self, address: str, mode: int = 0o666) -> Listener:  # noqa: ARG002 - there is nobody else
        if address in self._listeners:
            raise TransportError(f"{address} is served already")
        listener = MemoryListener(self.pages, self._peer, partial(self._listeners.__delitem__, address))
        self._listeners[address] = listener
        return listener

    def connect(self, address: str, *, timeout: float = 10.0) -> AbstractContextManager[FrontendChannel]:
        return closing(MemoryFrontendChannel(self.dial(address), self.pages, timeout=timeout))

    def dial(self, address: str) -> Wire:
        if address not in self._listeners:
            raise TransportError(f"nobody serves {address}")
        return self._listeners[address].connect()

    def loop(self, spin_ns: int = 0) -> Loop:  # noqa: ARG002 - it never spins
        return MemoryLoop(self.pages)
