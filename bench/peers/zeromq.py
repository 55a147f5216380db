# SPDX-License-Identifier: Apache-2.0
"""ZeroMQ request and reply over ipc."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import zmq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def caller(folder: str) -> Iterator[Callable[[bytes], object]]:
    with zmq.Context() as context, context.socket(zmq.REQ) as peer:
        peer.linger = 0
        peer.connect(f"ipc://{folder}/socket")

        def call(payload: bytes) -> bytes:
            peer.send(payload)
            return bytes(peer.recv())

        yield call


def serve(folder: str) -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as peer:
        peer.bind(f"ipc://{folder}/socket")
        print("ready", flush=True)
        while True:
            peer.send(peer.recv())


if __name__ == "__main__":
    serve(sys.argv[1])
