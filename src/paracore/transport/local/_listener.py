# SPDX-License-Identifier: Apache-2.0
"""Where processes of the local domains arrive at the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore.transport._link import LinkPort
from paracore.transport._transport import Listener
from paracore.transport._wire import SocketWire
from paracore.transport.local._socket import UnixSocket, peer_of

if TYPE_CHECKING:
    from paracore.transport._transport import Host, Pages, Port

__all__ = ["LocalListener"]


class LocalListener(Listener):
    """See ``Listener``."""

    def __init__(self, address: str, mode: int, pages: Pages) -> None:
        self._pages = pages
        self._socket = UnixSocket(address, mode)

    def fileno(self) -> int:
        return self._socket.fileno()

    def accept(self, host: Host) -> Port | None:
        sock = self._socket.accept()
        return LinkPort(SocketWire(sock), self._pages, host, peer_of(sock)) if sock else None

    def close(self) -> None:
        self._socket.close()
