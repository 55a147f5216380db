# SPDX-License-Identifier: Apache-2.0
"""Builds the C code for the Python package.

As hatchling's build hook it runs for wheels and for editable installs alike; as a program
(``python hatch_build.py``, ``make native``) it only builds. Meson does the work in ``build/native``
and knows what is out of date; what it installs lands in ``src/paracore/_native``.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "native"
STAGE = ROOT / "build" / "stage"
PACKAGE = ROOT / "src" / "paracore" / "_native"
ABI = "cp311-abi3"


def meson(*arguments: str | Path) -> None:
    """Runs meson; its output is shown only when it fails."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    run = subprocess.run(
        [sys.executable, "-m", "mesonbuild.mesonmain", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        sys.exit(f"{run.stdout}\nthe C code could not be built (meson {' '.join(map(str, arguments))})")


@contextmanager
def alone() -> Iterator[None]:
    """Keeps two builds of one tree apart."""
    BUILD.parent.mkdir(parents=True, exist_ok=True)
    with (BUILD.parent / "native.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def compile_native() -> None:
    """Brings ``build/native`` up to date; makes it anew when it was set up by other tools."""
    tools = f"{sys.executable} {metadata.version('meson')} {ROOT}\n"
    stamp = BUILD / "tools.txt"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != tools:
        shutil.rmtree(BUILD, ignore_errors=True)
        meson(
            "setup", BUILD, "--prefix=/usr", "--libdir=lib", "-Dpython.platlibdir=python", "-Dpython.purelibdir=python"
        )
        stamp.write_text(tools, encoding="utf-8")
    meson("compile", "-C", BUILD)


def install_native() -> list[Path]:
    """Copies the modules and the library beside the package; returns what is there."""
    shutil.rmtree(STAGE, ignore_errors=True)
    meson("install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", STAGE)
    built = [*(STAGE / "usr/python/paracore/_native").iterdir(), *(STAGE / "usr/lib").glob("libparacore.so.0")]
    for path in built:
        _replace(path.resolve(), PACKAGE / path.name)
    return [PACKAGE / path.name for path in built]


def _replace(source: Path, target: Path) -> None:
    """Copies in one step: a process that has the old file mapped keeps it."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    fresh = target.with_name(f".{target.name}.new")
    shutil.copy2(source, fresh)
    fresh.replace(target)


def write_stubs() -> None:
    """Makes the ``.pyi`` files of ``paracore._native`` again."""
    for path in (BUILD / "native/bindings").glob("*.pyi"):
        shutil.copyfile(path, PACKAGE / path.name)


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is hatchling's own affair
    """What hatchling calls before it packs a wheel or makes an editable install."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds, and tells hatchling what else goes into the wheel and for which machine it is."""
        with alone():
            compile_native()
            built = install_native()
        if version == "editable":
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"{ABI}-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        build_data["force_include"].update({str(path): f"paracore/_native/{path.name}" for path in built})


def main() -> None:
    """Builds from the command line."""
    parser = argparse.ArgumentParser(description="Builds the C code into src/paracore/_native.")
    parser.add_argument("--stubs", action="store_true", help="make the checked-in .pyi files again, too")
    arguments = parser.parse_args()
    with alone():
        compile_native()
        install_native()
        if arguments.stubs:
            write_stubs()


if __name__ == "__main__":
    main()
