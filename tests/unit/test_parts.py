# SPDX-License-Identifier: Apache-2.0
"""How ``make test`` runs the tests in parts: whose exit code counts, and what is run again."""

from pathlib import Path

import pytest

from tests import parts

PASSED, FAILED, INTERNAL, NOTHING = 0, 1, 3, 5
PYTEST = """
import os, sys, time
part, until = sys.argv[sys.argv.index("--part") + 1], time.monotonic() + 20
def note(word):
    with open("order", "a") as order:
        order.write(f"{part} {word}\\n")
note("begins")
open(part, "w").write(" ".join(sys.argv))
while part == "board" and "-k" in sys.argv and not os.path.exists("beside") and time.monotonic() < until:
    time.sleep(0.01)  # it ends when the other is there
note("ends")
print(f"{part} passed", flush=True)
os._exit(int(os.environ[part]))
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the parts, each of which ends with the code that is given; which of them were run, and the exit code."""
    monkeypatch.chdir(tmp_path)
    Path("pytest.py").write_text(PYTEST, encoding="utf-8")

    def run(*arguments, **codes):
        for part in parts.PARTS:
            monkeypatch.setenv(part, str(codes.get(part, PASSED)))
            Path(part).unlink(missing_ok=True)
        code = parts.main(arguments)
        return {part for part in parts.PARTS if Path(part).exists()}, code

    return run


def test_each_part_is_run_and_has_its_cache(run):
    assert run("-k", "ring") == (set(parts.PARTS), PASSED)
    for part in parts.PARTS:
        assert Path(part).read_text().endswith(f"--xen --part {part} -o cache_dir=.pytest_cache/{part} -k ring")


def test_the_boards_run_beside_the_others_and_the_last_alone(run):
    run("-k", "ring")
    order = Path("order").read_text().splitlines()
    assert order.index("beside begins") < order.index("board ends")
    assert order[-2:] == ["alone begins", "alone ends"]


def test_nothing_is_run_again_beside_anything_else(run):
    run(board=FAILED, beside=FAILED)
    Path("order").unlink()
    run("--last-failed")
    assert Path("order").read_text().split() == [
        "board",
        "begins",
        "board",
        "ends",
        "beside",
        "begins",
        "beside",
        "ends",
    ]


def test_what_the_board_said_is_shown(run, capsys):
    run()
    assert capsys.readouterr().out.count("board passed") == 1
    assert parts.SAID.read_text() == "board passed\n"


@pytest.mark.parametrize("part", parts.PARTS)
def test_the_failure_of_one_is_the_failure_of_all(run, part):
    assert run(**{part: FAILED})[1] == FAILED


def test_a_part_without_such_tests_is_no_failure(run):
    assert run(board=NOTHING, alone=NOTHING)[1] == PASSED
    assert run(beside=NOTHING, board=NOTHING, alone=NOTHING)[1] == NOTHING


def test_what_passed_is_not_run_again(run):
    run(board=FAILED)
    assert run("--last-failed") == ({parts.BOARD}, PASSED)


def test_when_all_passed_all_are_run_again(run):
    run()
    assert run("--last-failed")[0] == set(parts.PARTS)


def test_a_part_that_broke_off_is_run_as_a_whole(run):
    cache = Path(".pytest_cache", parts.BESIDE)
    cache.mkdir(parents=True)
    (cache / "lastfailed").touch()
    run(beside=INTERNAL)
    assert not cache.exists()
    assert run("--last-failed") == ({parts.BESIDE}, PASSED)
