# SPDX-License-Identifier: Apache-2.0
"""One connection of the fake xenstored: takes requests, answers them, tells of what is watched."""

from __future__ import annotations

import errno
import itertools
import os
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from paracore._errors import RemoteProtocolError
from paracore.testing._store_tree import Permission, StoreQuotas, StoreTransaction, StoreTree, resolved
from paracore.transport.xen._store_wire import STORE_PAYLOAD_MAX, StoreMessage, StoreType, joined, shown, strings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["StoreHost", "StoreSession"]

_CHUNK: Final = 1 << 16
_OK: Final = b"OK\0"


class StoreHost(Protocol):
    """What a connection needs of the daemon."""

    tree: StoreTree
    quotas: StoreQuotas
    domains: set[int]


class StoreSession:
    """See above. Nothing here waits."""

    def __init__(self, host: StoreHost, sock: socket.socket, domain: int) -> None:
        sock.settimeout(0)
        self.sock, self.domain = sock, domain
        self._host = host
        self._in, self._out = bytearray(), bytearray()
        self._watches: dict[tuple[str, str], str] = {}
        self._transactions: dict[int, StoreTransaction] = {}
        self._numbers = itertools.count(1)

    def receive(self) -> bool:
        """Takes what has come; False at the end, or when it is none of the wire."""
        try:
            octets = self.sock.recv(_CHUNK)
            self._in += octets
            for message in StoreMessage.take(self._in):
                self._serve(message)
        except BlockingIOError:
            return True
        except (OSError, RemoteProtocolError):
            return False
        return bool(octets)

    def flush(self) -> bool:
        """Sends what waits; False when some of it still does."""
        try:
            while self._out:
                del self._out[: self.sock.send(self._out)]
        except BlockingIOError:
            return False
        except OSError:
            self._out.clear()  # it is over, as the next receive will find
        return True

    def changed(self, path: str) -> None:
        """Tells of a node that is watched, or is below one that is."""
        for (watched, token), absolute in self._watches.items():
            if path == absolute or path.startswith(f"{absolute.rstrip('/')}/"):
                told = path if watched == absolute else path.removeprefix(absolute.removesuffix(watched))
                self._say(StoreType.WATCH_EVENT, joined(told, token))

    def _serve(self, message: StoreMessage) -> None:
        try:
            kind = StoreType(message.type)
            answer = self._ANSWERS[kind](self, message)
        except (KeyError, ValueError):
            self._say(StoreType.ERROR, joined("ENOSYS"), message)
        except OSError as error:
            self._say(StoreType.ERROR, joined(errno.errorcode[error.errno or errno.EIO]), message)
        else:
            self._say(kind, answer, message)
            if kind is StoreType.WATCH:  # tells of itself, after it has been answered
                self._say(StoreType.WATCH_EVENT, joined(*strings(message.payload)))

    def _say(self, kind: StoreType, payload: bytes, to: StoreMessage | None = None) -> None:
        request, transaction = (to.request, to.transaction) if to else (0, 0)
        self._out += StoreMessage(kind, request, transaction, payload).pack()

    # --- requests ---------------------------------------------------------------------------------

    def _read(self, message: StoreMessage) -> bytes:
        return self._view(message).read(self.domain, self._path(message))

    def _list(self, message: StoreMessage) -> bytes:
        names = joined(*self._view(message).list(self.domain, self._path(message)))
        if len(names) > STORE_PAYLOAD_MAX:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        return names

    def _list_part(self, message: StoreMessage) -> bytes:
        path, offset = self._path(message), int(strings(message.payload)[1])
        names = joined(*self._view(message).list(self.domain, path)) + b"\0"
        generation = joined(str(self._view(message).generation(path)))
        return generation + names[offset : offset + STORE_PAYLOAD_MAX - len(generation)]

    def _permissions(self, message: StoreMessage) -> bytes:
        return joined(*map(str, self._view(message).permissions(self.domain, self._path(message))))

    def _write(self, message: StoreMessage) -> bytes:
        path, value = self._path(message), message.payload.partition(b"\0")[2]
        return self._change(message, lambda tree: tree.write(self.domain, path, value))

    def _make(self, message: StoreMessage) -> bytes:
        path = self._path(message)
        return self._change(message, lambda tree: tree.write(self.domain, path, None))

    def _remove(self, message: StoreMessage) -> bytes:
        path = self._path(message)
        return self._change(message, lambda tree: tree.remove(self.domain, path))

    def _permit(self, message: StoreMessage) -> bytes:
        path, permissions = self._path(message), tuple(map(Permission.parse, strings(message.payload)[1:]))
        if not permissions:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return self._change(message, lambda tree: tree.permit(self.domain, path, permissions))

    def _watch(self, message: StoreMessage) -> bytes:
        path, token = strings(message.payload)
        absolute = path if path.startswith("@") else resolved(path, self.domain)
        if (path, token) in self._watches:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        if self.domain and len(self._watches) >= self._host.quotas.watches:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        self._watches[path, token] = absolute
        return _OK

    def _unwatch(self, message: StoreMessage) -> bytes:
        path, token = strings(message.payload)
        if self._watches.pop((path, token), None) is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return _OK

    def _begin(self, _: StoreMessage) -> bytes:
        if self.domain and len(self._transactions) >= self._host.quotas.transactions:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        number = next(self._numbers)
        self._transactions[number] = StoreTransaction(self._host.tree)
        return joined(str(number))

    def _finish(self, message: StoreMessage) -> bytes:
        transaction = self._transaction(message.transaction)
        del self._transactions[message.transaction]
        if strings(message.payload) == ["T"]:
            transaction.commit()
        return _OK

    def _domain_path(self, message: StoreMessage) -> bytes:
        return joined(f"/local/domain/{int(shown(message.payload).rstrip(chr(0)))}")

    def _introduced(self, message: StoreMessage) -> bytes:
        return joined("T" if int(shown(message.payload).rstrip("\0")) in self._host.domains else "F")

    # --- help ---------------------------------------------------------------------------------------

    def _path(self, message: StoreMessage) -> str:
        return resolved(shown(message.payload.partition(b"\0")[0]), self.domain)

    def _view(self, message: StoreMessage) -> StoreTree:
        return self._transaction(message.transaction).copy if message.transaction else self._host.tree

    def _transaction(self, number: int) -> StoreTransaction:
        if number not in self._transactions:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self._transactions[number]

    def _change(self, message: StoreMessage, step: Callable[[StoreTree], None]) -> bytes:
        if message.transaction:
            self._transaction(message.transaction).change(step)
        else:
            step(self._host.tree)
        return _OK

    _ANSWERS: ClassVar[dict[StoreType, Callable[[StoreSession, StoreMessage], bytes]]] = {
        StoreType.DIRECTORY: _list,
        StoreType.DIRECTORY_PART: _list_part,
        StoreType.READ: _read,
        StoreType.GET_PERMS: _permissions,
        StoreType.WATCH: _watch,
        StoreType.UNWATCH: _unwatch,
        StoreType.TRANSACTION_START: _begin,
        StoreType.TRANSACTION_END: _finish,
        StoreType.GET_DOMAIN_PATH: _domain_path,
        StoreType.WRITE: _write,
        StoreType.MKDIR: _make,
        StoreType.RM: _remove,
        StoreType.SET_PERMS: _permit,
        StoreType.IS_DOMAIN_INTRODUCED: _introduced,
    }
