# SPDX-License-Identifier: Apache-2.0
"""The doorbells of a channel in a hostile domain's hands: two eventfds, or one port of an event channel."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from paracore.transport.xen import adopt_events

if TYPE_CHECKING:
    from paracore.transport.xen import EventChannel

__all__ = ["Bells", "bells_of"]

_BRIM: Final = 2**64 - 2
"""What an eventfd holds at most: writing one more would block."""


class Bells(ABC):
    """Both of them."""

    @abstractmethod
    def ring(self) -> None:
        """Makes the backend look."""

    @abstractmethod
    def fill(self) -> None:
        """Fills them to the brim, so that whoever rings them would have to wait."""

    @abstractmethod
    def fileno(self) -> int:
        """Readable once the backend has rung."""

    @abstractmethod
    def answer(self) -> None:
        """Has been woken: lets the next ring wake again."""


class _Eventfds(Bells):
    def __init__(self, out: int, into: int) -> None:
        self._out, self._into = out, into

    def ring(self) -> None:
        os.eventfd_write(self._out, 1)

    def fill(self) -> None:
        for bell in (self._into, self._out):
            with suppress(BlockingIOError):
                os.eventfd_write(bell, _BRIM)

    def fileno(self) -> int:
        return self._into

    def answer(self) -> None:
        os.eventfd_read(self._into)


class _Port(Bells):
    def __init__(self, events: EventChannel) -> None:
        self._events = events

    def ring(self) -> None:
        self._events.notify()

    def fill(self) -> None:
        """A port holds no more than one ring: that one."""
        self._events.notify()

    def fileno(self) -> int:
        return self._events.descriptor_in

    def answer(self) -> None:
        self._events.drain()


def bells_of(out: int, into: int, port: int) -> Bells:
    """The bells that came with a channel; `port` is 0 for eventfds. The descriptors stay the caller's."""
    return _Port(adopt_events(out, port)) if port else _Eventfds(out, into)
