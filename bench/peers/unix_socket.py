# SPDX-License-Identifier: Apache-2.0
"""Plain sequenced-packet Unix sockets from Python."""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def caller(folder: str) -> Iterator[Callable[[bytes], object]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.connect(f"{folder}/socket")

        def call(payload: bytes) -> bytes:
            peer.send(payload)
            return peer.recv(4096)

        yield call


def serve(folder: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"{folder}/socket")
        listener.listen()
        print("ready", flush=True)
        peer, _ = listener.accept()
        while payload := peer.recv(4096):
            peer.send(payload)


if __name__ == "__main__":
    serve(sys.argv[1])
