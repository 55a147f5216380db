# SPDX-License-Identifier: Apache-2.0
"""Draws a struct as Xen's headers do: four octets a row, a field over as many as it has.

The drawing is made from the places that the codecs use, so it cannot be out of step with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codegen._model import Form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen._model import Field, Struct

__all__ = ["octet_diagram"]

ROW = 4
CELL = 16
# A field of more rows than this is drawn with its first row and one of dots.
ROWS_SHOWN = 4

Cells = list[str]  # the name of the field at each octet of a row


class _Row(NamedTuple):
    cells: Cells
    place: str  # of its first octet
    labels: dict[str, str]  # by field


def octet_diagram(struct: Struct) -> str:
    """The drawing, without its fence."""
    rows = list(_rows(struct))
    lines = ["".join(f"{octet:^{CELL + 1}}" for octet in range(ROW)).rstrip() + "        octet"]
    lines.append(_border([], rows[0].cells))
    for row, below in zip(rows, [*(row.cells for row in rows[1:]), []], strict=True):
        lines += [_line(row), _border(row.cells, below)]
    return "\n".join(line for line in lines if "-" in line or line.strip("| "))


def _rows(struct: Struct) -> Iterator[_Row]:
    """The rows, with those in the middle of a long field left out."""
    owners = [field.name for field in struct.fields for _ in range(field.size)]
    tail = struct.tail
    skip = {field.name: _skipped(field) for field in struct.fields}
    seen: set[str] = set()
    for start in range(0, len(owners), ROW):
        cells = owners[start : start + ROW]
        if start in skip[cells[0]]:
            continue
        dots = start + ROW in skip[cells[0]] or start - ROW in skip[cells[0]]
        labels = {name: "..." if dots and name in seen else "" for name in cells if name in seen}
        labels |= {name: _label(struct, name) for name in cells if name not in seen}
        seen |= set(cells)
        yield _Row(cells, "" if "..." in labels.values() else str(start), labels)
    if tail is not None:
        yield _Row([tail.name] * ROW, str(struct.size), {tail.name: f"{tail.name}, padded with zeros ..."})


def _skipped(field: Field) -> frozenset[int]:
    """The starts of the rows of a long field that are not drawn: all but the first and one of dots."""
    first = -(-field.offset // ROW) * ROW
    starts = range(first, field.offset + field.size - ROW + 1, ROW)
    return frozenset(starts[2:]) if len(starts) > ROWS_SHOWN else frozenset()


def _label(struct: Struct, name: str) -> str:
    field = next(field for field in struct.fields if field.name == name)
    if field.form is Form.STRUCT:
        return f"{name}: struct {field.spelling}"
    return f"{name}: {field.spelling}" if field.form in (Form.ARRAY, Form.TEXT) else name


def _line(row: _Row) -> str:
    """The row itself: its fields' labels in the middle of their octets."""
    text, octet = "|", 0
    while octet < ROW:
        name = row.cells[octet]
        width = row.cells.count(name)
        room = width * (CELL + 1) - 1
        text += f"{row.labels[name][:room]:^{room}}|"
        octet += width
    return f"{text} {row.place}".rstrip()


def _border(above: Cells, below: Cells) -> str:
    """The line between two rows, open where one field goes on."""
    both = bool(above) and bool(below)
    drawn = [not both or above[octet] != below[octet] for octet in range(ROW)]
    text = ""
    for octet in range(ROW):
        text += _corner(above, below, drawn, octet) + ("-" if drawn[octet] else " ") * CELL
    return text + ("+" if drawn[-1] else "|")


def _corner(above: Cells, below: Cells, drawn: list[bool], octet: int) -> str:
    """What stands before an octet of a border: a crossing, a side that goes on, or nothing."""
    if drawn[octet] or (octet and drawn[octet - 1]):
        return "+"
    if octet and above[octet - 1] == above[octet] and below[octet - 1] == below[octet]:
        return " "
    return "|"
