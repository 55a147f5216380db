# SPDX-License-Identifier: Apache-2.0
"""The nodes of the fake xenstored: a tree with owners, permissions, quotas and transactions, and no descriptor.

Rules as Xen's ``docs/misc/xenstore.txt`` and its daemon in C have them:

* Domain 0 may do everything. Another domain may do with a node what its entry says, or else what the first
  entry, the owner's, says of all others; an owner may do everything with its own.
* A new node has its parent's permissions; made by an unprivileged domain, that domain is its owner.
* What is asked of a node that is missing is asked of the nearest one above it.
* A transaction conflicts when a node that it has looked at or changed has another generation by now.
"""

from __future__ import annotations

import copy
import errno
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore.transport.xen._store_wire import STORE_PATH_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Permission", "StoreQuotas", "StoreTransaction", "StoreTree", "resolved"]

_PATH: Final = re.compile(r"(?:/|(?:/[A-Za-z0-9@_-]+)+)\Z")
_PERMISSION: Final = re.compile(r"([nrwb])(0|[1-9][0-9]{0,4})\Z")


class StoreQuotas(NamedTuple):
    """What an unprivileged domain may have; Xen's own defaults are larger by orders."""

    nodes: int = 64
    octets: int = 2048
    """Of one node: value, names of children."""
    watches: int = 16
    transactions: int = 4
    permissions: int = 5


class Permission(NamedTuple):
    """One entry of a node's list."""

    letter: str
    domain: int

    @classmethod
    def parse(cls, text: str) -> Permission:
        """As the wire has it; EINVAL."""
        found = _PERMISSION.match(text)
        if found is None:
            raise _failure(errno.EINVAL)
        return cls(found[1], int(found[2]))

    def __str__(self) -> str:
        return f"{self.letter}{self.domain}"


@dataclass(slots=True)
class _Node:
    permissions: tuple[Permission, ...]
    value: bytes = b""
    children: dict[str, _Node] = field(default_factory=dict)
    generation: int = 0


def resolved(path: str, domain: int) -> str:
    """An absolute path; EINVAL when it is none."""
    absolute = path if path.startswith("/") else f"/local/domain/{domain}/{path}"
    if len(absolute) >= STORE_PATH_MAX or not _PATH.match(absolute):
        raise _failure(errno.EINVAL)
    return absolute


