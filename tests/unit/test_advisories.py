# SPDX-License-Identifier: Apache-2.0
"""Each advisory of the past has its tests, and they are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| (XSA-.+?) \|.+\| (.+?) \|$", (ROOT / "docs/reference/advisories.md").read_text(), re.MULTILINE)


def functions(path):
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_table_is_read_whole():
    assert len(ROWS) == 11


@pytest.mark.parametrize(("advisory", "tests"), ROWS, ids=[row[0] for row in ROWS])
def test_the_tests_are_there(advisory, tests):
    named = re.findall(r"`(.+?)::(.+?)`", tests)
    assert named
    for path, name in named:
        assert name in functions(path), f"{advisory}: {path} has no {name}"
