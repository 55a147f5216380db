# SPDX-License-Identifier: Apache-2.0
"""Shaping of emitted text: notices, wrapped docs, lists that fit a line or take one each."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["C_WIDTH", "NOTICE", "PYTHON_WIDTH", "c_comment", "doc_block", "spread", "union", "unit", "wrap"]

PYTHON_WIDTH = 120
C_WIDTH = 100

NOTICE = ("Made by codegen from specs/paracore.toml; do not edit.", "To make it again: make gen")


def unit(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def wrap(text: str, width: int) -> list[str]:
    """A text on lines of this width; words and names stay whole."""
    return textwrap.wrap(unit(text), width, break_long_words=False, break_on_hyphens=False)


def doc_block(text: str, indent: str = "    ") -> str:
    """What stands between the quotes of a docstring, under this indent."""
    flat = unit(text).replace("\\", "\\\\").replace('"""', "'''")
    lines = wrap(flat, PYTHON_WIDTH - 10 - len(indent))
    end = f"\n{indent}" if len(lines) > 1 else ""
    return f"\n{indent}".join(lines) + end


def spread(indent: str, head: str, items: Sequence[str], end: str) -> str:
    """``head`` items ``end`` as the formatter has it: on one line, on three, or an item a line."""
    inner = ", ".join(items)
    if len(indent + head + inner + end) <= PYTHON_WIDTH:
        return f"{indent}{head}{inner}{end}\n"
    if len(indent) + 4 + len(inner) > PYTHON_WIDTH:
        inner = f",\n{indent}    ".join(items) + ","
    return f"{indent}{head}\n{indent}    {inner}\n{indent}{end}\n"


def union(head: str, items: Sequence[str]) -> str:
    """``head`` and alternatives as the formatter has them: on one line, on three, or one a line."""
    inner = " | ".join(items)
    if len(head) + len(inner) <= PYTHON_WIDTH:
        return f"{head}{inner}\n"
    if 4 + len(inner) > PYTHON_WIDTH:
        inner = "\n    | ".join(items)
    return f"{head}(\n    {inner}\n)\n"


def c_comment(text: str, indent: str = "") -> str:
    """A C comment of one line, or of as many as it takes."""
    flat = unit(text)
    if len(indent) + len(flat) + 6 <= C_WIDTH:
        return f"{indent}/* {flat} */\n"
    lines = wrap(flat, C_WIDTH - len(indent) - 3)
    return f"{indent}/*\n" + "".join(f"{indent} * {line}\n" for line in lines) + f"{indent} */\n"