class StoreTree:
    """All nodes. ``changed`` is called with the path of each node that has changed or gone, and whether it has gone."""

    def __init__(self, quotas: StoreQuotas, changed: Callable[[str, StoreTree], None]) -> None:
        self._quotas, self._changed = quotas, changed
        self._root = _Node((Permission("n", 0),))
        self._generations = 0
        self.seen: set[str] = set()
        """Paths that were looked at: what a transaction conflicts by."""

    def read(self, domain: int, path: str) -> bytes:
        """A node's value."""
        return self._get(domain, path, "r").value

    def list(self, domain: int, path: str) -> tuple[str, ...]:
        """The names below a node."""
        return tuple(self._get(domain, path, "r").children)

    def generation(self, path: str) -> int | None:
        """When a node was last changed; None: it is missing."""
        node = self._find(path)
        return node.generation if node else None

    def write(self, domain: int, path: str, value: bytes | None) -> None:
        """Writes a node, with None only makes it; makes those above it."""
        existing = self._find(path)
        children = existing.children if existing else ()
        if domain and len(value or b"") + sum(map(len, children)) > self._quotas.octets:
            raise _failure(errno.ENOSPC)
        node = self._get(domain, path, "w") if existing is not None else self._make(domain, path, 1)
        if existing is not None and value is None:
            return
        node.value = value or b""
        self._touch(path, node)

    def remove(self, domain: int, path: str) -> None:
        """Removes a node and all below it; nothing when it is missing and its parent is not."""
        above, _, name = path.rpartition("/")
        parent = self._find(above or "/")
        if not name:
            raise _failure(errno.EINVAL)
        if parent is None:
            raise _failure(self._missing(domain, path))
        self.seen.add(path)
        if name not in parent.children:
            return
        node = self._get(domain, path, "w")
        for gone in _below(path, node):
            self._changed(gone, self)  # while it is known who may see it
        del parent.children[name]
        self._generations += 1
        parent.generation = self._generations

    def permit(self, domain: int, path: str, permissions: tuple[Permission, ...]) -> None:
        """Sets a node's permissions; only its owner may, and may not give it away."""
        node = self._get(domain, path, "w")
        owner = node.permissions[0].domain
        if domain and len(permissions) > self._quotas.permissions:
            raise _failure(errno.ENOSPC)
        if domain and domain != owner:
            raise _failure(errno.EACCES)
        if domain and permissions[0].domain != owner:
            raise _failure(errno.EPERM)
        node.permissions = permissions
        self._touch(path, node)

    def permissions(self, domain: int, path: str) -> tuple[Permission, ...]:
        """A node's permissions."""
        return self._get(domain, path, "r").permissions

    def may_see(self, domain: int, path: str) -> bool:
        """Whether a change of a node is told to a domain."""
        while (node := self._find(path)) is None:
            path = path.rpartition("/")[0] or "/"
        return _may(node, domain, "r")

    def fork(self) -> StoreTree:
        """The same nodes, to be changed apart from these and silently."""
        other = StoreTree(self._quotas, lambda *_: None)
        other._root = copy.deepcopy(self._root)
        other._generations = self._generations
        return other

    def _find(self, path: str) -> _Node | None:
        node: _Node | None = self._root
        for name in filter(None, path.split("/")):
            node = node.children.get(name) if node else None
        return node

    def _get(self, domain: int, path: str, letter: str) -> _Node:
        self.seen.add(path)
        node = self._find(path)
        if node is None:
            raise _failure(self._missing(domain, path))
        if not _may(node, domain, letter):
            raise _failure(errno.EACCES)
        return node

    def _missing(self, domain: int, path: str) -> int:
        return errno.ENOENT if self.may_see(domain, path) else errno.EACCES

    def _make(self, domain: int, path: str, more: int) -> _Node:
        """Makes a node with what is missing above it, or nothing when so many more are too many."""
        above, _, name = path.rpartition("/")
        parent = self._find(above or "/")
        self.seen |= {path, above or "/"}
        if parent is None:
            parent = self._make(domain, above, more + 1)
        elif not _may(parent, domain, "w"):
            raise _failure(errno.EACCES)
        elif domain and self._owned()[domain] + more > self._quotas.nodes:
            raise _failure(errno.ENOSPC)
        owner = Permission(parent.permissions[0].letter, domain or parent.permissions[0].domain)
        node = parent.children[name] = _Node((owner, *parent.permissions[1:]))
        self._generations += 1
        parent.generation = node.generation = self._generations
        return node

    def _owned(self) -> Counter[int]:
        """How many nodes each domain owns."""
        todo, owned = [self._root], Counter[int]()
        while todo:
            node = todo.pop()
            owned[node.permissions[0].domain] += 1
            todo += node.children.values()
        return owned

    def _touch(self, path: str, node: _Node) -> None:
        self._generations += 1
        node.generation = self._generations
        self._changed(path, self)


class StoreTransaction:
    """Works on a copy, and does the same to the tree at its end."""

    def __init__(self, tree: StoreTree) -> None:
        self.copy = tree.fork()
        self._tree, self._base = tree, tree.fork()
        self._steps: list[Callable[[StoreTree], None]] = []

    def change(self, step: Callable[[StoreTree], None]) -> None:
        """Changes the copy, and the tree when it is committed."""
        step(self.copy)
        self._steps.append(step)

    def commit(self) -> None:
        """EAGAIN: somebody else has changed what was looked at."""
        if any(self._tree.generation(path) != self._base.generation(path) for path in self.copy.seen):
            raise _failure(errno.EAGAIN)
        for step in self._steps:
            step(self._tree)


def _may(node: _Node, domain: int, letter: str) -> bool:
    owner, *others = node.permissions
    if domain in {0, owner.domain}:
        return True
    given = next((entry.letter for entry in others if entry.domain == domain), owner.letter)
    return given in {letter, "b"}


def _below(path: str, node: _Node) -> Iterator[str]:
    yield path
    for name, child in node.children.items():
        yield from _below(f"{path}/{name}", child)


def _failure(code: int) -> OSError:
    return OSError(code, os.strerror(code))
