# SPDX-License-Identifier: Apache-2.0
import socket

import pytest

from paracore.cli import _examination as examination
from paracore.cli import main
from paracore.cli._examination import CHECKS, examine


def find(subject, address=None):
    return next(finding for finding in examine(address) if finding.subject == subject)


def test_each_check_finds_something():
    findings = list(examine(None))
    assert len(findings) == len(CHECKS)
    assert all(finding.text and finding.verdict in {"good", "fair", "bad"} for finding in findings)
    assert all(finding.remedy for finding in findings if finding.verdict != "good")
    assert len({finding.subject for finding in findings}) == len(findings)


def test_a_check_that_fails_is_a_finding(monkeypatch):
    def broken(_):
        raise OSError("no idea")

    monkeypatch.setattr(examination, "CHECKS", (broken,))
    (finding,) = examine(None)
    assert (finding.verdict, finding.text) == ("fair", "could not be found out: no idea")


def test_no_socket(tmp_path):
    finding = find("socket", str(tmp_path / "none"))
    assert finding.verdict == "fair"
    assert "paracore serve" in finding.remedy


def test_no_such_thing_as_a_socket(tmp_path):
    (tmp_path / "file").touch()
    assert find("socket", str(tmp_path / "file")).verdict == "bad"


def test_a_socket_that_nobody_serves(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stale:
        stale.bind(str(tmp_path / "stale"))
        assert find("socket", str(tmp_path / "stale")).verdict == "good"
        assert find("backend", str(tmp_path / "stale")).verdict == "fair"


@pytest.mark.parametrize(("options", "words"), [([], "libav codecs"), (["--json"], '"subject": "libav codecs"')])
def test_the_report(capsys, tmp_path, options, words):
    assert main(["doctor", "--address", str(tmp_path / "none"), *options]) == 0
    assert words in capsys.readouterr().out


def test_what_stands_in_the_way_is_an_exit_code(capsys, tmp_path):
    (tmp_path / "file").touch()
    assert main(["doctor", "--address", str(tmp_path / "file")]) == 5
    assert "FAIL  socket" in capsys.readouterr().out


def test_an_old_kernel(monkeypatch):
    monkeypatch.setattr(examination.platform, "release", lambda: "4.19.0-1")
    assert find("kernel").verdict == "fair"
