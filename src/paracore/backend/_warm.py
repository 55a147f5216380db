# SPDX-License-Identifier: Apache-2.0
"""The supervisor's end of the warm parent (``_zygote``): starts it, orders workers of it, hears of their ends.

It runs as a fresh program rather than as a fork of the supervisor, so that it can be started again when
it dies and never has anything of the supervisor's: no socket, no memory, no event loop.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from typing import TYPE_CHECKING, Any

from paracore.backend._boot import python
from paracore.backend._orders import ORDER_MAX, order_octets, order_parse
from paracore.transport import SocketWire

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.transport import Packet

__all__ = ["WarmParent"]


class WarmParent:
    """See the module. `heard` is called with each thing it says and the descriptor that came along."""

    def __init__(
        self, start: dict[str, Any], heard: Callable[[dict[str, Any], tuple[int, ...]], None], lost: Callable[[], None]
    ) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * ORDER_MAX)
        self._closed = False
        self._heard = heard
        self._lost = lost
        self._process = subprocess.Popen(
            python("_zygote", theirs.fileno(), os.getpid()),
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._wire = SocketWire(ours, descriptors_max=1, size_max=ORDER_MAX)
        self._wire.send(order_octets(start))
        asyncio.get_running_loop().add_reader(ours, self._receive)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def spawn(self, order: dict[str, Any], descriptors: tuple[int, int]) -> None:
        """Orders a worker.

        Raises:
            TransportBroken: the warm parent is dying; ``lost`` will be called.
        """
        self._wire.send(order_octets(order), descriptors)

    def close(self) -> None:
        """Ends it and with it whatever workers are left. Its end is awaited: it has nothing to finish.

        Idempotent.
        """
        if self._closed:
            return
        self._closed = True
        asyncio.get_running_loop().remove_reader(self._wire.fileno())
        self._wire.close()
        self._process.kill()
        self._process.wait()

    def _receive(self) -> None:
        while (packet := self._wire.receive()) is not None:
            if not packet.message:
                self.close()
                self._lost()
                return
            self._hear(packet)

    def _hear(self, packet: Packet) -> None:
        self._heard(order_parse(packet.message), packet.descriptors)
