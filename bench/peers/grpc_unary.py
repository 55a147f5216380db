# SPDX-License-Identifier: Apache-2.0
"""A unary gRPC call over a Unix socket, octets for octets, without protobuf."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def caller(folder: str) -> Iterator[Callable[[bytes], object]]:
    with grpc.insecure_channel(f"unix:{folder}/socket") as channel:
        yield channel.unary_unary("/bench.Echo/Echo")


def serve(folder: str) -> None:
    handler = grpc.unary_unary_rpc_method_handler(lambda payload, _: payload)
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", {"Echo": handler}),))
    server.add_insecure_port(f"unix:{folder}/socket")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    serve(sys.argv[1])
