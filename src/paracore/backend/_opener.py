# SPDX-License-Identifier: Apache-2.0
"""Opens the device files of one worker, which may open nothing: a small process beside it.

Only workers whose domain has a device with files have one. It is forked by the worker before that is
confined, with the table of the files; from then on it takes a number in that table and answers with a
descriptor or an error, and can do nothing else (``program``). It keeps the user that the backend was
started as, who may open the files, and ends with its worker. A domain which took its worker over could
open those files again and again, until its worker's own limit of descriptors is reached.

It is not the worker itself, behind a Landlock rule for these files: workers become a user who may not open
them, a rule is for the file there is now and not for the one after a replug, and without Landlock nothing
would be left to forbid any file. It is not the supervisor or the warm parent either: to open a
device can take as long as the device hangs, and only this domain shall wait then.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import struct
from typing import TYPE_CHECKING, Final

from paracore.backend import _syscalls

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Opener", "start"]

_NUMBER: Final = struct.Struct("<I")
"""A question is an index of the table, an answer is an error number, 0 with the descriptor."""
_ONE_DESCRIPTOR: Final = socket.CMSG_SPACE(_NUMBER.size)
_DESCRIPTORS_MAX: Final = 1 << 20


class Opener:
    """The worker's end."""

    def __init__(self, sock: socket.socket, nodes: Sequence[str]) -> None:
        self._socket = sock
        self._nodes = nodes

    def open(self, path: str) -> int:
        """Opens a file of the table, and waits for it.

        Raises:
            OSError: it could not be opened.
        """
        self._socket.sendmsg([_NUMBER.pack(self._nodes.index(path))])
        # Not socket.recv_fds, which forgets its flags (Python 3.11).
        answer, passed, *_ = self._socket.recvmsg(_NUMBER.size, _ONE_DESCRIPTOR, socket.MSG_CMSG_CLOEXEC)
        descriptors: list[int] = [_NUMBER.unpack(octets)[0] for _, _, octets in passed]
        code = _NUMBER.unpack(answer)[0] if answer else errno.EIO
        if code or not descriptors:
            code = code or errno.EMFILE
            raise OSError(code, os.strerror(code), path)
        return descriptors[0]


def start(nodes: Sequence[str], filter_: bytes) -> Opener:
    """Forks it off. The caller has one thread and is not confined yet."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.getpid()
    if os.fork() == 0:
        with contextlib.suppress(BaseException):
            _shed(theirs.fileno())
            _confine(filter_, parent)
            serve(theirs, nodes)
        os._exit(0)
    theirs.close()
    return Opener(ours, nodes)


def serve(sock: socket.socket, nodes: Sequence[str]) -> None:
    """The opener's whole life: until the worker's end of the socket has gone."""
    while question := sock.recvmsg(_NUMBER.size)[0]:
        index = _NUMBER.unpack(question)[0]
        try:
            descriptor = os.open(nodes[index], os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            sock.sendmsg([_NUMBER.pack(error.errno)])
            continue
        socket.send_fds(sock, [_NUMBER.pack(0)], [descriptor])
        os.close(descriptor)


def _shed(kept: int) -> None:
    """Leaves it its socket, and nothing of the worker's."""
    os.closerange(0, kept)
    os.closerange(kept + 1, _DESCRIPTORS_MAX)


def _confine(filter_: bytes, parent: int) -> None:
    _syscalls.process_name("paracore-opener")
    _syscalls.parent_death_signal(signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError("the worker has ended")
    _syscalls.no_new_privileges()
    if filter_:
        _syscalls.seccomp_load(filter_)
