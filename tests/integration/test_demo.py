# SPDX-License-Identifier: Apache-2.0
"""The demo as a user runs it, with one timed round; its cells are tried from inside by the demo itself."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from paracore.demo import Backend, DomainFailed, Member, machine, natural_clip
from paracore.demo._confinement import namespaces
from paracore.demo._process import DomainProcess
from paracore.demo._sandbox import NAMESPACES, SOCKET, Sandbox

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="domains get users of their own, which only root can start"),
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("paracore")


@pytest.fixture
def backend():
    with Backend([Member("one", uid=61001)]) as backend:
        yield backend


@pytest.mark.timeout(400)
def test_demo():
    output = ROOT / "build" / "test-demo"  # beside the clips, which take their time to make
    shutil.rmtree(output, ignore_errors=True)
    words = [PROGRAM, "demo", "--rounds", "1", "--output", output]
    run = subprocess.run(words, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads((output / "report.json").read_text())
    assert report["ok"]
    assert report["pictures"] == sum(domain["pictures"] for domain in report["domains"]) > 800
    assert (report["different"], report["pixel_copies"]) == (0, 0)
    assert len({domain["user"] for domain in report["domains"]}) == len(report["domains"]) >= 2
    assert all(domain["confined"] for domain in report["domains"])
    assert {clip["clip"] for domain in report["domains"] for clip in domain["clips"]} >= {"bigbuckbunny", "bikes"}
    assert report["machine"] == machine()
    assert (output / "contact-sheet.png").stat().st_size > 100_000
    assert f"every one of {report['pictures']} pictures is plain libav's" in run.stdout


def test_a_domain_is_confined(backend):
    with DomainProcess("one", Sandbox(61001, backend.socket)) as domain:
        (answer,) = domain.ask("look_around", uid=61001, outside=namespaces(NAMESPACES))
    assert answer["checks"]
    assert all(answer["checks"].values())


def test_a_check_fails_when_the_domain_is_not_confined():
    """The same questions, asked of this very process."""
    from paracore.demo._confinement import confinement

    found = confinement(61001, namespaces(NAMESPACES))
    assert not found["own pid namespace"]
    assert not found["no /dev"]
    assert not found["no capability"]
    assert not found["user 61001"]


def test_a_user_without_a_domain_is_refused(backend):
    clip = natural_clip("bikes").path
    task = {"socket": str(SOCKET), "device": "vpu0", "path": str(clip), "threads": 1}
    with (
        DomainProcess("two", Sandbox(61002, backend.socket, (clip,))) as domain,
        pytest.raises(DomainFailed, match="PermissionRefused"),
    ):
        list(domain.ask("run", **task))


def test_a_domain_that_cannot_start_says_why(tmp_path):
    with (
        DomainProcess("one", Sandbox(61001, tmp_path / "nothing")) as domain,
        pytest.raises(DomainFailed, match="nothing"),
    ):
        list(domain.ask("look_around", uid=61001, outside={}))
