# SPDX-License-Identifier: Apache-2.0
"""Each advisory of the past has its tests, and they are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| ((?:XSA-|Linux ).+?) \|.+\| (.+?) \|$", (ROOT / "docs/reference/advisories.md").read_text(), re.MULTILINE
)


def functions(path):
    """Names, and what decorates them."""
    tree = ast.parse((ROOT / path).read_text())
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name: " ".join(map(ast.unparse, node.decorator_list)) for node in found}


def test_the_table_is_read_whole():
    assert len(ROWS) == 12


@pytest.mark.parametrize(("advisory", "tests"), ROWS, ids=[row[0] for row in ROWS])
def test_the_tests_are_there(advisory, tests):
    named = re.findall(r"`(.+?)::(.+?)`", tests)
    assert named
    for path, name in named:
        decorations = functions(path).get(name)
        assert decorations is not None, f"{advisory}: {path} has no {name}"
        assert not re.search(r"\b(long|skip|skipif|xfail)\b", decorations), f"{advisory}: {name} is not run each time"
