# SPDX-License-Identifier: Apache-2.0
"""The host's end of the agents: a command in a domain looks like a process."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from testbed._errors import CommandTimeout, DomainLost, TestbedError
from testbed.domain.agent import Kind, read_frame, send_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Process", "Result"]

_PIECE = 65536


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it wrote.

    Attributes:
        status: exit status; negative is the number of the signal that ended it.
    """

    domain: str
    command: tuple[str, ...]
    status: int
    octets: bytes
    errors: bytes

    @property
    def output(self) -> str:
        """What it wrote, as text."""
        return self.octets.decode(errors="replace")

    def check(self) -> Result:
        """Returns itself; raises when the command failed."""
        if self.status:
            said = self.output + self.errors.decode(errors="replace")
            raise TestbedError(f"in {self.domain}: {' '.join(self.command)} ended with status {self.status}:\n{said}")
        return self


class Process:
    """A command that runs in a domain. It ends when this is closed."""

    def __init__(
        self,
        port: int,
        token: str,
        domain: str,
        command: Sequence[str],
        *,
        directory: str | None = None,
        environment: Mapping[str, str] | None = None,
        patience: float = 30,
        terminal: tuple[int, int] | None = None,
        receive: Callable[[Kind, bytes], None] | None = None,
    ) -> None:
        self.domain = domain
        self.command = tuple(command)
        self._octets = {Kind.OUTPUT: bytearray(), Kind.ERRORS: bytearray()}
        self._receive = receive or self._keep
        self._status: int | None = None
        self._refusal = ""
        self._changed = threading.Condition()
        request: dict[str, Any] = {
            "token": token,
            "command": list(command),
            "directory": directory,
            "environment": dict(environment or {}),
            "patience": patience,
            "terminal": terminal,
        }
        if domain != "dom0":
            request["domain"] = domain
        try:
            self._connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError as error:
            raise DomainLost(f"the board does not answer: {error}") from None
        self._connection.settimeout(None)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ended = threading.Event()
        with contextlib.suppress(OSError):
            self._connection.sendall(json.dumps(request).encode() + b"\n")
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self, kind: Kind, octets: bytes) -> None:
        with self._changed:
            self._octets[kind] += octets
            self._changed.notify_all()

    def _read(self) -> None:
        """In a thread of its own: all that the domain says."""
        try:
            with self._connection.makefile("rb") as stream:
                while frame := read_frame(stream):
                    self._take(*frame)
        except OSError:
            pass  # the end, as any other
        finally:
            self._ended.set()
            with self._changed:
                self._changed.notify_all()

    def _take(self, kind: Kind, octets: bytes) -> None:
        if kind is Kind.STATUS:
            self._status = struct.unpack("<i", octets)[0]
        elif kind is Kind.REFUSED:
            self._refusal = octets.decode(errors="replace")
        else:
            self._receive(kind, octets)

    def write(self, octets: bytes) -> None:
        """To the command's input."""
        for start in range(0, len(octets), _PIECE):
            self._send(Kind.INPUT, octets[start : start + _PIECE])

    def end_input(self) -> None:
        """The command reads to the end of its input."""
        self._send(Kind.INPUT, b"")

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """To all processes of the command."""
        self._send(Kind.SIGNAL, bytes([number]))

    def _send(self, kind: Kind, octets: bytes) -> None:
        with contextlib.suppress(OSError):  # the reader sees the end, too
            send_frame(self._connection, kind, octets)

    def is_running(self) -> bool:
        """Says whether it has not ended yet."""
        return not self._ended.is_set()

    def wait_output(self, text: str, timeout: float = 60) -> str:
        """Waits until the command has written a text, to either output; returns all that it wrote."""
        wanted = text.encode()
        with self._changed:
            found = self._changed.wait_for(lambda: self._said(wanted) or not self.is_running(), timeout)
            said = b"".join(self._octets.values()).decode(errors="replace")
        if not found or text not in said:
            raise CommandTimeout(f"in {self.domain}: {' '.join(self.command)} did not say {text!r} but:\n{said}")
        return said

    def _said(self, wanted: bytes) -> bool:
        return any(wanted in octets for octets in self._octets.values())

    def wait(self, timeout: float | None = None) -> Result:
        """Waits for its end; a command that is still running then is ended, which raises."""
        if not self._ended.wait(timeout):
            self.close()
            said = self._octets[Kind.OUTPUT] + self._octets[Kind.ERRORS]
            raise CommandTimeout(
                f"in {self.domain}: {' '.join(self.command)} ran longer than {timeout} s and was ended; it said:\n"
                f"{said.decode(errors='replace')}"
            )
        self.close()
        if self._refusal:
            raise TestbedError(f"in {self.domain}: {' '.join(self.command)}: {self._refusal}")
        if self._status is None:
            raise DomainLost(f"{self.domain} went away under {' '.join(self.command)}")
        output, errors = bytes(self._octets[Kind.OUTPUT]), bytes(self._octets[Kind.ERRORS])
        return Result(self.domain, self.command, self._status, output, errors)

    def close(self) -> None:
        """Ends the command, if it still runs."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
