# SPDX-License-Identifier: Apache-2.0
"""The wire of xenstored, as in Xen's ``io/xs_wire.h``: a header of four words and a payload.

Nothing here touches a descriptor. A daemon serves it on a Unix socket, and the kernel on a device file.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore._errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "STORE_PATH_MAX",
    "STORE_PAYLOAD_MAX",
    "StoreMessage",
    "StoreType",
    "error_code",
    "joined",
    "shown",
    "strings",
]

STORE_PAYLOAD_MAX: Final = 4096
"""XENSTORE_PAYLOAD_MAX. A longer one ends the connection, so none is sent, and one that comes is not believed."""
STORE_PATH_MAX: Final = 3072
"""XENSTORE_ABS_PATH_MAX."""

_HEADER: Final = Struct("=4I")


class StoreType(IntEnum):
    """What a message is."""

    CONTROL = 0
    DIRECTORY = 1
    READ = 2
    GET_PERMS = 3
    WATCH = 4
    UNWATCH = 5
    TRANSACTION_START = 6
    TRANSACTION_END = 7
    INTRODUCE = 8
    RELEASE = 9
    GET_DOMAIN_PATH = 10
    WRITE = 11
    MKDIR = 12
    RM = 13
    SET_PERMS = 14
    WATCH_EVENT = 15
    ERROR = 16
    IS_DOMAIN_INTRODUCED = 17
    RESUME = 18
    SET_TARGET = 19
    RESET_WATCHES = 21
    DIRECTORY_PART = 22


class StoreMessage(NamedTuple):
    """One message, of either direction."""

    type: int
    request: int
    transaction: int
    payload: bytes

    def pack(self) -> bytes:
        """Its octets."""
        return _HEADER.pack(self.type, self.request, self.transaction, len(self.payload)) + self.payload

    @classmethod
    def take(cls, octets: bytearray) -> Iterator[StoreMessage]:
        """Takes the whole messages off the front of what was received; ``RemoteProtocolError`` beyond the limit."""
        while len(octets) >= _HEADER.size:
            kind, request, transaction, length = _HEADER.unpack_from(octets)
            if length > STORE_PAYLOAD_MAX:
                raise RemoteProtocolError(f"a xenstore message of {length} octets")
            end = _HEADER.size + length
            if len(octets) < end:
                return
            payload = bytes(octets[_HEADER.size : end])
            del octets[:end]
            yield cls(kind, request, transaction, payload)


def joined(*texts: str) -> bytes:
    """A payload of strings, each with a zero behind it."""
    return b"".join(text.encode() + b"\0" for text in texts)


def strings(payload: bytes) -> list[str]:
    """The strings of a payload, see ``shown``."""
    return [shown(each) for each in payload.removesuffix(b"\0").split(b"\0")] if payload else []


def shown(octets: bytes) -> str:
    """Octets as text; what is not UTF-8 is escaped, so that nobody's octets raise here."""
    return octets.decode(errors="backslashreplace")


def error_code(payload: bytes) -> int:
    """The errno of an ERROR message, which carries its name; EIO for a name that this system has not."""
    name = payload.rstrip(b"\0").decode("ascii", errors="replace")
    code = getattr(errno, name, None) if name.startswith("E") else None
    return code if isinstance(code, int) else errno.EIO
