# SPDX-License-Identifier: Apache-2.0
"""What the nodes of a Xen device say, checked and typed: by the frontend, by the backend, by the toolstack.

Rules (docs/protocol/xenbus.md): numbers are decimal, without sign, space or leading zero, and within the bounds
of ``_nodes``; a node that is missing has its default or is an error. Whoever wrote what cannot be is the peer:
``RemoteProtocolError``. Values are a hostile domain's: complaints show them shortened and escaped.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore._errors import LocalProtocolError, RemoteProtocolError, VersionError
from paracore.protocol._nodes import NODES, Devices, Node, Number, Numbers, Text, Writer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

__all__ = [
    "Attachment",
    "BackendNodes",
    "FrontendNodes",
    "backend_path",
    "device_of_path",
    "drain_seconds",
    "frontend_path",
]

DEVICE_TYPE: Final = "paracore"
_SHOWN: Final = 40
_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]{0,19})\Z")
_PATH: Final = re.compile(r"/local/domain/(?:0|[1-9][0-9]{0,4})(?:/[A-Za-z0-9@_-]{1,64}){1,8}\Z")
_DEVICE: Final = re.compile(rf"(?:/local/domain/\d+/)?backend/{DEVICE_TYPE}/([0-9]{{1,5}})/([0-9]{{1,5}})(?:/|\Z)")


def frontend_path(domain: int, index: int = 0) -> str:
    """The frontend's directory."""
    return f"/local/domain/{domain}/device/{DEVICE_TYPE}/{index}"


def backend_path(backend: int, frontend: int, index: int = 0) -> str:
    """The backend's directory."""
    return f"/local/domain/{backend}/backend/{DEVICE_TYPE}/{frontend}/{index}"


def device_of_path(path: str) -> tuple[int, int] | None:
    """Frontend's domain and index of the backend directory that a watch's path is in; None: of no device."""
    found = _DEVICE.match(path)
    return (int(found[1]), int(found[2])) if found else None


class FrontendNodes(NamedTuple):
    """What a frontend publishes before it says INITIALISED."""

    version: int
    ring_reference: int
    port: int
    ring_order: int = 2

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The nodes to read of the frontend's directory."""
        return _names("frontend", Writer.FRONTEND)

    @classmethod
    def parse(cls, values: Mapping[str, str | None]) -> Self:
        """Checks what was read of the frontend's directory."""
        return cls(
            version=_number("frontend", "version", values),
            ring_reference=_number("frontend", "ring-ref", values),
            port=_number("frontend", "event-channel", values),
            ring_order=_number("frontend", "ring-order", values),
        )

    def values(self) -> dict[str, str]:
        """What to write."""
        said = {
            "version": self.version,
            "ring-ref": self.ring_reference,
            "ring-order": self.ring_order,
            "event-channel": self.port,
        }
        return _said("frontend", said)


class BackendNodes(NamedTuple):
    """What a backend publishes before it says INIT_WAIT."""

    versions: tuple[int, ...]
    error: str = ""
    """Why it is closed, for people."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The nodes to read of the backend's directory."""
        return _names("backend", Writer.BACKEND)

    @classmethod
    def parse(cls, values: Mapping[str, str | None]) -> Self:
        """Checks what was read of the backend's directory."""
        return cls(_numbers("backend", "versions", values), _text("backend", "error", values))

    def values(self) -> dict[str, str]:
        """What to write."""
        error = {"error": self.error} if self.error else {}
        return _said("backend", {"versions": ",".join(map(str, self.versions)), **error})

    def choose(self, spoken: tuple[int, ...]) -> int:
        """The newest version that is spoken here as well; ``VersionError`` when there is none."""
        common = set(self.versions) & set(spoken)
        if not common:
            raise VersionError(f"the backend speaks {self.versions}, and {spoken} is spoken here")
        return max(common)


