# SPDX-License-Identifier: Apache-2.0
"""Which Python module and which reference page defines an enumeration or struct.

What one class alone uses is that class's own. What several use, and what every failed call carries,
is shared. The header and the interface page belong to ``protocol``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen._model import Class, Protocol, Struct

__all__ = ["Home", "home", "payloads", "shared"]

# Any call can fail with these, so every class's module has them.
FAILURE = "failure"
# Of protocol/_wire.py and docs/protocol/{wire,ring}.md.
WIRE = {"message_header", "interface_page", "message_flag"}


@dataclass(frozen=True)
class Home:
    """Names of enumerations and structs that one class defines, and those it takes from the shared ones."""

    own: frozenset[str]
    shared: frozenset[str]


def payloads(of: Class) -> list[Struct]:
    """Every payload of a class, requests and replies."""
    both = (payload for message in of.messages for payload in (message.request, message.reply))
    return [payload for payload in both if payload is not None]


def _uses(struct: Struct) -> Iterator[str]:
    for field in struct.fields:
        if field.enum is not None:
            yield field.enum.name
        if field.struct is not None:
            yield field.struct.name
            yield from _uses(field.struct)


def _class_uses(of: Class) -> set[str]:
    return {name for payload in payloads(of) for name in _uses(payload)}


def home(protocol: Protocol, of: Class) -> Home:
    """What one class defines and shares."""
    used = _class_uses(of)
    others = {name for other in protocol.classes if other is not of for name in _class_uses(other)}
    failure = {FAILURE, *_uses(protocol.struct(FAILURE))}
    return Home(frozenset(used - others - failure), frozenset(used & others | failure))


def shared(protocol: Protocol) -> frozenset[str]:
    """What no class has for its own."""
    owned = {name for of in protocol.classes for name in home(protocol, of).own}
    every = {enum.name for enum in protocol.enums} | {struct.name for struct in protocol.structs}
    return frozenset(every - owned - WIRE)
