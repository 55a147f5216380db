# SPDX-License-Identifier: Apache-2.0
"""The library that is preloaded, as a file: what it exports, what it needs, and what it calls."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.shims.conftest import NATIVE

ROOT = Path(__file__).parents[3]
SHIM = NATIVE / "libparacore-v4l2.so"
SOURCES = ROOT / "native/shims/v4l2"


def said(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True).stdout


def named():
    text = (SOURCES / "v4l2.map").read_text(encoding="utf-8")
    return set(re.findall(r"^    (\w+);$", text, re.MULTILINE))


def test_it_exports_what_its_map_says():
    symbols = {line.split()[-1] for line in said("nm", "-D", "--defined-only", SHIM).splitlines()}
    assert symbols == named()  # and none with a version: it would not stand in for libc's


def test_it_needs_nothing_beside_it():
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", said("readelf", "-d", SHIM)))
    assert needed <= {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def test_its_own_calls_are_not_interposed():
    """Whatever the device calls of what is interposed is wrapped, see meson.build."""
    build = ROOT / "build/native/native/shims"
    if not build.exists():
        pytest.skip("there is no build folder here: make native")
    text = (SOURCES / "meson.build").read_text(encoding="utf-8")
    wrapped = set(re.findall(r"'(\w+)'", re.search(r"foreach name : \[(.*?)\]", text, re.DOTALL)[1]))
    shim = [build / "v4l2/libparacore-v4l2.so.p", build / "link"]
    own = [path for folder in shim for path in folder.rglob("*.o") if not path.name.startswith(("interpose", "udev"))]
    own += (ROOT / "build/native/native/frontend").rglob("*.o")
    own += (ROOT / "build/native/native/core").rglob("*.o")
    called = {line.split()[-1] for path in own for line in said("nm", "-u", path).splitlines() if line}
    assert called & named() - wrapped == set()
