# SPDX-License-Identifier: Apache-2.0
"""What is asked of a backend, or changed, mostly by an administrator: a question on its socket, no channel."""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from paracore._errors import ConfigError, RemoteProtocolError
from paracore.classes import core, link
from paracore.frontend._faults import departure, open_fault, wire_fault
from paracore.protocol import FAILURE, MESSAGE_MAX, PROTOCOL_VERSION, REQUEST, message, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paracore.classes._payload import Payload

__all__ = ["ask", "backend_status", "configure_backend", "connected"]

#: Octets of the account: more is not read, whatever the backend says.
_STATUS_MAX = 16 << 20


def backend_status(address: str | os.PathLike[str], *, timeout: float = 10.0) -> dict[str, Any]:
    """What the backend says of its devices, domains and sessions.

    Args:
        address: its Unix socket.
        timeout: seconds for each answer.

    Raises:
        PermissionRefused: the caller is neither root nor the backend's own user.
        TransportError: nobody listens there.
    """
    with connected(address, timeout) as wire:
        payload, descriptors = ask(wire, link.Status(), "asking for the backend's status")
        return _read(descriptors, link.StatusReply.unpack(payload).length)


def configure_backend(
    address: str | os.PathLike[str], changes: Mapping[str, Mapping[str, Mapping[str, Any]]], *, timeout: float = 10.0
) -> None:
    """Changes settings of a running backend: all of them, or none.

    Args:
        address: its Unix socket.
        changes: ``{"device": {name: {setting: value}}, "domain": {name: {setting: value}}}``. Of a device ``policy`` and
            ``slots``, of a domain ``weight``, ``priority``, ``device_time`` and ``device_burst``, see the configuration.
        timeout: seconds for each answer.

    Raises:
        ConfigError: which of them cannot be so, and why.
        PermissionRefused: the caller is neither root nor the backend's own user.
        TransportError: nobody listens there.
    """
    with connected(address, timeout) as wire:
        payload, _ = ask(wire, link.Configure(json.dumps(changes).encode()), "changing the backend's settings")
        if complaint := link.ConfigureReply.unpack(payload).text.decode(errors="replace"):
            option, _, hint = complaint.partition(": ")
            raise ConfigError(option, hint)


@contextmanager
def connected(address: str | os.PathLike[str], timeout: float) -> Iterator[socket.socket]:
    """A connection that has said hello."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as wire:
        wire.settimeout(timeout)
        try:
            wire.connect(os.fspath(address))
        except OSError as error:
            raise open_fault(-(error.errno or 0), os.fspath(address), 0) from error
        ask(wire, link.Hello(PROTOCOL_VERSION, PROTOCOL_VERSION), "saying hello to the backend")
        yield wire


def ask(wire: socket.socket, request: Payload, what: str) -> tuple[memoryview, list[int]]:
    """Makes one call of the link class."""
    try:
        wire.sendall(message(request.OPCODE, REQUEST, 0, 1, request.pack()))
        octets, descriptors, _, _ = socket.recv_fds(wire, MESSAGE_MAX, 1)
    except OSError as error:
        raise departure(link.Refusal.NONE) from error
    if not octets:
        raise departure(link.Refusal.NONE)
    header, payload = split(octets)
    if header.opcode == link.Goodbye.OPCODE:
        raise departure(link.Goodbye.unpack(payload).reason)
    if header.opcode != request.OPCODE or header.serial != 1:
        raise RemoteProtocolError(f"an answer {header.opcode:#06x} to the question {request.OPCODE:#06x}")
    if header.flags == FAILURE:
        failure = core.Failure.unpack(payload)
        raise wire_fault(failure.error, what, failure.limit, failure.allowed)
    return payload, descriptors


def _read(descriptors: list[int], length: int) -> dict[str, Any]:
    if len(descriptors) != 1 or length > _STATUS_MAX:
        raise RemoteProtocolError(f"a status of {length} octets with {len(descriptors)} descriptors")
    with os.fdopen(descriptors[0], "rb") as file:
        text = os.pread(file.fileno(), length, 0)
    try:
        status: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise RemoteProtocolError("a status that is no JSON") from error
    return status
