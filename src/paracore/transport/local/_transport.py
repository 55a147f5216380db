# SPDX-License-Identifier: Apache-2.0
"""The local transport itself.

The frontend's end and the native loop are loaded when they are first asked for: the supervisor needs
neither, and a frontend not the loop.
"""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

from paracore._errors import TransportError
from paracore.transport._transport import Transport
from paracore.transport._wire import SocketWire
from paracore.transport.local._listener import LocalListener
from paracore.transport.local._pages import LocalPages
from paracore.transport.local._socket import UnixSocket

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from paracore.transport._handover import ListenerState
    from paracore.transport._transport import FrontendChannel, Loop
    from paracore.transport._wire import Wire

__all__ = ["LocalTransport"]


class LocalTransport(Transport):
    """See ``Transport``. Addresses are paths of Unix sockets."""

    name = "local"

    def __init__(self) -> None:
        self.pages = LocalPages()

    def listen(self, address: str, mode: int = 0o666) -> LocalListener:
        return LocalListener(UnixSocket(address, mode), self.pages)

    def adopt(self, state: ListenerState) -> LocalListener:
        """Goes on listening where the last program image of this process did."""
        return LocalListener(UnixSocket.adopted(state), self.pages)

    def connect(self, address: str, *, timeout: float = 10.0) -> AbstractContextManager[FrontendChannel]:
        from paracore.transport.local._frontend import LocalFrontendChannel  # noqa: PLC0415 - see above

        return closing(LocalFrontendChannel(address, timeout=timeout))

    def dial(self, address: str) -> Wire:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            raise TransportError(f"{address}: {error.strerror}") from error
        return SocketWire(sock, descriptors_max=3)

    def loop(self, spin_ns: int = 0) -> Loop:
        from paracore.transport.local._loop import LocalLoop  # noqa: PLC0415 - see above

        return LocalLoop(spin_ns)
