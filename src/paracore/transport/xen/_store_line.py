# SPDX-License-Identifier: Apache-2.0
"""One connection to xenstored for asyncio: several requests on their way, and the events between.

xenstored serves a connection's requests in their order, so that on its socket many of them cost one trip. The
kernel's device takes one at a time: it sends from the one buffer that the next write goes into. Answers carry
the request's number; only what the device itself answers, watches, carries none. A request whose caller has
gone keeps its place until it has been answered.

xenstored is trusted as Xen is. What it says is checked for shape all the same.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore._errors import RemoteProtocolError, TransportBroken, TransportClosed, XenStoreError
from paracore.transport.xen._store_wire import STORE_PAYLOAD_MAX, StoreMessage, StoreType, error_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore._errors import TransportError

__all__ = ["StoreLine", "store_address"]

ADDRESSES: Final = ("/run/xenstored/socket", "/var/run/xenstored/socket", "/dev/xen/xenbus", "/proc/xen/xenbus")
"""The daemon's socket in its own domain, then the kernel's device in any."""
_CHUNK: Final = 1 << 16
_ASKED_MAX: Final = 16
"""Requests on their way on a socket. Below what xenstored lets a domain have before it stops listening to it (20)."""
_NUMBERS: Final = 1 << 32
_UNNUMBERED: Final = frozenset({StoreType.WATCH, StoreType.UNWATCH})
_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EIO})


class _Request(NamedTuple):
    number: int
    kind: StoreType
    octets: bytes
    about: str
    answer: asyncio.Future[bytes]


def store_address() -> str:
    """Where xenstored is: ``XENSTORED_PATH``, which all of Xen's tools know, or where it usually is.

    Raises:
        XenStoreError: it is nowhere; ENOENT.
    """
    if named := os.environ.get("XENSTORED_PATH"):
        return named
    for address in ADDRESSES:
        if os.path.exists(address):  # noqa: PTH110 - as text, to be opened as text
            return address
    raise XenStoreError(
        errno.ENOENT, "there is no xenstore: not in a Xen domain, or modprobe xenfs xen-evtchn is missing"
    )


class StoreLine:
    """See above. ``event`` is called with the payload of each watch event, ``lost`` once at the end."""

    def __init__(self, address: str, event: Callable[[bytes], None], lost: Callable[[TransportError], None]) -> None:
        self._event, self._lost = event, lost
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Request] = deque()
        self._asked: dict[int, _Request] = {}
        self._numbers = 0
        self._out = bytearray()
        self._in = bytearray()
        self._end: TransportError | None = None
        self._descriptor, self._asked_max = _open(address)
        self._loop.add_reader(self._descriptor, self._readable)

    def request(self, kind: StoreType, payload: bytes, about: str, transaction: int = 0) -> asyncio.Future[bytes]:
        """Sends a request when its turn comes; the answer's payload, or ``XenStoreError`` about what is named."""
        answer: asyncio.Future[bytes] = self._loop.create_future()
        if self._end is not None:
            _settle(answer, self._end)
        elif len(payload) > STORE_PAYLOAD_MAX:
            answer.set_exception(_failure(errno.E2BIG, about))
        else:
            self._numbers = self._numbers % (_NUMBERS - 1) + 1
            octets = StoreMessage(kind, self._numbers, transaction, payload).pack()
            self._waiting.append(_Request(self._numbers, kind, octets, about, answer))
            self._next()
        return answer

    def close(self) -> None:
        """Ends the connection; xenstored drops its watches and transactions."""
        self._finish(TransportClosed("the connection to xenstore has been closed"))

    def _next(self) -> None:
        """Sends what waits and may be sent."""
        while self._waiting and len(self._asked) < self._asked_max and not self._out and self._end is None:
            asked = self._waiting.popleft()
            if not asked.answer.done():  # else its caller has gone before it was sent
                self._asked[asked.number] = asked
                self._out += asked.octets
                self._write(asked)

    def _write(self, asked: _Request) -> None:
        try:
            while self._out:
                del self._out[: os.write(self._descriptor, self._out)]
        except BlockingIOError:
            self._loop.add_writer(self._descriptor, self._writable, asked)
        except OSError as error:
            self._refused(asked, error)

    def _writable(self, asked: _Request) -> None:
        self._loop.remove_writer(self._descriptor)
        self._write(asked)
        self._next()

    def _refused(self, asked: _Request, error: OSError) -> None:
        """The kernel's device refuses some requests when they are written."""
        if error.errno in _GONE:
            self._finish(_broken(error))
            return
        self._out.clear()
        self._asked.pop(asked.number, None)
        _settle(asked.answer, _failure(error.errno or errno.EIO, asked.about))

    def _readable(self) -> None:
        try:
            octets = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._finish(_broken(error))
            return
        self._in += octets
        if not octets:
            self._finish(_broken(None))
            return
        try:
            for message in StoreMessage.take(self._in):
                self._received(message)
        except RemoteProtocolError as error:
            self._finish(_broken(error))

    def _received(self, message: StoreMessage) -> None:
        if message.type == StoreType.WATCH_EVENT:
            self._event(message.payload)
            return
        asked = self._asked.pop(message.request, None) or self._unnumbered(message)
        if message.type == StoreType.ERROR:
            _settle(asked.answer, _failure(error_code(message.payload), asked.about))
        elif message.type == asked.kind:
            _settle(asked.answer, message.payload)
        else:
            _settle(asked.answer, _broken(None))
            raise RemoteProtocolError(f"xenstore answers {asked.kind.name} with {message.type}")
        self._next()

    def _unnumbered(self, message: StoreMessage) -> _Request:
        oldest = next((each for each in self._asked.values() if each.kind in _UNNUMBERED), None)
        if message.request or oldest is None:
            raise RemoteProtocolError("an answer of xenstore that nobody asked for")
        return self._asked.pop(oldest.number)

    def _finish(self, end: TransportError) -> None:
        if self._end is not None:
            return
        self._end = end
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        os.close(self._descriptor)
        for request in (*self._asked.values(), *self._waiting):
            _settle(request.answer, end)
        self._asked.clear()
        self._waiting.clear()
        self._lost(end)


def _settle(answer: asyncio.Future[bytes], outcome: bytes | TransportError) -> None:
    if answer.done():
        return
    if isinstance(outcome, bytes):
        answer.set_result(outcome)
    else:
        answer.set_exception(outcome)
        answer.exception()  # whoever sent it and did not wait does not want to hear of it either


def _failure(code: int, about: str) -> XenStoreError:
    return XenStoreError(code, os.strerror(code), about)


def _broken(cause: BaseException | None) -> TransportBroken:
    broken = TransportBroken("the connection to xenstore has broken")
    broken.__cause__ = cause
    return broken


def _open(address: str) -> tuple[int, int]:
    """The descriptor, and how many requests may be on their way."""
    try:
        if stat.S_ISSOCK(os.stat(address).st_mode):  # noqa: PTH116 - as text
            return _connect(address), _ASKED_MAX
        return os.open(address, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC), 1
    except OSError as error:
        raise XenStoreError(error.errno, error.strerror, address) from error


def _connect(address: str) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(address)
        sock.settimeout(0)
        return sock.detach()
