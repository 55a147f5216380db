# SPDX-License-Identifier: Apache-2.0
"""The C code in each build that matters: plain, under the sanitizers, for arm64, and as a C user installs it.

The build directories stay in ``build/``, so that only the first run is slow.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build"
NATIVE = ROOT / "src" / "paracore" / "_native"
CROSS = "native/cross/aarch64-linux-gnu.ini"
PATH = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])


def run(*command: str | Path, **environment: str) -> str:
    """Runs a program; what it said is the message of a failure."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PATH": PATH, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
    return done.stdout


def meson(*arguments: str | Path) -> str:
    return run(sys.executable, "-m", "mesonbuild.mesonmain", *arguments)


def build(name: str, *options: str) -> Path:
    """A build directory without Python, brought up to date."""
    directory = BUILD / name
    if not (directory / "build.ninja").exists():
        shutil.rmtree(directory, ignore_errors=True)
        meson("setup", directory, "-Dbindings=disabled", *options)
    meson("compile", "-C", directory)
    return directory


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("test-plain", []),
        ("test-address", ["-Db_sanitize=address,undefined", "-Db_lundef=false"]),
        ("test-thread", ["-Db_sanitize=thread", "-Db_lundef=false"]),
    ],
)
def test_the_tests_in_c_pass(name, options):
    meson("test", "-C", build(name, *options), "--print-errorlogs", "--num-processes=2")


@pytest.mark.timeout(600)
@pytest.mark.long
def test_a_million_fuzzed_messages():
    directory = build("test-address", "-Db_sanitize=address,undefined", "-Db_lundef=false")
    for seed in range(1, 6):
        run(directory / "native/tests/test-fuzz-loop", "400000", str(seed))


@pytest.mark.timeout(600)
def test_it_builds_for_arm64():
    directory = build("test-arm64", "--cross-file", CROSS, "-Dlibav=disabled")
    header = run("readelf", "-h", directory / "native/frontend/libparacore.so.0")
    assert re.search(r"Machine:\s+AArch64", header)


def exported(library: Path) -> set[str]:
    symbols = run("nm", "-D", "--defined-only", library).split("\n")
    return {line.split()[-1] for line in symbols if line}


def test_libparacore_exports_what_its_map_says():
    text = (ROOT / "native/frontend/libparacore.map").read_text(encoding="utf-8")
    named = set(re.findall(r"^    (paracore_\w+);$", text, re.MULTILINE))
    header = (ROOT / "native/frontend/include/paracore/paracore.h").read_text(encoding="utf-8")
    declared = set(re.findall(r"^(?!typedef)\w[\w *]*?(paracore_\w+)\(", header, re.MULTILINE))
    assert named == declared
    assert exported(NATIVE / "libparacore.so.0") == {f"{name}@@PARACORE_0" for name in named} | {"PARACORE_0"}


def test_every_public_function_is_documented():
    header = (ROOT / "native/frontend/include/paracore/paracore.h").read_text(encoding="utf-8")
    lines = header[header.index("/* Opens a channel") :].split("\n")
    for before, line in pairwise(lines):
        if re.match(r"\w.*paracore_\w+\(", line):
            assert before.endswith("*/"), line


@pytest.mark.parametrize("name", ["_core", "_frontend", "_libav"])
def test_the_stubs_are_those_of_the_headers(name):
    made = BUILD / "native/native/bindings" / f"{name}.pyi"
    assert (NATIVE / f"{name}.pyi").read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), (
        "run: python hatch_build.py --stubs"
    )


PROGRAM = """
#include <paracore/paracore.h>
#include <stdio.h>
int main(void)
{
    struct paracore_channel *channel = 0;
    int error = paracore_open("/nonexistent", 0, &channel, 0);
    printf("%s %d", paracore_version(), error);
    return 0;
}
"""


@pytest.mark.parametrize("compiler", [["cc", "-std=c11", "-pedantic-errors"], ["c++", "-std=c++17"]])
def test_a_program_builds_against_what_is_installed(tmp_path, compiler):
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"there is no {compiler[0]} here")
    meson("install", "-C", build("test-plain"), "--quiet", "--destdir", tmp_path / "root")
    package = next((tmp_path / "root").rglob("paracore.pc"))
    flags = run(
        "pkg-config", "--cflags", "--libs", "paracore",
        PKG_CONFIG_PATH=str(package.parent), PKG_CONFIG_SYSROOT_DIR=str(tmp_path / "root"),
    ).split()  # fmt: skip
    source = tmp_path / ("program.c" if compiler[0] == "cc" else "program.cc")
    source.write_text(PROGRAM, encoding="utf-8")
    run(*compiler, "-Wall", "-Wextra", "-Werror", source, *flags, "-o", tmp_path / "program")
    said = run(tmp_path / "program", LD_LIBRARY_PATH=str(package.parents[1]))
    assert said == "0.1.0 -2"
