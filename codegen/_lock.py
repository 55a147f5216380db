# SPDX-License-Identifier: Apache-2.0
"""The lock of opcodes: number ↔ message, append-only.

A number once given belongs to its message for ever. A message may leave the specification; its line
stays here, so that nothing else ever gets the number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from codegen._load import SpecError, require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codegen._model import Protocol

__all__ = ["parse", "render", "update"]

HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# Opcodes of the wire, kept by `make gen` from specs/paracore.toml. Append-only: a number is never
# reused and never renamed, and a line stays when its message has left the specification.
"""

_LINE = re.compile(r"0x([0-9a-f]{4}) ([a-z0-9_]+\.[a-z0-9_]+)\Z")


def parse(text: str) -> dict[int, str]:
    """The lock's entries."""
    locked: dict[int, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        require(match, f"opcodes.lock:{number}", f"cannot read {line!r}")
        assert match is not None
        opcode, name = int(match[1], 16), match[2]
        require(opcode not in locked and name not in locked.values(), f"opcodes.lock:{number}", "given twice")
        locked[opcode] = name
    return locked


def update(locked: Mapping[int, str], protocol: Protocol) -> dict[int, str]:
    """The lock with the specification's new messages; refuses a contradiction."""
    numbers = {name: opcode for opcode, name in locked.items()}
    entries = dict(locked)
    for message in protocol.messages:
        name, opcode = message.full_name, message.opcode
        if entries.get(opcode, name) != name:
            raise SpecError(name, f"opcode {opcode:#06x} belongs to {entries[opcode]} for ever (opcodes.lock)")
        if numbers.get(name, opcode) != opcode:
            raise SpecError(name, f"has opcode {numbers[name]:#06x} for ever (opcodes.lock), not {opcode:#06x}")
        entries[opcode] = name
    return entries


def render(entries: Mapping[int, str]) -> str:
    return HEAD + "".join(f"0x{opcode:04x} {name}\n" for opcode, name in sorted(entries.items()))
