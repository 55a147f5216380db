# SPDX-License-Identifier: Apache-2.0
"""The lock: numbers are given once and for ever."""

from __future__ import annotations

import pytest

from codegen._load import SpecError, load
from codegen._lock import parse, render, update


def test_new_messages_are_added_in_order(toy):
    entries = update({}, toy)
    assert list(entries) == [0x0101, 0x0201, 0x0202, 0x0203, 0x0204]
    assert parse(render(entries)) == entries
    assert update(entries, toy) == entries


def test_a_message_that_left_keeps_its_number(toy):
    entries = update({0x0105: "other.gone"}, toy)
    assert entries[0x0105] == "other.gone"
    assert "0x0105 other.gone\n" in render(entries)


def test_a_number_is_never_reused(toy):
    with pytest.raises(SpecError, match=r"toy\.nested: opcode 0x0203 belongs to toy\.gone for ever"):
        update({0x0203: "toy.gone"}, toy)


def test_a_message_is_never_renumbered(toy):
    with pytest.raises(SpecError, match=r"toy\.nested: has opcode 0x0299 for ever"):
        update({0x0299: "toy.nested"}, toy)


def test_a_message_is_never_renamed(toy, toy_text):
    renamed = load(toy_text.replace('name = "nested"', 'name = "nest"'))
    with pytest.raises(SpecError, match=r"toy\.nest: opcode 0x0203 belongs to toy\.nested"):
        update(update({}, toy), renamed)


@pytest.mark.parametrize(
    "line", ["0x0101", "101 other.share", "0x101 other.share", "0x0101 share", "0x0101 other.share  ", "0x0101 a.b c"]
)
def test_a_line_that_cannot_be_read_is_refused(line):
    with pytest.raises(SpecError, match=r"opcodes\.lock:2: cannot read"):
        parse(f"# a comment\n{line}\n")


@pytest.mark.parametrize("lines", ["0x0101 a.b\n0x0101 a.c\n", "0x0101 a.b\n0x0102 a.b\n"])
def test_a_line_that_comes_twice_is_refused(lines):
    with pytest.raises(SpecError, match="given twice"):
        parse(lines)
