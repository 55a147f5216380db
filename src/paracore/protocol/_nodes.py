# SPDX-License-Identifier: Apache-2.0
"""The nodes of a Xen device: who writes them, what they may hold, and what a missing one means.

A table, for both ends, for the toolstack and for docs/protocol/xenbus.md, whose tables are drawn from it. It
stands alone, so that the page can be made before the package can be imported.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

__all__ = ["NODES", "Devices", "Node", "Number", "Numbers", "Path", "Text", "Writer"]


class Writer(StrEnum):
    """Who writes a node. Everybody else only reads it."""

    TOOLSTACK = "toolstack"
    FRONTEND = "frontend"
    BACKEND = "backend"


class Number(NamedTuple):
    """A decimal number without sign and leading zeros."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} … {self.high}" if self.low != self.high - 1 else f"{self.low}, {self.high}"


class Numbers(NamedTuple):
    """Decimal numbers in rising order, with commas between."""

    high: int
    most: int

    def __str__(self) -> str:
        return f"up to {self.most} of 1 … {self.high}, rising, with commas between"


class Text(NamedTuple):
    """A word."""

    pattern: re.Pattern[str]
    text: str

    def __str__(self) -> str:
        return self.text


class Devices(NamedTuple):
    """Names with commas between, each once."""

    pattern: re.Pattern[str]
    most: int

    def __str__(self) -> str:
        return f"1 to {self.most} names with commas between"


class Path(NamedTuple):
    """The directory of the other end."""

    def __str__(self) -> str:
        return "path"


Values: TypeAlias = Number | Numbers | Text | Devices | Path


class Node(NamedTuple):
    """One node."""

    name: str
    writer: Writer
    values: Values
    default: str | None
    """What a missing node means; None: it must be there."""
    note: str


_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}\Z")
_WORDS: Final = re.compile(r"[ -~]{1,200}\Z")
_DOMID: Final = Number(0, 0x7FEF)  # xen.h: DOMID_FIRST_RESERVED is 0x7FF0
_STATE: Final = Number(1, 8)
_OCTETS: Final = Number(1, (1 << 63) - 1)
_RATE: Final = Number(0, 10**12)
_T, _F, _B = Writer.TOOLSTACK, Writer.FRONTEND, Writer.BACKEND

_FRONTEND: Final = (
    Node("backend", _T, Path(), None, "The backend's directory."),
    Node("backend-id", _T, _DOMID, None, "The domain that the backend is in, and that pages are granted to."),
    Node("state", _F, _STATE, None, "The frontend's state. The toolstack writes the first 1."),
    Node("version", _F, Number(1, 0xFFFF), None, "The one of `versions` that it speaks."),
    Node(
        "ring-ref", _F, Number(1, 0xFFFF_FFFF), None,
        "Grant reference of a directory page, which names the interface page and then the ring pages of the control "
        "ring, all of them granted for writing. The directory itself is only read.",
    ),
    Node("ring-order", _F, Number(2, 8), "2", "log2 of the number of ring pages."),
    Node("event-channel", _F, Number(1, 0x1FFFF), None, "Port of the control ring, unbound until the backend binds it."),
)  # fmt: skip

_BACKEND: Final = (
    Node("frontend", _T, Path(), None, "The frontend's directory."),
    Node("frontend-id", _T, _DOMID, None, "The domain that the frontend is in. Nobody else's grants are mapped."),
    Node("online", _T, Number(0, 1), "1", "0: the device is being detached; the backend leaves."),
    Node("drain", _T, Number(0, 3600), "0", "Seconds that streams have to end in order before it does."),
    Node("state", _B, _STATE, None, "The backend's state. The toolstack writes the first 1."),
    Node("name", _T, Text(_NAME, "name"), "", "What logs and lists call the domain. Missing: `domid-N`."),
    Node("devices", _T, Devices(_NAME, 16), None, "The backend's devices that the domain may use."),
    Node("weight", _T, Number(1, 10000), "100", "Share of the devices' time against other domains, when there is too little."),
    Node("priority", _T, Number(0, 9), "0", "With the policy `priority`; more is served sooner."),
    Node("max-channels", _T, Number(1, 512), "64", "Processes at once."),
    Node("max-sessions", _T, Number(1, 512), "64", "Codec instances at once."),
    Node("max-buffers", _T, Number(1, 32768), "4096", "Grants of buffers at once."),
    Node("max-bytes", _T, _OCTETS, str(2 << 30), "Octets granted at once."),
    Node("max-outstanding", _T, Number(1, 2048), "1024", "Unanswered calls and queued spans of one channel."),
    Node("max-memory", _T, _OCTETS, str(4 << 30), "Octets of the worker's private memory."),
    Node("max-device-time", _T, Number(0, 64000), "0", "Milliseconds of each device's time in a second. 0: no limit."),
    Node("max-pictures-per-second", _T, _RATE, "0", "Given to the drivers in the long run; more has to wait. 0: no limit."),
    Node("max-macroblocks-per-second", _T, _RATE, "0", "The same in pieces of 16 x 16 samples."),
    Node("max-pixel-rate", _T, _RATE, "0", "Samples a second that sessions may declare. 0: no limit."),
    Node("versions", _B, Numbers(0xFFFF, 16), None, "The protocol versions that it speaks."),
    Node("error", _B, Text(_WORDS, "printable ASCII, up to 200 octets"), "", "Why it is closed, for people."),
    Node(
        "stats/*", _B, Number(0, (1 << 63) - 1), "0",
        "What the domain has used and holds, for tools: `device-ms`, `waited-ms` and `turns` of devices' time, `channels`, "
        "`buffers`, `bytes`; of what its workers say to have done `units`, `pictures`, `errors`, `octets-in`, `octets-out`, "
        "`throttled-ms`, `sessions-failed`; `violations`, `workers-lost`. Written every five seconds, if it has changed.",
    ),
    Node("feature-*", _B, Number(0, 1), "0", "What it can do beside that. An unknown one is ignored; there are none yet."),
)  # fmt: skip

NODES: Final = {"frontend": _FRONTEND, "backend": _BACKEND}
"""``{directory: nodes}``; the directories are each end's own."""
