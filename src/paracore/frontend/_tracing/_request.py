# SPDX-License-Identifier: Apache-2.0
"""Asks a backend to trace domains: ``link.trace``, on a connection that lives as long as the trace."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from paracore._errors import PermissionRefused, RemoteProtocolError
from paracore.classes import link
from paracore.frontend._status import ask, connected

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

__all__ = ["Tracing", "trace_domains"]


class Tracing:
    """Domains that are traced.

    Attributes:
        memories: of each, by its name; whoever closes one takes it out.
    """

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self.memories: dict[str, int] = {}

    def close(self) -> None:
        """Closes what nobody has taken."""
        for descriptor in self.memories.values():
            os.close(descriptor)
        self.memories.clear()

    def ended(self) -> bool:
        """Whether the backend has gone, or has ended it."""
        try:
            self._wire.recv(1)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True


@contextmanager
def trace_domains(
    address: str | os.PathLike[str], names: Sequence[str] = ("",), *, timeout: float = 10.0
) -> Iterator[Tracing]:
    """Traces them until it is left.

    Args:
        address: the backend's Unix socket.
        names: of the domains; an empty one is the caller's own.
        timeout: seconds for each answer.

    Raises:
        PermissionRefused: a domain is not the caller's, who is no administrator.
        DriverError: there is no such domain, or the backend is out of a guest's reach.
        TransportError: nobody listens there.
    """
    with connected(address, timeout) as wire, ExitStack() as made:
        tracing = Tracing(wire)
        made.callback(tracing.close)
        for name in names:
            told, descriptors = _ask(wire, name)
            if len(descriptors) != 1:
                raise RemoteProtocolError(f"a trace with {len(descriptors)} descriptors")
            tracing.memories[told] = descriptors[0]
        wire.setblocking(False)  # noqa: FBT003 - its name
        yield tracing


def _ask(wire: socket.socket, name: str) -> tuple[str, list[int]]:
    try:
        payload, descriptors = ask(wire, link.Trace(name), f"tracing domain {name}" if name else "tracing this domain")
    except PermissionRefused:
        raise PermissionRefused(
            f"domain {name} is not this user's, and only an administrator may trace others: sudo paracore trace "
            f"--domain {name}; without --domain this user's own is traced"
        ) from None
    return link.TraceReply.unpack(payload).domain, descriptors
