# SPDX-License-Identifier: Apache-2.0
"""Where processes of the local domains arrive at the backend."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from paracore.transport._link import LinkPort
from paracore.transport._transport import Listener
from paracore.transport._wire import SocketWire
from paracore.transport.local._socket import peer_of

if TYPE_CHECKING:
    from paracore.transport._handover import ListenerState, PortState
    from paracore.transport._transport import Host, Pages, Port
    from paracore.transport.local._socket import UnixSocket

__all__ = ["LocalListener"]


class LocalListener(Listener):
    """See ``Listener``."""

    def __init__(self, served: UnixSocket, pages: Pages) -> None:
        self._pages = pages
        self._socket = served

    def fileno(self) -> int:
        return self._socket.fileno()

    def accept(self, host: Host) -> Port | None:
        sock = self._socket.accept()
        return LinkPort(SocketWire(sock), self._pages, host, peer_of(sock)) if sock else None

    def adopt(self, state: PortState, host: Host) -> LinkPort:
        """One that has arrived in the last program image."""
        sock = socket.socket(fileno=state.descriptor)
        return LinkPort.adopted(state, SocketWire(sock), self._pages, host, peer_of(sock))

    def hand_over(self) -> ListenerState:
        """What the next program image needs to listen on."""
        return self._socket.hand_over()

    def close(self) -> None:
        self._socket.close()
