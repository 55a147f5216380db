# SPDX-License-Identifier: Apache-2.0
"""The channels of one domain, one after another: what a lost one is followed by.

A channel is lost when the backend's end of it is no more, through no fault of ours and by nobody's wish: its worker died, the
supervisor died or is being started again. The next one is connected by whichever session notices first; the others
wait for that, and go on with the same. One that was detached, or ended for a breach of the protocol, is not followed.

May be used from several threads.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from paracore._errors import DeviceLost, Error, QuotaExceeded, TransportBroken, TransportError
from paracore.frontend._channel import Channel
from paracore.frontend._faults import FATAL
from paracore.frontend._session import FRUITLESS_MAX

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import Literal, TypeAlias

    OnLoss: TypeAlias = Literal["recover", "fail"]

__all__ = ["RECONNECT_SECONDS", "Channels"]

#: How long the next channel may be waited for: a supervisor takes a moment to be started again, and an application
#: that stands still is to be told within a second.
RECONNECT_SECONDS = 0.75
#: Between two attempts.
_RETRY_SECONDS = 0.02

T = TypeVar("T")


class Channels:
    """See the module.

    Args:
        address: the backend's Unix socket.
        spin: seconds that a waiting call spins before it sleeps.
        timeout: seconds that opening the first may take.
        on_loss: ``"recover"``, or ``"fail"``: then there is only the first.

    Attributes:
        current: the last of them.
    """

    def __init__(self, address: str | os.PathLike[str] | None, *, spin: float, timeout: float, on_loss: OnLoss) -> None:
        if on_loss not in ("recover", "fail"):
            raise ValueError(f"on_loss is {on_loss!r}; it may be 'recover' or 'fail'")
        self._address = address
        self._spin = spin
        self._turn = Lock()
        self._given_up = on_loss == "fail"
        self.recovers = on_loss == "recover"
        try:
            self.current = Channel(address, spin=spin, timeout=timeout)
        except (DeviceLost, TransportBroken):  # its other end died while it was being opened
            if not self.recovers:
                raise
            self.current = self._connect()

    def ask(self, question: Callable[[Channel], T]) -> T:
        """Asks the present channel; if that one is lost, its successor, and so on for as often as there is hope."""
        channel = self.current
        for _ in range(FRUITLESS_MAX):
            try:
                return question(channel)
            except FATAL as fault:
                channel = self.follow(channel, fault)
        return question(channel)

    def follow(self, lost: Channel, fault: Exception) -> Channel:
        """The channel after that one. May take ``RECONNECT_SECONDS``.

        Args:
            lost: where the fault was met.
            fault: what is raised when there is no going on.
        """
        with self._turn:
            if self.current is not lost:
                return self.current
            if self._given_up or not lost.lost:
                raise fault
            try:
                self.current = self._connect()
            except Error as reason:
                self._given_up = True
                raise fault from reason
            return self.current

    def _connect(self) -> Channel:
        """Connects again, as soon as somebody listens there and counts the lost channel no more."""
        deadline = time.monotonic() + RECONNECT_SECONDS
        while True:
            left = deadline - time.monotonic()
            try:
                return Channel(self._address, spin=self._spin, timeout=max(left, _RETRY_SECONDS))
            except (TransportError, DeviceLost, QuotaExceeded):
                if left < _RETRY_SECONDS:
                    raise
            time.sleep(_RETRY_SECONDS)

    def close(self) -> None:
        """Closes the last of them; none follows it. Idempotent."""
        with self._turn:
            self._given_up = True
        self.current.close()
