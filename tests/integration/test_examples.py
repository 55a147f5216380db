# SPDX-License-Identifier: Apache-2.0
"""Each example does what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paracore.backend import PrivateBackend
from paracore.media import demux
from tests.unit.media.films import film

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def environment():
    with PrivateBackend() as backend:
        yield os.environ | {"PARACORE_SOCKET": backend.address}


def run(environment, name, *words):
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60).stdout


def test_decode(environment):
    lines = run(environment, "decode.py", film("h264.mp4")).splitlines()
    assert lines[0].endswith("h264 176x144, on vpu0 as domain private")
    assert len(lines) == 21
    assert "intra" in lines[1]


def test_draw(environment, tmp_path):
    run(environment, "draw.py", tmp_path / "x.mp4")
    with demux(tmp_path / "x.mp4") as stream:
        assert len(list(stream)) == 50


def test_together(environment):
    text = run(environment, "together.py", film("h264.mp4"), film("vp9.webm"), film("mpeg2.ts"))
    assert text.count(": 20 pictures\n") == 3


def test_steps(environment):
    text = run(environment, "steps.py", film("h264.mkv"))
    assert "20 pictures from the beginning" in text
    assert "176x144 samples" in text


def test_each_example_is_listed():
    listed = (EXAMPLES / "README.md").read_text()
    assert all(f"`{path.name} " in listed for path in EXAMPLES.glob("*.py"))
