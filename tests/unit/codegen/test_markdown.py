# SPDX-License-Identifier: Apache-2.0
"""The reference pages: drawings from the same places as the code, and every field there."""

from __future__ import annotations

import re

import pytest

from codegen._octets import octet_diagram
from tests.payloads import ROOT, specification

ARRAYS = """\
        0                1                2                3        octet
+----------------+----------------+----------------+----------------+
|                  octets: u8[3]                   |   one: i8[1]   | 0
+----------------+----------------+----------------+----------------+
|                          text: char[12]                           | 4
|                                                                   | 8
|                                                                   | 12
+----------------+----------------+----------------+----------------+
|                           words: u32[3]                           | 16
|                                                                   | 20
|                                                                   | 24
+----------------+----------------+----------------+----------------+
|                         reserved0: u8[4]                          | 28
+----------------+----------------+----------------+----------------+
|                           longs: i64[2]                           | 32
|                                                                   | 36
|                                                                   | 40
|                                                                   | 44
+----------------+----------------+----------------+----------------+
|                           many: u32[6]                            | 48
|                                ...                                |
+----------------+----------------+----------------+----------------+"""


def test_a_drawing_shows_each_field_at_its_octets(toy):
    assert octet_diagram(toy.messages[2].reply) == ARRAYS


def test_a_tail_is_drawn_open(toy):
    assert octet_diagram(toy.messages[-1].request).splitlines()[-2].strip("| 16") == "data, padded with zeros ..."


@pytest.mark.parametrize("name", ["toy", "other"])
def test_each_field_and_value_is_on_the_page(name, toy, toy_files):
    page = toy_files[f"docs/protocol/{name}.md"]
    of = next(of for of in toy.classes if of.name == name)
    for message in of.messages:
        assert f"`{message.name}` {message.kind} {message.opcode:#06x}" in page
        for payload in (message.request, message.reply):
            for field in payload.fields if payload else ():
                assert f"| {field.offset} | `{field.name}` |" in page


def test_a_bar_in_a_table_is_escaped(toy_files):
    assert "and | a bar" in toy_files["docs/protocol/toy.md"], "outside of a table it is not"


PAGES = sorted((ROOT / "docs/protocol").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_between_pages_leads_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        other = page.parent / target if target else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), f"{target}#{anchor}"


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_pages_of_all_classes_are_there():
    assert {of.name for of in specification().classes} <= {page.stem for page in PAGES}
