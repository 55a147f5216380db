# SPDX-License-Identifier: Apache-2.0
"""The page of the Xen device: drawn from the tables that both ends use, and all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen._artefacts import XENBUS
from codegen._flow import DOES, FLOWS, flow
from codegen._xenbus import action_table, load_xenbus, move_table, node_table, single_table, state_table
from paracore.protocol import NODES, End, XenbusAction, XenbusState

ROOT = Path(__file__).resolve().parents[3]
TABLES = load_xenbus(ROOT / XENBUS)
PAGE = (ROOT / "docs/protocol/xenbus.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FLOWS)
def test_flows_come_to_rest_where_they_should(name):
    last = {"detach": "CLOSED", "frontend_leaves": "CLOSED", "frontend_gone": "CLOSED"}.get(name, "CONNECTED")
    lines = flow(TABLES, name).splitlines()
    columns = [line[:47].strip() for line in lines], [line[47:].strip() for line in lines]
    states = [[cell for cell in column if cell in XenbusState.__members__] for column in columns]
    assert states[1][-1] == last
    assert states[0][-1] == last or name == "frontend_gone"
    assert FLOWS[name].text.split(":")[0][:20] in " ".join(" ".join(line.split()) for line in lines)


def test_what_is_held_is_let_go_of_once():
    drawn = flow(TABLES, "frontend_restart")
    assert drawn.count("unmaps all") == 1  # the backend's
    assert "frees its" not in drawn  # a new process holds nothing


def test_the_page_has_all_of_it():
    for made in (
        state_table(TABLES), action_table(TABLES), *(move_table(TABLES, end) for end in End),
        *(single_table(TABLES, name) for name in ("start", "stop")), *(node_table(TABLES, name) for name in NODES),
        *(flow(TABLES, name) for name in FLOWS),
    ):  # fmt: skip
        assert made in PAGE


def test_each_state_and_action_is_explained():
    assert state_table(TABLES).count("\n") == 2 + len(XenbusState)
    assert action_table(TABLES).count("\n") == 2 + len(XenbusAction)
    assert "None" not in state_table(TABLES) + action_table(TABLES)


def test_each_action_is_drawn_at_each_end():
    drawn = {action for row in TABLES.states.XENBUS.values() for moves in row.values() for action, _ in moves.values()}
    silent = {XenbusAction.WAIT, XenbusAction.FORGET}
    assert {(str(end), str(action)) for end in End for action in drawn - silent} <= set(DOES)
