# SPDX-License-Identifier: Apache-2.0
"""Draws the xenbus tables and the nodes of a device."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

__all__ = [
    "Xenbus",
    "action_table",
    "load_xenbus",
    "move_table",
    "node_table",
    "single_table",
    "state_table",
]

WAIT = "wait"


class Xenbus(NamedTuple):
    """The modules of the tables, without importing the package."""

    states: ModuleType
    nodes: ModuleType


def load_xenbus(folder: Path) -> Xenbus:
    """The tables of ``protocol/_xenbus.py`` and ``protocol/_nodes.py``."""
    return Xenbus(_load(folder / "_xenbus.py"), _load(folder / "_nodes.py"))


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"codegen.loaded{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where typing looks for it
    spec.loader.exec_module(module)
    return module


def state_table(of: Xenbus) -> str:
    """Number, name and meaning of each state."""
    docs = _docs(of.states, "XenbusState")
    rows = (f"| {int(state)} | `{state.name}` | {docs[state.name]} |\n" for state in of.states.XenbusState)
    return "| number | state | of the end that says so |\n|---|---|---|\n" + "".join(rows)


def action_table(of: Xenbus) -> str:
    """Name and meaning of each action."""
    docs = _docs(of.states, "XenbusAction")
    rows = (f"| *{action}* | {docs[action.name]} |\n" for action in of.states.XenbusAction)
    return "| action | what is done |\n|---|---|\n" + "".join(rows)


def move_table(of: Xenbus, end: str) -> str:
    """Every move of an end: a row for each state of its own, a column for each of the other's."""
    states = list(of.states.XenbusState)
    head = "| own ↓ other → | " + " | ".join(map(_name, states)) + " |\n|---" * 1 + "|---" * len(states) + "|\n"
    rows = (
        f"| {_name(own)} | " + " | ".join(_cell(own, of.states.XENBUS[end][own][other]) for other in states) + " |\n"
        for own in states
    )
    return head + "".join(rows)


def single_table(of: Xenbus, name: str) -> str:
    """What an end does by itself: when it starts, and when it leaves."""
    tables = {"start": of.states.XENBUS_START, "stop": of.states.XENBUS_STOP}[name]
    ends = [of.states.End.FRONTEND, of.states.End.BACKEND]
    rows = (
        f"| {_name(own)} | " + " | ".join(_cell(own, tables[end][own]) for end in ends) + " |\n"
        for own in of.states.XenbusState
    )
    return "| own | frontend | backend |\n|---|---|---|\n" + "".join(rows)


def node_table(of: Xenbus, directory: str) -> str:
    """Every node of a directory."""
    rows = (
        f"| `{node.name}` | {node.writer} | {node.values} | {_default(node.default)} | {node.note} |\n"
        for node in of.nodes.NODES[directory]
    )
    return "| node | written by | values | default | notes |\n|---|---|---|---|---|\n" + "".join(rows)


def _docs(module: ModuleType, name: str) -> dict[str, str]:
    """The strings that stand behind the members of an enumeration."""
    tree = ast.parse(inspect.getsource(module))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    found = {}
    for member, text in pairwise(body):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            assert isinstance(member.targets[0], ast.Name)
            found[member.targets[0].id] = " ".join(str(text.value.value).split())
    return found


def _name(state: Any) -> str:
    return str(state.name).lower()


def _cell(own: Any, move: Any) -> str:
    if move.action == WAIT:
        return "·"
    return f"*{move.action}*" if move.state == own else f"*{move.action}* → {_name(move.state)}"


def _default(text: str | None) -> str:
    return "must be there" if text is None else f"`{text}`" if text else "none"
