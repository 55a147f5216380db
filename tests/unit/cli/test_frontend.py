# SPDX-License-Identifier: Apache-2.0
import grp

import pytest

from paracore.cli import ExitCode, main
from paracore.cli._frontend import _settings
from paracore.cli._parser import make_parser
from paracore.frontend import FrontendSettings
from paracore.transport.xen import _devices


def settings(*words):
    return _settings(make_parser().parse_args(["frontend", *words]))


def test_as_it_comes():
    assert settings() == FrontendSettings()


def test_everything_said():
    group = grp.getgrgid(0)
    said = ("--socket", "/tmp/p.sock", "--socket-mode", "666", "--group", group.gr_name, "--device", "1")
    assert settings(*said, "--backend-timeout", "2.5", "--log-level", "error") == FrontendSettings(
        socket="/tmp/p.sock", socket_mode=0o666, group=0, device=1, backend_timeout=2.5, log_level="error"
    )


def test_a_groups_number():
    assert settings("--group", "4711").group == 4711


def test_an_unknown_group(capsys):
    assert main(["frontend", "--group", "no-such-group"]) == ExitCode.USAGE
    assert "groupadd" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--socket-mode", "9"), ("--socket-mode", "1777"), ("--backend-timeout", "0")])
def test_values_that_make_no_sense(words):
    with pytest.raises(SystemExit):
        settings(*words)


def test_outside_xen_the_remedy_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(_devices.XenHypervisor.__init__, "__defaults__", (tmp_path,))
    assert main(["frontend", "--socket", str(tmp_path / "p.sock")]) == ExitCode.BACKEND
    assert "modprobe xen-gntalloc" in capsys.readouterr().err
