# SPDX-License-Identifier: Apache-2.0
"""An iceoryx2 request and response of a fixed struct; the waiting side sleeps on an iceoryx2 event."""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import iceoryx2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Payload(ctypes.Structure):
    """64 octets."""

    _fields_ = (("octets", ctypes.c_uint8 * 64),)


def _open(folder: str) -> tuple[Any, Any, Any]:
    """The service and the two events: a request is there, a response is there."""
    name = Path(folder).name
    node = iceoryx2.NodeBuilder.new().create(iceoryx2.ServiceType.Ipc)

    def service(part: str) -> Any:
        return node.service_builder(iceoryx2.ServiceName.new(f"{name}/{part}"))

    calls = service("calls").request_response(Payload, Payload).open_or_create()
    return calls, service("asked").event().open_or_create(), service("answered").event().open_or_create()


@contextmanager
def caller(folder: str) -> Iterator[Callable[[bytes], object]]:
    iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
    calls, asked, answered = _open(folder)
    client = calls.client_builder().create()
    notifier = asked.notifier_builder().create()
    listener = answered.listener_builder().create()

    def call(payload: bytes) -> bytes:
        pending = client.loan_uninit().write_payload(Payload.from_buffer_copy(payload)).send()
        notifier.notify()
        while (response := pending.receive()) is None:
            listener.blocking_wait()
        return bytes(response.payload().contents)

    yield call


def serve(folder: str) -> None:
    iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
    calls, asked, answered = _open(folder)
    server = calls.server_builder().create()
    listener = asked.listener_builder().create()
    notifier = answered.notifier_builder().create()
    print("ready", flush=True)
    while True:
        while (request := server.receive()) is None:
            listener.blocking_wait()
        request.loan_uninit().write_payload(request.payload().contents).send()
        notifier.notify()


if __name__ == "__main__":
    serve(sys.argv[1])
