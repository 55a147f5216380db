# SPDX-License-Identifier: Apache-2.0
"""Draws the session's state machine from the table that both ends use."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Table", "load_sessions", "session_diagram", "session_table"]

Table: TypeAlias = dict[str, dict[str, str]]
"""``{state: {step: outcome}}``; an outcome that is no state is a refusal."""

FAULT = "violation"
CLOSED = "closed"


def load_sessions(path: Path) -> dict[str, Table]:
    """The tables of ``protocol/_session.py`` by direction, without importing the package."""
    spec = importlib.util.spec_from_file_location("_session_table", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tables: dict[str, Table] = module.SESSION
    return tables


def session_diagram(table: Table) -> str:
    """A Mermaid diagram of every step that moves."""
    edges: dict[tuple[str, str], list[str]] = {}
    for state, row in table.items():
        for step, outcome in row.items():
            if outcome in table and outcome != state:
                edges.setdefault((state, outcome), []).append(step)
    lines = [f"    {_node(a)} --> {_node(b)}: {', '.join(steps)}\n" for (a, b), steps in edges.items()]
    return f"```mermaid\nstateDiagram-v2\n{''.join(lines)}```\n"


def _node(state: str) -> str:
    return "[*]" if state == CLOSED else str(state)


def session_table(table: Table) -> str:
    """Every outcome: a row a step, a column a state."""
    steps = list(next(iter(table.values())))
    head = "| step | " + " | ".join(table) + " |\n|---" * 1 + "|---" * len(table) + "|\n"
    rows = (f"| `{step}` | " + " | ".join(_cell(table, state, step) for state in table) + " |\n" for step in steps)
    return head + "".join(rows)


def _cell(table: Table, state: str, step: str) -> str:
    outcome = table[state][step]
    if outcome == state:
        return "stays"
    if outcome in table:
        return f"→ {outcome}"
    return "✗" if outcome == FAULT else f"*{outcome}*"
