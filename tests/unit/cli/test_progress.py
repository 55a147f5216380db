# SPDX-License-Identifier: Apache-2.0
import argparse
import io
import json
import re
import sys

import pytest

from paracore.cli import ExitCode
from paracore.cli._complaints import output_verdict
from paracore.cli._progress import Tally, progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def told(monkeypatch, stream, **settings):
    monkeypatch.setattr(sys, "stderr", stream)
    with progress("decoding h264", 10, **settings) as tell:
        for done in range(1, 11):
            tell(done)
    return stream.getvalue()


def test_a_terminal_sees_progress(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", told(monkeypatch, Terminal(), quiet=False))
    assert "decoding h264" in text


def test_nobody_else_does(monkeypatch):
    assert told(monkeypatch, io.StringIO(), quiet=False) == ""
    assert told(monkeypatch, Terminal(), quiet=True) == ""


def test_a_summary_for_a_person_and_for_a_program():
    tally = Tally()
    tally.restart()
    tally.pictures, tally.damaged, tally.octets = 3, 1, 99
    tally.facts["codec"] = "h264"
    assert re.fullmatch(r"3 pictures in [0-9.]+ s \(\d+ pictures/s\), 99 octets", tally.summary(as_json=False))
    facts = json.loads(tally.summary(as_json=True))
    assert facts["pictures"] == 3
    assert facts["damaged"] == 1
    assert facts["octets"] == 99
    assert facts["codec"] == "h264"
    assert not {"recoveries", "lost"} & set(facts)


def test_what_was_lost_is_in_the_summary_and_the_verdict(capsys):
    tally = Tally()
    assert output_verdict("out.mp4", tally) is ExitCode.OK
    tally.recoveries, tally.lost = 2, 7
    facts = json.loads(tally.summary(as_json=True))
    assert (facts["recoveries"], facts["lost"]) == (2, 7)
    assert output_verdict("out.mp4", tally) is ExitCode.BACKEND
    assert "out.mp4: 7 pictures are missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "as_json", "quiet", "where"),
    [
        ("x", False, False, "out"),
        ("x", False, True, None),
        ("-", False, False, None),
        ("-", True, False, "err"),
        (None, True, False, "out"),
    ],
)
def test_the_summary_stays_out_of_the_way(capsys, output, as_json, quiet, where):
    Tally().print(argparse.Namespace(output=output, json=as_json, quiet=quiet))
    captured = capsys.readouterr()
    assert bool(captured.out) == (where == "out")
    assert bool(captured.err) == (where == "err")
