# SPDX-License-Identifier: Apache-2.0
"""One connection in the supervisor: a port of the transport with its life's end in sight.

However a connection ends, it ends here and once: the peer goes, breaks the protocol, is refused, loses its
worker, or the backend stops. Whatever it held is taken back at that moment; a peer that was told goodbye
then has a short while to read it.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Final, Protocol

from paracore._errors import RemoteProtocolError
from paracore.backend._handover import ConnectionState
from paracore.classes.link import Limit, Refusal
from paracore.transport import Refused
from paracore.transport._rate import BoundedLog

if TYPE_CHECKING:
    from paracore.backend._domain import Domain
    from paracore.backend._worker_end import WorkerEnd
    from paracore.transport import Port

__all__ = ["Connection", "ConnectionOwner"]

_faults = BoundedLog(logging.getLogger("paracore.backend"))
"""A fault of ours may be met again and again: no peer fills the log with it."""

_HELLO: Final = 10.0
"""Seconds until a hello has to be there."""
_GOODBYE: Final = 1.0
"""Seconds that a peer has to read its goodbye and to close."""
_PAUSE: Final = 0.05
"""Seconds that a domain which asks too often is not listened to."""


class ConnectionOwner(Protocol):
    """What a connection tells the supervisor."""

    def refused(self, connection: Connection, refusal: Refused) -> None: ...

    def broken(self, connection: Connection, text: str) -> None:
        """The peer broke the protocol."""

    def ended(self, connection: Connection) -> None:
        """It serves nobody any more; its grants are about to be taken back. Called once, before ``closed``."""

    def closed(self, connection: Connection) -> None:
        """There is nothing left of it. Called once."""


class Connection:
    """See the module.

    Attributes:
        port: the transport's.
        domain: whose it is, None before its hello and for administrators without a domain.
        channel: its channel's number, 0 while it has none.
        worker: who has that channel.
        traced: domains that it traces.
    """

    def __init__(self, owner: ConnectionOwner, port: Port) -> None:
        self.port = port
        self.domain: Domain | None = None
        self.greeted = False
        self.channel = 0
        self.worker: WorkerEnd | None = None
        self.traced: set[Domain] = set()
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._ended = self._closed = self._paused = False
        self._deadline = self._loop.call_later(_HELLO, self._too_late)
        self._resume()

    def hand_over(self) -> ConnectionState | None:
        """What the next program image needs to go on with it; None: its transport cannot, or it traces. Changes nothing."""
        if not self.traced and (port := self.port.hand_over()):
            return ConnectionState(port, self.greeted, self.channel, self._ended)
        return None

    def adopt(self, state: ConnectionState, domain: Domain | None) -> None:
        """Goes on as it was handed over."""
        if state.greeted:
            self.hello(domain)
        self._ended = state.ended
        if self._ended:
            self._deadline.cancel()
            self._deadline = self._loop.call_later(_GOODBYE, self.close)
        elif state.channel and domain:
            self.channel, self.worker = state.channel, domain.worker

    def pause(self) -> None:
        """Reads nothing until ``go_on``: what the peer sends waits in the transport."""
        self._paused = True
        self._loop.remove_reader(self.port.fileno())

    def go_on(self) -> None:
        """The reverse."""
        self._paused = False
        self._resume()

    def hello(self, domain: Domain | None) -> None:
        """The peer has been admitted."""
        self.greeted = True
        self.domain = domain
        self._deadline.cancel()

    def end(self, reason: Refusal, limit: Limit | None = None) -> None:
        """Says goodbye and takes everything back."""
        if self._ended:
            return
        self._finish()
        self.port.goodbye(reason, limit)
        self._deadline = self._loop.call_later(_GOODBYE, self.close)

    def violated(self, text: str) -> None:
        """The peer broke the protocol, here or in its channel."""
        if not self._ended:
            self._owner.broken(self, text)
            self.end(Refusal.PROTOCOL)

    def close(self) -> None:
        """Ends without a word."""
        self._finish()
        if not self._closed:
            self._closed = True
            self._deadline.cancel()
            self._loop.remove_reader(self.port.fileno())
            self.port.close()
            self._owner.closed(self)

    def _finish(self) -> None:
        if not self._ended:
            self._ended = True
            self._deadline.cancel()
            self._owner.ended(self)

    def _too_late(self) -> None:
        self.violated("it said no hello")

    def _readable(self) -> None:
        try:
            alive = self.port.receive()
        except Refused as refusal:
            self._owner.refused(self, refusal)
            self.end(refusal.reason, refusal.limit)
        except RemoteProtocolError as error:
            self.violated(str(error))
        except Exception:  # noqa: BLE001 - a fault of ours, met by one peer: the others go on
            _faults.write(logging.ERROR, "%s: %s", self.port.peer.text, traceback.format_exc())
            self.close()
        else:
            self._go_on(alive=alive)

    def _go_on(self, *, alive: bool) -> None:
        if not alive:
            self.close()
        elif self.domain and not self.domain.bucket.take():
            self._loop.remove_reader(self.port.fileno())
            self._loop.call_later(_PAUSE, self._resume)

    def _resume(self) -> None:
        if not self._closed and not self._paused:
            self._loop.add_reader(self.port.fileno(), self._readable)
