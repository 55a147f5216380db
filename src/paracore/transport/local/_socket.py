# SPDX-License-Identifier: Apache-2.0
"""The Unix socket where processes ask for channels, and who they are.

A lock file beside the socket says whether somebody serves it; the kernel drops the lock with the process,
so that whatever a killed server left behind is replaced without a clean-up, and a living one is never.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from paracore._errors import TransportError
from paracore.transport._handover import ListenerState
from paracore.transport._transport import Peer

__all__ = ["Credentials", "UnixSocket", "credentials_of", "peer_of"]

_BACKLOG = 256
_SO_PEERGROUPS = 59
_CREDENTIALS = struct.Struct("3i")
_GROUPS_MAX = 256
"""Supplementary groups that are looked at; a peer with more is known by its user and first group only."""


class UnixSocket:
    """A listening SOCK_SEQPACKET socket that nobody else serves. Nothing here waits."""

    def __init__(self, address: str, mode: int, group: int = -1) -> None:
        self._address = Path(address)
        self._lock = _lock(self._address)
        try:
            self._socket = _bind(self._address, mode, group)
        except OSError as error:
            os.close(self._lock)
            raise TransportError(f"{address}: {error.strerror}") from error

    @classmethod
    def adopted(cls, state: ListenerState) -> UnixSocket:
        """The same one in the next program image."""
        made = cls.__new__(cls)
        made._address = Path(state.address)  # noqa: SLF001 - its own
        made._lock = state.lock  # noqa: SLF001
        made._socket = socket.socket(fileno=state.descriptor)  # noqa: SLF001
        made._socket.settimeout(0)  # noqa: SLF001
        return made

    def hand_over(self) -> ListenerState:
        """What ``adopted`` needs."""
        return ListenerState(str(self._address), self._socket.fileno(), self._lock)

    def fileno(self) -> int:
        """Polls readable when somebody has arrived."""
        return self._socket.fileno()

    def accept(self) -> socket.socket | None:
        """The next arrival, None when there is none now; ``OSError`` when the host has no descriptor left."""
        try:
            sock, _ = self._socket.accept()
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.ECONNABORTED:
                return None
            raise
        return sock

    def close(self) -> None:
        """Stops serving. The lock file stays: removing it would let two servers lock two files."""
        self._address.unlink(missing_ok=True)
        self._socket.close()
        os.close(self._lock)


class Credentials(NamedTuple):
    """A peer as the kernel knew it when it connected."""

    process: int
    user: int
    group: int


def credentials_of(sock: socket.socket) -> Credentials:
    """Who connected."""
    octets = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Credentials(*_CREDENTIALS.unpack(octets))


def peer_of(sock: socket.socket) -> Peer:
    """Who connected, as policy knows it."""
    pid, uid, gid = credentials_of(sock)
    groups = dict.fromkeys([gid, *_supplementary(sock)])
    return Peer(
        identities=(f"uid:{uid}", *(f"gid:{group}" for group in groups)),
        administrator=uid in (0, os.geteuid()),
        text=f"pid {pid} uid {uid} gid {gid}",
    )


def _supplementary(sock: socket.socket) -> tuple[int, ...]:
    try:
        octets = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _GROUPS_MAX)
    except OSError:
        return ()
    return struct.unpack(f"{len(octets) // 4}I", octets)


def _lock(address: Path) -> int:
    path = Path(f"{address}.lock")
    try:
        path.parent.mkdir(mode=0o755, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise TransportError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise TransportError(f"{address} is served by another backend") from error
    return lock


def _bind(address: Path, mode: int, group: int) -> socket.socket:
    """Binds where nobody serves. Until it listens, whoever knocks is told that nobody does."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(0)
    try:
        _unlink_socket(address)
        sock.bind(str(address))
        os.chown(address, -1, group)
        address.chmod(mode)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _unlink_socket(path: Path) -> None:
    """Removes what a killed backend left; a file that is no socket is somebody else's and stays."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "is a file, not a socket", str(path))
        path.unlink()
