# SPDX-License-Identifier: Apache-2.0
"""Refreshes the made parts of hand-written pages.

A page says where: what stands between ``<!-- made: struct message_header -->`` and ``<!-- end -->``
is replaced by what is named there. All else is left as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from codegen._flow import flow
from codegen._load import SpecError
from codegen._markdown import enum_table, limits_table, struct_section
from codegen._session import session_diagram, session_table
from codegen._xenbus import action_table, move_table, node_table, single_table, state_table

if TYPE_CHECKING:
    from codegen._model import Protocol
    from codegen._session import Table
    from codegen._xenbus import Xenbus

__all__ = ["refresh"]

_PART = re.compile(r"(<!-- made: ([a-z]+)(?: (\w+))? -->\n).*?(<!-- end -->)", re.DOTALL)


def refresh(text: str, protocol: Protocol, sessions: dict[str, Table], xenbus: Xenbus) -> str:
    """The page with each made part as it must be."""

    def part(match: re.Match[str]) -> str:
        return f"{match[1]}\n{_made(match[2], match[3] or '', protocol, sessions, xenbus)}\n{match[4]}"

    return _PART.sub(part, text)


def _made(kind: str, name: str, protocol: Protocol, sessions: dict[str, Table], xenbus: Xenbus) -> str:
    makers = {
        "struct": lambda: struct_section(protocol.struct(name), lambda _: ""),
        "flags": lambda: enum_table(protocol.enum(name)),
        "limits": lambda: limits_table(protocol.limits),
        "diagram": lambda: session_diagram(sessions[name]),
        "table": lambda: session_table(sessions[name]),
        "states": lambda: state_table(xenbus),
        "actions": lambda: action_table(xenbus),
        "moves": lambda: move_table(xenbus, name),
        "single": lambda: single_table(xenbus, name),
        "nodes": lambda: node_table(xenbus, name),
        "flow": lambda: flow(xenbus, name),
    }
    try:
        return makers[kind]()
    except (KeyError, StopIteration):
        raise SpecError("docs", f"a page asks for {kind} {name}, and there is none") from None
