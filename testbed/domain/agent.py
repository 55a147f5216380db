# SPDX-License-Identifier: Apache-2.0
"""Runs commands in a domain for the host; one TCP connection each.

A connection opens with one line of JSON, the request; after it, frames go both ways: a kind, a length and that many
octets. The agent of dom0 wants the board's token, and hands on what is for a guest. A command ends with its connection.
The standard library only, and little of it: this is started in every domain, on an emulated processor.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import socket
import socketserver
import struct
import subprocess
import termios
import threading
import time
from enum import IntEnum
from pathlib import Path
from typing import IO, Any

__all__ = ["PORT", "Kind", "read_frame", "send_frame"]

PORT = 7000

_FRAME = struct.Struct("<BI")
_GUESTS = Path("/run/testbed/guests")
_TOKEN = Path("/etc/testbed-token")
_PIECE = 65536
_LINGER = 1.0  # for output of children that a command has left behind
_TRY, _PAUSE = 2.0, 0.3  # while a guest boots it is not to be kept from it


class Kind(IntEnum):
    """What a frame carries."""

    INPUT = 0  # host to domain; empty: the end of it
    SIGNAL = 1  # host to domain: its number, for all processes of the command
    OUTPUT = 2
    ERRORS = 3
    STATUS = 4  # the last frame: exit status as an i32, negative for a signal
    REFUSED = 5  # the last frame: why the command could not be started


def read_frame(stream: IO[bytes]) -> tuple[Kind, bytes] | None:
    """The next frame, or None at the end of the connection."""
    head = stream.read(_FRAME.size)
    if len(head) < _FRAME.size:
        return None
    kind, length = _FRAME.unpack(head)
    octets = stream.read(length)
    return (Kind(kind), octets) if len(octets) == length else None


def send_frame(connection: socket.socket, kind: Kind, octets: bytes) -> None:
    """Sends one frame whole."""
    connection.sendall(_FRAME.pack(kind, len(octets)) + octets)


class Command:
    """One command and its connection."""

    def __init__(self, connection: socket.socket, stream: IO[bytes], request: dict[str, Any]) -> None:
        self._connection = connection
        self._stream = stream
        self._lock = threading.Lock()
        self._process, self._input, self._outputs = self._start(request)

    def _start(self, request: dict[str, Any]) -> tuple[subprocess.Popen[bytes], IO[bytes], dict[IO[bytes], Kind]]:
        """The process, its input, its outputs."""
        options: dict[str, Any] = {
            "bufsize": 0,
            "cwd": request.get("directory") or "/root",
            "env": {**os.environ, **request.get("environment", {})},
            "start_new_session": True,
        }
        if request.get("terminal"):
            return self._start_on_terminal(request["command"], request["terminal"], options)
        pipe = subprocess.PIPE
        process = subprocess.Popen(request["command"], stdin=pipe, stdout=pipe, stderr=pipe, **options)
        assert process.stdin
        assert process.stdout
        assert process.stderr
        return process, process.stdin, {process.stdout: Kind.OUTPUT, process.stderr: Kind.ERRORS}

    def _start_on_terminal(
        self, command: list[str], size: tuple[int, int], options: dict[str, Any]
    ) -> tuple[subprocess.Popen[bytes], IO[bytes], dict[IO[bytes], Kind]]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("<4H", *size, 0, 0))
        process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one system call
            **options,
        )
        os.close(theirs)
        keys = os.fdopen(os.dup(ours), "wb", buffering=0)
        return process, keys, {os.fdopen(ours, "rb", buffering=0): Kind.OUTPUT}

    def serve(self) -> None:
        """Until the command has ended, or the host has gone."""
        pumps = [threading.Thread(target=self._pump, args=item, daemon=True) for item in self._outputs.items()]
        for pump in pumps:
            pump.start()
        threading.Thread(target=self._wait, args=(pumps,), daemon=True).start()
        try:
            while frame := read_frame(self._stream):
                self._obey(*frame)
        finally:
            self._input.close()
            self._kill(signal.SIGKILL)

    def _obey(self, kind: Kind, octets: bytes) -> None:
        if kind is Kind.SIGNAL:
            self._kill(signal.Signals(octets[0]))
        elif octets:
            self._write(octets)
        else:
            self._input.close()

    def _write(self, octets: bytes) -> None:
        """To the command's input; one that no longer reads is left alone."""
        with contextlib.suppress(OSError, ValueError):
            while octets:
                octets = octets[self._input.write(octets) :]

    def _pump(self, output: IO[bytes], kind: Kind) -> None:
        with output, contextlib.suppress(OSError):  # a terminal without a process says so
            while octets := output.read(_PIECE):
                self._send(kind, octets)

    def _wait(self, pumps: list[threading.Thread]) -> None:
        status = self._process.wait()
        deadline = time.monotonic() + _LINGER
        for pump in pumps:
            pump.join(max(0.0, deadline - time.monotonic()))
        self._send(Kind.STATUS, struct.pack("<i", status))
        with contextlib.suppress(OSError):  # the host may have gone
            self._connection.shutdown(socket.SHUT_RDWR)

    def _send(self, kind: Kind, octets: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            send_frame(self._connection, kind, octets)

    def _kill(self, number: signal.Signals) -> None:
        """All processes of the command's session, while it has a leader."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


class Relay:
    """Hands a connection on to a guest's agent, as long as there is that guest."""

    def __init__(self, host: socket.socket, name: str) -> None:
        self._host = host
        self._name = name
        self._interface = Path("/sys/class/net", name, "ifindex")

    def serve(self, request: dict[str, Any]) -> None:
        """Until either side closes, or the guest has gone."""
        present = self._index()
        guest = self._connect(present, time.monotonic() + request.get("patience", 30))
        guest.sendall(json.dumps(request).encode() + b"\n")
        with guest:
            other = {guest: self._host, self._host: guest}
            while self._is_there(present):
                for readable in select.select(list(other), [], [], 0.25)[0]:
                    octets = readable.recv(_PIECE)
                    if not octets:
                        return
                    other[readable].sendall(octets)

    def _index(self) -> str:
        try:
            return self._interface.read_text(encoding="ascii")
        except OSError:
            raise RuntimeError(f"there is no guest {self._name}") from None

    def _is_there(self, present: str) -> bool:
        """Whether it is still the guest that it was."""
        try:
            return self._index() == present
        except RuntimeError:
            return False

    def _connect(self, present: str, deadline: float) -> socket.socket:
        """Tries again while the guest boots."""
        address = ((_GUESTS / self._name).read_text(encoding="ascii").strip(), PORT)
        while self._is_there(present):
            connection = socket.socket()
            connection.settimeout(_TRY)
            try:
                connection.connect(address)
            except OSError as error:
                connection.close()
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the agent of {self._name} does not answer: {error}") from None
                time.sleep(_PAUSE)
            else:
                connection.settimeout(None)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
        raise RuntimeError(f"{self._name} went away")


class Handler(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Reads the request, and does it here or in a guest."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = json.loads(self._line())
        if _TOKEN.exists() and request.pop("token", None) != _TOKEN.read_text(encoding="ascii"):
            return
        name = request.pop("domain", None)
        try:
            if name:
                Relay(self.request, name).serve(request)
            else:
                with self.request.makefile("rb") as stream:
                    Command(self.request, stream, request).serve()
        except (OSError, RuntimeError, ValueError) as error:
            send_frame(self.request, Kind.REFUSED, str(error).encode())

    def _line(self) -> bytes:
        """The first line, and not an octet of what follows it."""
        line = b""
        while not line.endswith(b"\n"):
            there = self.request.recv(_PIECE, socket.MSG_PEEK)
            if not there:
                return b"{}"
            line += self.request.recv(there.find(b"\n") + 1 or len(there))
        return line


class Server(socketserver.ThreadingTCPServer):
    """Waits for the host."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


def main() -> None:
    """Serves until the domain ends."""
    with Server(("", PORT), Handler) as server:
        server.serve_forever(poll_interval=3600)


if __name__ == "__main__":
    main()
