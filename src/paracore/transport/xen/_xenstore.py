# SPDX-License-Identifier: Apache-2.0
"""Xenstore for asyncio: nodes, transactions, watches, over xenstored's socket or the kernel's device.

::

    async with Xenstore.connect() as store:
        async with store.transaction() as nodes:
            await nodes.write("device/paracore/0/state", "1")
        watch = await store.watch("device/paracore")
        async for path in watch:
            ...

Requests are served in the order in which they are made, so that ``asyncio.gather`` of several keeps their order and
costs one trip where xenstored itself is spoken to. A relative path is the own domain's. Failures are
``XenStoreError`` with the errno that xenstore gave and the path. A node that is missing reads as None and lists as
nothing: it may go at any time, so that is no failure.
"""

from __future__ import annotations

import asyncio
import errno
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from paracore._errors import RemoteProtocolError, XenStoreError
from paracore.transport.xen._store_line import StoreLine, store_address
from paracore.transport.xen._store_watch import Watch
from paracore.transport.xen._store_wire import StoreType, joined, shown, strings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from typing import Self

    from paracore._errors import TransportError

__all__ = ["Conflict", "StoreNodes", "Transaction", "Watch", "Xenstore"]


class Conflict(XenStoreError):  # noqa: N818 - Xen's word
    """Somebody else has changed what the transaction looked at; nothing of it was done, and it may be tried again."""


class StoreNodes:
    """Nodes, as one transaction or as everybody sees them."""

    def __init__(self, line: StoreLine, transaction: int) -> None:
        self._line, self._number = line, transaction

    async def read(self, path: str) -> str | None:
        """A node's value, None when there is no such node. What is not UTF-8 is escaped."""
        try:
            return shown(await self._ask(StoreType.READ, path))
        except XenStoreError as error:
            if error.errno != errno.ENOENT:
                raise
            return None

    async def read_all(self, path: str, names: Iterable[str]) -> dict[str, str | None]:
        """The values of some of a directory's nodes, together."""
        wanted = tuple(names)
        values = await asyncio.gather(*(self.read(f"{path}/{name}") for name in wanted))
        return dict(zip(wanted, values, strict=True))

    async def write(self, path: str, value: str) -> None:
        """Writes a node; makes it and what is above it, owned by the writer, when it is not there."""
        await self._ask(StoreType.WRITE, path, value.encode())

    async def write_all(self, path: str, values: dict[str, str]) -> None:
        """Writes some of a directory's nodes, in their order and together."""
        await asyncio.gather(*(self.write(f"{path}/{name}", value) for name, value in values.items()))

    async def make(self, path: str) -> None:
        """Makes an empty node unless there is one."""
        await self._ask(StoreType.MKDIR, path)

    async def list(self, path: str) -> list[str]:
        """The names below a node; none when there is no such node."""
        try:
            return strings(await self._ask(StoreType.DIRECTORY, path))
        except XenStoreError as error:
            if error.errno == errno.E2BIG:
                return await _list_by_parts(self._ask, path)
            if error.errno != errno.ENOENT:
                raise
            return []

    async def remove(self, path: str) -> None:
        """Removes a node and all below it, if it is there."""
        try:
            await self._ask(StoreType.RM, path)
        except XenStoreError as error:
            if error.errno != errno.ENOENT:
                raise

    async def permit(self, path: str, owner: int, *, read: Iterable[int] = (), write: Iterable[int] = ()) -> None:
        """Gives a node to a domain, and lets others read it, or read and write it; nobody else but the privileged."""
        others = [*(f"r{domain}" for domain in read), *(f"b{domain}" for domain in write)]
        await self._ask(StoreType.SET_PERMS, path, joined(f"n{owner}", *others))

    async def permissions(self, path: str) -> tuple[str, ...]:
        """A node's permissions as Xen writes them: the owner first, with what all others may."""
        return tuple(strings(await self._ask(StoreType.GET_PERMS, path)))

    async def _ask(self, kind: StoreType, path: str, payload: bytes = b"") -> bytes:
        if "\0" in path:
            raise XenStoreError(errno.EINVAL, "a path has no zero in it", path)
        return await self._line.request(kind, joined(path) + payload, path, self._number)


