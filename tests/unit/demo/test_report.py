# SPDX-License-Identifier: Apache-2.0
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from paracore.demo._board import Board, print_report
from paracore.demo._report import ClipResult, DomainResult, Report, Thumbnail, count_different
from paracore.demo._run import ProgramFailed, Run, Runner, time_program
from paracore.demo._sheet import draw_sheet


def run(seconds: float, first: float = 0.01) -> Run:
    return Run(pictures=100, connecting=9.0, started=10.0, first=9.0 + first, ended=10.0 + seconds)


def clip(different: int = 0) -> ClipResult:
    thumbnail = Thumbnail(1.5, 4, 2, bytes(24))
    runs, plain = [run(1.0), run(2.0), run(1.1)], [run(0.9), run(1.0), run(1.1)]
    return ClipResult("clip", 100, different, [thumbnail], runs, plain)


def report(*, different: int = 0, confined: bool = True, copies: int = 0) -> Report:
    return Report("vpu0", 1, [DomainResult("one", {"user": 61001}, {"no /dev": confined}, [clip(different)])], copies)


def test_differences_are_counted_place_by_place():
    assert count_different(["a", "b"], ["a", "b"]) == 0
    assert count_different(["b", "a"], ["a", "b"]) == 2


def test_missing_and_surplus_pictures_count_as_different():
    assert count_different(["a"], ["a", "b", "c"]) == 2
    assert count_different(["a", "b"], ["a"]) == 1


def test_a_ratio_is_the_median_of_the_rounds_not_of_the_rates():
    assert clip().ratio == pytest.approx(0.9)
    assert clip().rate == pytest.approx(100 / 1.1)


def test_the_first_picture_is_timed_from_having_nothing():
    assert run(1.0, first=0.25).first_picture == pytest.approx(0.25)


def test_good_is_only_what_is_right_confined_and_not_copied():
    assert report().ok
    assert not report(different=1).ok
    assert not report(confined=False).ok
    assert not report(copies=1).ok
    assert not Report("vpu0", 1, [], 0).ok


def test_report_has_the_promised_facts(tmp_path):
    path = tmp_path / "report.json"
    report(different=3).write(path)
    facts = json.loads(path.read_text())
    assert (facts["ok"], facts["pictures"], facts["different"], facts["pixel_copies"]) == (False, 100, 3, 0)
    assert [domain["name"] for domain in facts["domains"]] == ["one"]


def test_sheet_is_a_png(tmp_path):
    path = tmp_path / "sheet.png"
    draw_sheet(report(), path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_program_is_timed_from_its_own_words():
    times = '{"pictures": 3, "connecting": 1.0, "started": 2.0, "first": 2.5, "ended": 5.0}'
    timed = time_program(["sh", "-c", f"echo ready; read line; echo '{times}'"])
    assert (timed.pictures, timed.seconds, timed.first_picture) == (3, 3.0, 1.5)


@pytest.mark.parametrize("script", ["echo no codec >&2; exit 1", "echo ready; read line; echo no codec >&2"])
def test_a_program_that_fails_is_quoted(script):
    with pytest.raises(ProgramFailed, match="no codec"):
        time_program(["sh", "-c", script])


def test_a_program_does_not_outlive_its_runner():
    with Runner(["sh", "-c", "echo ready; exec sleep 100"]) as runner:
        process = runner._process
    assert process.returncode is not None


def test_table_fits_a_terminal_of_80_columns():
    out = io.StringIO()
    clips = [replace(clip(), clip="bigbuckbunny-1080", pictures=1000)]
    domains = [DomainResult("garden", {"user": 61001}, {"no /dev": True, "own pid namespace": True}, clips)]
    print_report(Console(file=out, width=80), Report("vpu0", 1, domains, 0), Path("build/demo"))
    assert "…" not in out.getvalue()
    assert "bigbuckbunny-1080" in out.getvalue()


def test_bars_are_lines_where_there_is_no_terminal():
    out = io.StringIO()
    with Board(Console(file=out, width=80)) as board, board.bar("decoding", 3) as step:
        assert step("given back") == "given back"
    assert out.getvalue().startswith("decoding: 3 in ")