class Attachment(NamedTuple):
    """What the toolstack has decided of one domain; in the backend's directory, where the domain cannot write."""

    frontend: str
    frontend_id: int
    devices: tuple[str, ...]
    online: bool = True
    drain: int = 0
    name: str = ""
    weight: int = 100
    priority: int = 0
    max_channels: int = 64
    max_sessions: int = 64
    max_buffers: int = 4096
    max_bytes: int = 2 << 30
    max_outstanding: int = 1024
    max_memory: int = 4 << 30
    max_device_time: int = 0
    max_pictures_per_second: int = 0
    max_macroblocks_per_second: int = 0
    max_pixel_rate: int = 0

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The nodes to read of the backend's directory."""
        return _names("backend", Writer.TOOLSTACK)

    @classmethod
    def parse(cls, values: Mapping[str, str | None]) -> Self:
        """Checks what was read of the backend's directory."""
        numbers = {
            node.name.replace("-", "_"): _number("backend", node.name, values)
            for node in NODES["backend"]
            if node.writer is Writer.TOOLSTACK and isinstance(node.values, Number) and node.name != "online"
        }
        return cls(
            frontend=_text("backend", "frontend", values),
            devices=tuple(_text("backend", "devices", values).split(",")),
            online=_number("backend", "online", values) == 1,
            name=_text("backend", "name", values),
            **numbers,
        )

    def values(self) -> dict[str, str]:
        """What to write."""
        said: dict[str, int | str] = {
            name.replace("_", "-"): value for name, value in self._asdict().items() if value != ""
        }
        said |= {"devices": ",".join(self.devices), "online": int(self.online)}
        return _said("backend", said)


def drain_seconds(value: str | None) -> int:
    """What the node ``drain`` grants the streams of a device that is being detached: nothing, if it holds what cannot be."""
    try:
        return _number("backend", "drain", {"drain": value})
    except RemoteProtocolError:
        return 0


def _names(directory: str, writer: Writer) -> tuple[str, ...]:
    return tuple(
        node.name
        for node in NODES[directory]
        if node.writer is writer and node.name != "state" and not node.name.endswith("*")
    )


def _node(directory: str, name: str) -> Node:
    return next(node for node in NODES[directory] if node.name == name)


def _said(directory: str, said: Mapping[str, int | str]) -> dict[str, str]:
    """Values to write, held to the rules that the other end will hold them to."""
    values = {name: str(value) for name, value in said.items()}
    try:
        for name, value in values.items():
            _checked(_node(directory, name), value)
    except RemoteProtocolError as error:
        raise LocalProtocolError(str(error)) from error
    return values


def _text(directory: str, name: str, values: Mapping[str, str | None]) -> str:
    node, value = _node(directory, name), values.get(name)
    if value is None:
        if node.default is None:
            raise RemoteProtocolError(f"node {name} is missing")
        return node.default
    _checked(node, value)
    return value


def _number(directory: str, name: str, values: Mapping[str, str | None]) -> int:
    return int(_text(directory, name, values))


def _numbers(directory: str, name: str, values: Mapping[str, str | None]) -> tuple[int, ...]:
    return tuple(map(int, _text(directory, name, values).split(",")))


def _checked(node: Node, value: str) -> None:
    if not _holds(node, value):
        raise RemoteProtocolError(f"node {node.name} holds {value[:_SHOWN]!a}, and should hold {node.values}")


def _holds(node: Node, value: str) -> bool:
    values = node.values
    match values:
        case Number():
            return _NUMBER.match(value) is not None and values.low <= int(value) <= values.high
        case Numbers():
            return _rising(value.split(",", values.most), values)
        case Text():
            return values.pattern.match(value) is not None
        case Devices():
            return _names_once(value.split(",", values.most), values)
        case _:
            return _PATH.match(value) is not None


def _rising(texts: list[str], values: Numbers) -> bool:
    if len(texts) > values.most or not all(_NUMBER.match(text) for text in texts):
        return False
    numbers = [0, *map(int, texts)]
    return numbers[-1] <= values.high and all(a < b for a, b in pairwise(numbers))


def _names_once(texts: list[str], values: Devices) -> bool:
    return len(texts) <= values.most and len(set(texts)) == len(texts) and all(map(values.pattern.match, texts))
