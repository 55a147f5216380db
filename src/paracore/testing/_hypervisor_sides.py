# SPDX-License-Identifier: Apache-2.0
"""The two domains that ``check_hypervisor`` stands between, and what it asks of the guest's.

The backend's side is a ``Hypervisor`` in the process of the check. The guest's may be anywhere: in the same
process (``LocalGuest``), or behind a wire in a real guest, where the same methods are called one by one.
"""

from __future__ import annotations

import select
from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from paracore.protocol import PAGE_SIZE
from paracore.transport.local._pages import LocalPages
from paracore.transport.xen import write_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paracore.transport import Mapping
    from paracore.transport.xen import Allocation, EventChannel, Hypervisor

__all__ = ["Domains", "Guest", "LocalGuest"]


class Guest(ABC):
    """What a guest does for a check. Grants, ports and directories are named by small numbers of its own."""

    domain: int

    @abstractmethod
    def allocate(self, remote: int, length: int, read_only: bool) -> tuple[int, Sequence[int]]:  # noqa: FBT001 - crosses wires
        """Grants pages and maps them; their number and references."""

    @abstractmethod
    def write(self, grant: int, place: int, octets: bytes) -> None: ...

    @abstractmethod
    def read(self, grant: int, place: int, length: int) -> bytes: ...

    @abstractmethod
    def number(self, grant: int) -> None:
        """Writes its number, from 0, at the start of each page, as a u32."""

    @abstractmethod
    def revoke(self, grant: int) -> None:
        """Unmaps and closes."""

    @abstractmethod
    def directory(self, remote: int, references: Sequence[int]) -> tuple[int, int]:
        """Its number and reference."""

    @abstractmethod
    def forget(self, directory: int) -> None: ...

    @abstractmethod
    def offer(self, remote: int) -> tuple[int, int]:
        """An unbound port: its number here, and what the other domain binds."""

    @abstractmethod
    def notify(self, port: int, times: int = 1) -> None: ...

    @abstractmethod
    def rung(self, port: int, seconds: float) -> bool:
        """Whether it is rung within that time; if so, the next ring is let in."""

    @abstractmethod
    def withdraw(self, port: int) -> None: ...

    @abstractmethod
    def held(self) -> int:
        """Pages and ports that it has not given back."""


class Domains(NamedTuple):
    """Who takes part in a check: the backend's domain, a guest, and another which is a stranger to that."""

    backend: Hypervisor
    domain: int
    guest: Guest
    stranger: Guest


class LocalGuest(Guest):
    """A guest's view in this process."""

    def __init__(self, hypervisor: Hypervisor, domain: int) -> None:
        self.domain = domain
        self._hypervisor = hypervisor
        self._pages = LocalPages()
        self._last = 0
        self._grants: dict[int, tuple[Allocation, Mapping]] = {}
        self._ports: dict[int, EventChannel] = {}
        self._directories: dict[int, ExitStack] = {}

    def allocate(self, remote: int, length: int, read_only: bool) -> tuple[int, Sequence[int]]:  # noqa: FBT001
        made = self._hypervisor.allocate(remote, length, read_only=read_only)
        self._grants[self._next()] = made, self._pages.map(made.descriptor, length, read_only=False)
        return self._last, made.references

    def write(self, grant: int, place: int, octets: bytes) -> None:
        with self._grants[grant][1].view() as view:
            view[place : place + len(octets)] = octets

    def read(self, grant: int, place: int, length: int) -> bytes:
        with self._grants[grant][1].view() as view:
            return bytes(view[place : place + length])

    def number(self, grant: int) -> None:
        for page in range(self._grants[grant][0].length // PAGE_SIZE):
            self.write(grant, page * PAGE_SIZE, page.to_bytes(4, "little"))

    def revoke(self, grant: int) -> None:
        allocation, mapping = self._grants.pop(grant)
        mapping.close()
        allocation.close()

    def directory(self, remote: int, references: Sequence[int]) -> tuple[int, int]:
        made = write_directory(self._hypervisor, remote, references)
        held = self._directories[self._next()] = ExitStack()
        held.callback(made.close)
        return self._last, made.reference

    def forget(self, directory: int) -> None:
        self._directories.pop(directory).close()

    def offer(self, remote: int) -> tuple[int, int]:
        made = self._ports[self._next()] = self._hypervisor.unbound(remote)
        return self._last, made.remote_port

    def notify(self, port: int, times: int = 1) -> None:
        for _ in range(times):
            self._ports[port].notify()

    def rung(self, port: int, seconds: float) -> bool:
        return rung(self._ports[port], seconds)

    def withdraw(self, port: int) -> None:
        self._ports.pop(port).close()

    def held(self) -> int:
        counts = self._hypervisor.statistics()
        return counts.granted - counts.revoked + counts.bound - counts.unbound

    def _next(self) -> int:
        self._last += 1
        return self._last


def rung(channel: EventChannel, seconds: float) -> bool:
    """Whether an end is rung within that time; if so, the next ring is let in."""
    poll = select.poll()
    poll.register(channel.descriptor_in, select.POLLIN)
    ready = bool(poll.poll(seconds * 1000))
    if ready:
        channel.drain()
    return ready
