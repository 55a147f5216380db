# SPDX-License-Identifier: Apache-2.0
"""The model of a channel's two byte rings: what ``native/core/ring.c`` does, in as few words as it takes.

Rules (docs/protocol/ring.md):

* All four indices count octets modulo 2^32; the place in a ring is the index modulo its size.
* An end's own indices are private and only ever published. The peer's are read once into a
  local, bounded, and only then used.
* A message is copied out before anything looks at it.
* A notification is due when an index passes the threshold that the peer has written.

Theory of operation. Each ring has one producer and one consumer. The producer copies messages in
(``push``) and shows them all by one store of its index (``publish``); the consumer copies them out
(``pop``) and shows the room that this made (``release``). An end that wants to sleep first writes how
far the peer's index is known to it (``arm``) and looks once more; the peer, having stored its index,
looks at that threshold. Of two ends that each store their own word and then load the other's, at
least one sees the other's store, so no wake-up is lost.

Python has no barriers. Between the threads of one process the interpreter orders these stores and
loads (transport/memory, the tests); memory that another process maps is for the native ring. The
verbs are those of ``ring.h``, and the tests hold one against the other.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore._errors import LocalProtocolError, RemoteProtocolError
from paracore.protocol import _wire
from paracore.protocol._message import HEADER_SIZE, check_size
from paracore.protocol._wire import MESSAGE_MAX, PAGE_SIZE, RING_ORDER_MAX, RING_ORDER_MIN

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Ring", "Role", "format_page", "mapping_size"]

_WORD: Final = Struct("<I")
_MODULUS: Final = 1 << 32


class Role(IntEnum):
    """Which end of the channel this is."""

    FRONTEND = 0
    BACKEND = 1


class _Places(NamedTuple):
    """Where one end's words lie in the interface page, named without direction."""

    prod: int
    cons: int
    event: int
    space_event: int


_PLACES: Final = {
    Role.FRONTEND: _Places(
        _wire.PAGE_OUT_PROD, _wire.PAGE_IN_CONS, _wire.PAGE_IN_EVENT, _wire.PAGE_OUT_SPACE_EVENT
    ),
    Role.BACKEND: _Places(
        _wire.PAGE_IN_PROD, _wire.PAGE_OUT_CONS, _wire.PAGE_OUT_EVENT, _wire.PAGE_IN_SPACE_EVENT
    ),
}  # fmt: skip


def mapping_size(ring_order: int) -> int:
    """Octets of a channel's shared memory: interface page and ring pages."""
    return PAGE_SIZE * (1 + (1 << ring_order))


def format_page(mapping: Buffer, ring_order: int) -> None:
    """Writes a fresh interface page. For the side that allocates the pages, before the other sees them."""
    page = memoryview(mapping).cast("B")[:PAGE_SIZE]
    page[:] = bytes(PAGE_SIZE)
    _WORD.pack_into(page, _wire.PAGE_MAGIC, _wire.MAGIC)
    _WORD.pack_into(page, _wire.PAGE_VERSION, _wire.PROTOCOL_VERSION)
    _WORD.pack_into(page, _wire.PAGE_RING_ORDER, ring_order)


def _ahead(index: int, of: int) -> int:
    """How far ``index`` is ahead of another, modulo 2^32."""
    return (index - of) % _MODULUS


def _passed(event: int, before: int, after: int) -> bool:
    """Whether an index passed ``event`` on its way from ``before`` to ``after``."""
    return _ahead(event, before) < _ahead(after, before)


