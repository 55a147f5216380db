# SPDX-License-Identifier: Apache-2.0
"""A xenstored without Xen: the same wire on Unix sockets, one socket for each domain.

::

    with FakeXenstored(folder) as xenstored:
        xenstored.introduce(3, "guest")
        store = Xenstore.connect(xenstored.address(3))   # is domain 3
        xenstored.release(3)                             # it has been destroyed

It serves from a thread of its own. It is held to the real one by ``check_xenstore``. Left out: what only
Xen's own tools ask for (control, introduce, release, set_target, resume).
"""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from paracore.testing._store_session import StoreSession
from paracore.testing._store_tree import Permission, StoreQuotas, StoreTree

if TYPE_CHECKING:
    from typing import Self

__all__ = ["FakeXenstored"]

_INTRODUCED = "@introduceDomain"
_RELEASED = "@releaseDomain"
_RETRY = 0.01
"""Seconds until somebody who did not read is tried again."""


class FakeXenstored:
    """The daemon. Its methods may be called from any thread."""

    def __init__(self, folder: str | os.PathLike[str], quotas: StoreQuotas | None = None) -> None:
        self.quotas = quotas or StoreQuotas()
        self.tree = StoreTree(self.quotas, self._changed)
        self.domains: set[int] = set()
        self.lock = threading.RLock()
        self._folder = Path(folder)
        self._listeners: dict[int, tuple[int, socket.socket]] = {}
        self._addresses: dict[int, str] = {}
        self._sessions: dict[int, StoreSession] = {}
        self._poll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll.register(self._wake, select.EPOLLIN)
        self._thread = threading.Thread(target=self._serve, name="xenstored", daemon=True)
        self.introduce(0, "Domain-0")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        for session in tuple(self._sessions.values()):
            self._end(session)
        for _domain, listener in self._listeners.values():
            listener.close()
        self._poll.close()
        os.close(self._wake)

    def address(self, domain: int = 0) -> str:
        """A socket; whoever connects to it is that domain."""
        with self.lock:
            if domain not in self._addresses:
                path = self._folder / f"xenstored-{domain}"
                listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                listener.bind(str(path))
                listener.listen()
                self._addresses[domain] = str(path)
                self._listeners[listener.fileno()] = (domain, listener)
                self._poll.register(listener.fileno(), select.EPOLLIN)
            return self._addresses[domain]

    def introduce(self, domain: int, name: str, uuid: str | None = None) -> None:
        """A domain has been made; its directory is as libxl makes it."""
        uuid = uuid or f"00000000-0000-0000-0000-{domain:012x}"
        path = f"/local/domain/{domain}"
        seen = (Permission("n", 0), Permission("r", domain))
        with self.lock:
            self._put(path, b"", seen)
            for node, value in {"name": name, "domid": str(domain), "vm": f"/vm/{uuid}", "device": ""}.items():
                self._put(f"{path}/{node}", value.encode(), seen)
            self._put(f"{path}/data", b"", (Permission("n", domain),))
            for node, value in {"uuid": uuid, "name": name}.items():
                self._put(f"/vm/{uuid}/{node}", value.encode(), seen)
            self.domains.add(domain)
            self._tell(_INTRODUCED)

    def release(self, domain: int) -> None:
        """A domain has died. Its connections end; its nodes stay until the toolstack removes them."""
        with self.lock:
            self.domains.discard(domain)
            for session in [each for each in self._sessions.values() if each.domain == domain]:
                self._end(session)
            self._tell(_RELEASED)

    def put(self, path: str, value: str) -> None:
        """Domain 0 writes a node, and those who watch it hear of that."""
        with self.lock:
            self.tree.write(0, path, value.encode())
            self._flush()

    def disconnect(self) -> None:
        """All connections end, as when the daemon does."""
        with self.lock:
            for session in tuple(self._sessions.values()):
                self._end(session)

    def _put(self, path: str, value: bytes, permissions: tuple[Permission, ...]) -> None:
        self.tree.write(0, path, value)
        self.tree.permit(0, path, permissions)

    def _changed(self, path: str, tree: StoreTree) -> None:
        for session in self._sessions.values():
            if tree.may_see(session.domain, path):
                session.changed(path)

    def _tell(self, special: str) -> None:
        for session in self._sessions.values():
            if session.domain == 0:
                session.changed(special)
        self._flush()

    def _serve(self) -> None:
        sent = True
        while True:
            ready = [number for number, _ in self._poll.poll(-1 if sent else _RETRY)]
            if self._wake in ready:
                return
            with self.lock:
                for number in ready:
                    self._turn(number)
                sent = self._flush()

    def _turn(self, number: int) -> None:
        if number in self._listeners:
            domain, listener = self._listeners[number]
            sock, _ = listener.accept()
            self._sessions[sock.fileno()] = StoreSession(self, sock, domain)
            self._poll.register(sock.fileno(), select.EPOLLIN)
        elif (session := self._sessions.get(number)) is not None and not session.receive():
            self._end(session)

    def _flush(self) -> bool:
        """Sends what waits; False when somebody does not read."""
        left = [session for session in self._sessions.values() if not session.flush()]
        return not left

    def _end(self, session: StoreSession) -> None:
        session.flush()
        self._sessions.pop(session.sock.fileno(), None)
        with suppress(OSError):
            self._poll.unregister(session.sock.fileno())
        session.sock.close()
