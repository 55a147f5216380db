# SPDX-License-Identifier: Apache-2.0
"""What is checked in is what the generator makes, and the generator makes the same each time."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from codegen.__main__ import main
from codegen._artefacts import LOCK, PROSE, SESSION, SPECIFICATION, XENBUS, artefacts, render
from codegen._load import SpecError
from codegen._prose import refresh
from codegen._session import load_sessions
from codegen._xenbus import load_xenbus
from tests.payloads import ROOT, specification


def test_regenerating_changes_nothing():
    stale = [path for path, text in artefacts(ROOT).items() if (ROOT / path).read_text(encoding="utf-8") != text]
    assert not stale, "run `make gen`"


def test_the_same_comes_out_each_time():
    assert render(specification()) == render(specification())


@pytest.mark.parametrize("path", [path for path in render(specification()) if not path.endswith(".md")])
def test_a_generated_file_says_how_to_make_it_again(path):
    head = render(specification())[path][:2000]
    assert "SPDX-License-Identifier: Apache-2.0" in head
    assert "specs/paracore.toml; do not edit" in head
    assert "make gen" in head


@pytest.mark.parametrize("which", ["toy", "paracore"])
def test_generated_python_is_as_formatter_and_type_checker_want_it(which, tmp_path, toy_files):
    files = toy_files if which == "toy" else render(specification())
    for name in ("_errors.py", "classes/_payload.py", "__init__.py"):
        _copy(f"src/paracore/{name}", tmp_path)
    python = [path for path in files if path.endswith(".py")]
    for path in python:
        _put(tmp_path / path, files[path])
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=120", "--check", *python]
    subprocess.run(ruff, cwd=tmp_path, check=True, capture_output=True)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", f"--cache-dir={tmp_path}/.cache"]
    subprocess.run([*mypy, *python], cwd=tmp_path, env={"MYPYPATH": "src"}, check=True)


def _put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _copy(path, root):
    _put(root / path, (ROOT / path).read_text(encoding="utf-8"))


@pytest.fixture
def tree(tmp_path):
    """Just what the generator reads."""
    for path in (SPECIFICATION, LOCK, SESSION, f"{XENBUS}/_xenbus.py", f"{XENBUS}/_nodes.py", *PROSE):
        _copy(path, tmp_path)
    return tmp_path


def test_check_writes_nothing_and_fails_until_all_is_made(tree, capsys):
    assert main(["--root", str(tree), "--check"]) == 1
    assert "stale: native/core/protocol_table.c" in capsys.readouterr().out
    assert not (tree / "native").exists()
    assert main(["--root", str(tree)]) == 0
    assert "made: native/core/protocol_table.c" in capsys.readouterr().out
    assert main(["--root", str(tree), "--check"]) == 0
    assert main(["--root", str(tree)]) == 0
    assert capsys.readouterr().out == ""


def test_a_wrong_specification_is_one_line_and_exit_code_1(tree, capsys):
    text = (tree / SPECIFICATION).read_text(encoding="utf-8")
    _put(tree / SPECIFICATION, text.replace('name = "drain"', 'name = "drains"'))
    assert main(["--root", str(tree)]) == 1
    assert (
        capsys.readouterr().err
        == "codegen: video.drains: opcode 0x010a belongs to video.drain for ever (opcodes.lock)\n"
    )


def test_a_tree_without_a_lock_or_pages_gets_a_lock(tree):
    (tree / LOCK).unlink()
    shutil.rmtree(tree / "docs")
    files = artefacts(tree)
    assert files[LOCK] == (ROOT / LOCK).read_text(encoding="utf-8")
    assert not set(PROSE) & set(files)


def test_a_page_that_asks_for_what_is_not_there_is_refused():
    sessions, xenbus = load_sessions(ROOT / SESSION), load_xenbus(ROOT / XENBUS)
    for asked in ("struct nothing", "table nothing", "poem limits", "limit", "moves nobody", "flow nothing"):
        with pytest.raises(SpecError, match="there is none"):
            refresh(f"<!-- made: {asked} -->\n<!-- end -->", specification(), sessions, xenbus)


def test_only_what_is_made_is_refreshed():
    sessions, xenbus = load_sessions(ROOT / SESSION), load_xenbus(ROOT / XENBUS)
    page = "before\n<!-- made: diagram decode -->\nold\n<!-- end -->\nafter\n"
    fresh = refresh(page, specification(), sessions, xenbus)
    assert fresh.startswith("before\n<!-- made: diagram decode -->\n\n```mermaid\n")
    assert fresh.endswith("<!-- end -->\nafter\n")
    assert "[*] --> formatless: open_reply" in fresh
    assert refresh(fresh, specification(), sessions, xenbus) == fresh