class Ring:
    """One end's view of a channel's two rings.

    Args:
        mapping: interface page and ring pages, shared with the peer.
        ring_order: log2 of the ring pages, known from elsewhere and never read from the page.
        role: which end this is.
    """

    def __init__(self, mapping: Buffer, ring_order: int, role: Role) -> None:
        if not RING_ORDER_MIN <= ring_order <= RING_ORDER_MAX:
            raise LocalProtocolError(f"a ring order of {ring_order}")
        view = memoryview(mapping).cast("B")
        self.size = PAGE_SIZE << (ring_order - 1)
        self._page = view[:PAGE_SIZE]
        out, into = view[PAGE_SIZE:][: self.size], view[PAGE_SIZE + self.size :][: self.size]
        self._produce_data, self._consume_data = (out, into) if role is Role.FRONTEND else (into, out)
        self._own, self._peer = _PLACES[role], _PLACES[Role(1 - role)]
        self._produced = self._published = self._peer_consumed = 0
        self._consumed = self._released = self._peer_produced = 0

    # --- producing ------------------------------------------------------------------------------

    def space(self) -> int:
        """Octets that can be pushed now; ``RemoteProtocolError`` when the peer's index is impossible."""
        self._read_peer_consumed()
        return self._room()

    def push(self, *parts: bytes) -> bool:
        """Copies one message in without showing it to the peer.

        Returns:
            False when there is no room now.

        Raises:
            LocalProtocolError: the parts are not a message.
            RemoteProtocolError: the peer's index is impossible.
        """
        message = b"".join(parts)
        if not HEADER_SIZE <= len(message) <= MESSAGE_MAX or len(message) % 8:
            raise LocalProtocolError(f"a message of {len(message)} octets")
        if self._room() < len(message):
            self._read_peer_consumed()
            if self._room() < len(message):
                return False
        self._copy_in(message)
        return True

    def publish(self) -> bool:
        """Shows the peer all that was pushed. True when the peer asked to be notified."""
        before = self._published
        if before == self._produced:
            return False
        self._show(self._own.prod, self._produced)
        self._published = self._produced
        return _passed(self._load(self._peer.event), before, self._published)

    def arm_space(self, octets: int) -> bool:
        """Asks to be notified once so many octets are free. True when it is safe to sleep."""
        # They are free once cons reaches produced + octets - size; a threshold is passed, not reached.
        self._show(self._own.space_event, self._produced + octets - self.size - 1)
        index = self._load(self._peer.cons)
        return _ahead(self.size, _ahead(self._produced, index)) < octets

    # --- consuming ------------------------------------------------------------------------------

    def pop(self) -> bytes | None:
        """Copies the next message out; None when there is none.

        Raises:
            RemoteProtocolError: the peer's index or the message's size is impossible.
        """
        if self._consumed == self._peer_produced:
            self._read_peer_produced()
        available = _ahead(self._peer_produced, self._consumed)
        if not available:
            return None
        if available < HEADER_SIZE or available % 8:
            raise RemoteProtocolError(f"{available} octets where whole messages belong")
        size = _WORD.unpack(self._copy_out(_WORD.size))[0]
        check_size(size)
        if size > available:
            raise RemoteProtocolError(f"a message of {size} octets, of which there are {available}")
        # The size is the one that was checked, whatever the peer has made of the original meanwhile.
        message = _WORD.pack(size) + self._copy_out(size)[_WORD.size :]
        self._consumed = (self._consumed + size) % _MODULUS
        return message

    def release(self) -> bool:
        """Shows the peer the room that pops have made. True when the peer asked to be notified."""
        before = self._released
        if before == self._consumed:
            return False
        self._show(self._own.cons, self._consumed)
        self._released = self._consumed
        return _passed(self._load(self._peer.space_event), before, self._released)

    def arm(self) -> bool:
        """Asks to be notified of the next message. True when it is safe to sleep."""
        self._show(self._own.event, self._consumed)
        return self._load(self._peer.prod) == self._consumed

    def readable(self) -> bool:
        """Whether a message waits: one load, for spinning."""
        return self._load(self._peer.prod) != self._consumed

    # --- private --------------------------------------------------------------------------------

    def _room(self) -> int:
        return self.size - _ahead(self._produced, self._peer_consumed)

    def _read_peer_consumed(self) -> None:
        """The peer may have consumed more than at the last reading, but nothing that it was not shown."""
        index = self._load(self._peer.cons)
        if _ahead(index, self._peer_consumed) > _ahead(self._published, self._peer_consumed):
            raise RemoteProtocolError(f"consumer index {index:#x}, and {self._published:#x} were produced")
        self._peer_consumed = index

    def _read_peer_produced(self) -> None:
        """The peer may have produced more than at the last reading, but no more than it had room for."""
        index = self._load(self._peer.prod)
        most = (self._released + self.size) % _MODULUS
        if _ahead(index, self._peer_produced) > _ahead(most, self._peer_produced):
            raise RemoteProtocolError(f"producer index {index:#x}, and there was room up to {most:#x}")
        self._peer_produced = index

    def _copy_in(self, message: bytes) -> None:
        at = self._produced % self.size
        first = min(len(message), self.size - at)
        self._produce_data[at : at + first] = message[:first]
        self._produce_data[: len(message) - first] = message[first:]
        self._produced = (self._produced + len(message)) % _MODULUS

    def _copy_out(self, length: int) -> bytes:
        at = self._consumed % self.size
        first = min(length, self.size - at)
        return bytes(self._consume_data[at : at + first]) + bytes(self._consume_data[: length - first])

    def _load(self, place: int) -> int:
        index: int = _WORD.unpack_from(self._page, place)[0]
        return index

    def _show(self, place: int, value: int) -> None:
        _WORD.pack_into(self._page, place, value % _MODULUS)
