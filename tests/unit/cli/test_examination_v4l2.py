# SPDX-License-Identifier: Apache-2.0
import errno
import os

from paracore.cli import _examination_v4l2 as examination
from paracore.cli._examination_v4l2 import examine_v4l2
from paracore.drivers import v4l2
from tests.unit.drivers.fake_codec import FakeCodec


def test_no_node(tmp_path):
    finding = examine_v4l2(str(tmp_path / "video*"))
    assert (finding.verdict, finding.text) == ("fair", f"there is no {tmp_path}/video*")
    assert "module" in finding.remedy


def test_no_permission(monkeypatch):
    monkeypatch.setattr(examination, "examine", lambda _: ([], {"/dev/video0": os.strerror(errno.EACCES)}))
    finding = examine_v4l2()
    assert (finding.verdict, finding.text) == ("fair", "/dev/video0: Permission denied")
    assert "group (video)" in finding.remedy


def test_no_codec(tmp_path):
    (tmp_path / "video0").touch()
    assert "stateful" in examine_v4l2(str(tmp_path / "video*")).remedy


def test_a_codec(monkeypatch):
    monkeypatch.setattr(examination, "examine", lambda path: v4l2.examine(path, calls=FakeCodec().calls))
    finding = examine_v4l2("/dev/null")
    assert (finding.verdict, finding.text) == ("good", "decode h264 by /dev/null; encode h264 by /dev/null")