class Transaction(StoreNodes):
    """Nodes as they were when it began, and as it changes them."""

    async def commit(self) -> None:
        """Ends it; ``Conflict`` when somebody else was quicker."""
        try:
            await self._line.request(StoreType.TRANSACTION_END, joined("T"), "transaction", self._number)
        except XenStoreError as error:
            if error.errno == errno.EAGAIN:
                raise Conflict(error.errno, error.strerror) from error
            raise

    def abort(self) -> None:
        """Ends it with nothing done; does not wait."""
        self._line.request(StoreType.TRANSACTION_END, joined("F"), "transaction", self._number)


class Xenstore(StoreNodes):
    """A connection."""

    def __init__(self, address: str) -> None:
        super().__init__(StoreLine(address, self._event, self._lost), 0)
        self._watches: dict[str, Watch] = {}
        self._tokens = 0

    @classmethod
    def connect(cls, address: str | None = None) -> Self:
        """Connects within a running event loop; without an address as ``store_address`` says.

        Raises:
            XenStoreError: there is none (ENOENT), or it is not for this user (EACCES).
        """
        return cls(address or store_address())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection with all its watches."""
        self._line.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """All or nothing: committed at the end of the block, aborted when it raises.

        Raises:
            Conflict: somebody else has changed what it looked at.
        """
        transaction = Transaction(self._line, await self._begin())
        try:
            yield transaction
        except BaseException:
            transaction.abort()
            raise
        await transaction.commit()

    async def _begin(self) -> int:
        begun = self._line.request(StoreType.TRANSACTION_START, joined(""), "transaction")
        try:
            return _number(await asyncio.shield(begun))
        except asyncio.CancelledError:
            begun.add_done_callback(self._ended)
            raise

    def _ended(self, begun: asyncio.Future[bytes]) -> None:
        """Whoever wanted the transaction had gone before it began."""
        if begun.exception() is None:
            Transaction(self._line, _number(begun.result())).abort()

    async def watch(self, path: str) -> Watch:
        """Watches a node and all below it; ``@introduceDomain`` and ``@releaseDomain`` too. Says so once at first."""
        self._tokens += 1
        token = str(self._tokens)
        watch = self._watches[token] = Watch(path, lambda: self._unwatch(path, token))
        try:
            await self._line.request(StoreType.WATCH, joined(path, token), path)
        except BaseException:
            watch.close()
            raise
        return watch

    async def domain_path(self, domain: int) -> str:
        """A domain's directory."""
        answer = await self._line.request(StoreType.GET_DOMAIN_PATH, joined(str(domain)), f"domain {domain}")
        return strings(answer)[0]

    async def introduced(self, domain: int) -> bool:
        """Whether there is such a domain; not any more from ``@releaseDomain`` on, whatever nodes it has left."""
        answer = await self._line.request(StoreType.IS_DOMAIN_INTRODUCED, joined(str(domain)), f"domain {domain}")
        return strings(answer) == ["T"]

    def _unwatch(self, path: str, token: str) -> None:
        if self._watches.pop(token, None) is not None:
            self._line.request(StoreType.UNWATCH, joined(path, token), path)

    def _event(self, payload: bytes) -> None:
        path, token, *_ = [*strings(payload), "", ""]
        if (watch := self._watches.get(token)) is not None:  # else it has been closed meanwhile
            watch.changed(path)

    def _lost(self, end: TransportError) -> None:
        for watch in self._watches.values():
            watch.lost(end)
        self._watches.clear()


def _number(answer: bytes) -> int:
    text = shown(answer).rstrip("\0")
    if not (text.isascii() and text.isdecimal()):
        raise RemoteProtocolError(f"xenstore begins transaction {text!a}")
    return int(text)


async def _list_by_parts(ask: Callable[[StoreType, str, bytes], Awaitable[bytes]], path: str) -> list[str]:
    """A listing that is longer than a message, from the start again when it changes meanwhile."""
    generation, names = b"", b""
    while True:
        answer = await ask(StoreType.DIRECTORY_PART, path, joined(str(len(names))))
        now, _, part = answer.partition(b"\0")
        if generation not in {b"", now}:
            generation, names = b"", b""
            continue
        generation, names = now, names + part
        if names.endswith(b"\0\0") or names == b"\0":
            return strings(names[:-1])
