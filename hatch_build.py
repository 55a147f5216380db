# SPDX-License-Identifier: Apache-2.0
"""Builds the C code for the Python package.

As hatchling's build hook it runs for wheels and for editable installs alike; as a program
(``python hatch_build.py``, ``make native``) it only builds. Meson does the work in ``build/native``
and knows what is out of date; what it installs lands in ``src/paracore/_native``.

With a tree of arm64 libraries in the environment variable ``PARACORE_SYSROOT`` all of it is for arm64 (``make arm64``),
in ``build/aarch64``, and a wheel is for that machine. Nothing in ``src`` is touched then.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent
STUBS = ROOT / "src" / "paracore" / "_native"
ABI = "cp311-abi3"


class Target(NamedTuple):
    """What is built for: this machine, or arm64.

    Attributes:
        build: meson's folder.
        stage: where meson installs.
        package: where the modules and the library go.
        platform: as in a wheel's name.
        options: more for meson's set-up.
    """

    build: Path
    stage: Path
    package: Path
    platform: str
    options: tuple[str, ...] = ()


def this_machine() -> Target:
    """The usual one."""
    build = ROOT / "build"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return Target(build / "native", build / "stage", STUBS, platform)


def arm64(sysroot: Path) -> Target:
    """Cross-compiled, with the headers and libraries of a tree of unpacked Debian packages."""
    build = ROOT / "build" / "aarch64"
    build.mkdir(parents=True, exist_ok=True)
    for name, text in cross_files(sysroot).items():
        if not (build / name).is_file() or (build / name).read_text(encoding="utf-8") != text:
            (build / name).write_text(text, encoding="utf-8")
    options = (
        f"--cross-file={ROOT}/native/cross/aarch64-linux-gnu.ini",
        f"--cross-file={build}/sysroot.ini",
        f"-Dpython.build_config={build}/python.json",
        "-Dtests=false",
    )
    return Target(build / "native", build / "stage", build / "package", "linux_aarch64", options)


def cross_files(sysroot: Path) -> dict[str, str]:
    """What meson has to be told about the tree, and about the Python in it (PEP 739)."""
    libraries = sysroot / "usr/lib/aarch64-linux-gnu"
    python = {
        "schema_version": "1.0",
        "base_prefix": str(sysroot / "usr"),
        "platform": "linux-aarch64",
        "language": {"version": "3.11"},
        "implementation": {"name": "cpython"},
        "abi": {"flags": [], "extension_suffix": ".cpython-311-aarch64-linux-gnu.so", "stable_abi_suffix": ".abi3.so"},
        "libpython": {"link_extensions": False},
        "c_api": {"headers": str(sysroot / "usr/include/python3.11"), "pkgconfig_path": str(libraries / "pkgconfig")},
    }
    meson_file = f"""[properties]
sys_root = '{sysroot}'
pkg_config_libdir = '{libraries}/pkgconfig'

[built-in options]
c_args = ['--sysroot={sysroot}']
c_link_args = ['--sysroot={sysroot}']
"""
    return {"sysroot.ini": meson_file, "python.json": json.dumps(python, indent=1) + "\n"}


def chosen() -> Target:
    """The one that the environment asks for."""
    sysroot = os.environ.get("PARACORE_SYSROOT")
    return arm64(Path(sysroot).resolve()) if sysroot else this_machine()


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
def alone(target: Target) -> Iterator[None]:
    """Keeps two builds of one tree apart."""
    target.build.parent.mkdir(parents=True, exist_ok=True)
    with (target.build.parent / "native.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def compile_native(target: Target) -> None:
    """Brings meson's folder up to date; makes it anew when it was set up by other tools."""
    tools = f"{sys.executable} {metadata.version('meson')} {ROOT} {' '.join(target.options)}\n"
    stamp = target.build / "tools.txt"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != tools:
        shutil.rmtree(target.build, ignore_errors=True)
        layout = ("--prefix=/usr", "--libdir=lib", "-Dpython.platlibdir=python", "-Dpython.purelibdir=python")
        meson("setup", target.build, *layout, *target.options)
        stamp.write_text(tools, encoding="utf-8")
    meson("compile", "-C", target.build)


def install_native(target: Target) -> list[Path]:
    """Copies the modules, the library and the shims beside the package; returns what is there."""
    shutil.rmtree(target.stage, ignore_errors=True)
    meson("install", "-C", target.build, "--no-rebuild", "--quiet", "--destdir", target.stage)
    installed = target.stage / "usr"
    built = [
        *(installed / "python/paracore/_native").iterdir(),
        *(installed / "lib").glob("libparacore.so.0"),
        *(installed / "lib").glob("libparacore-*.so"),
        *(installed / "lib").glob("paracore-static"),
    ]
    target.package.mkdir(exist_ok=True)
    for path in built:
        _replace(path.resolve(), target.package / path.name)
    return [target.package / path.name for path in built]


def _replace(source: Path, target: Path) -> None:
    """Copies in one step: a process that has the old file mapped keeps it."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    fresh = target.with_name(f".{target.name}.new")
    shutil.copy2(source, fresh)
    fresh.replace(target)


def write_stubs(target: Target) -> None:
    """Makes the ``.pyi`` files of ``paracore._native`` again."""
    for path in (target.build / "native/bindings").glob("*.pyi"):
        shutil.copyfile(path, STUBS / path.name)


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is hatchling's own affair
    """What hatchling calls before it packs a wheel or makes an editable install."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds, and tells hatchling what else goes into the wheel and for which machine it is."""
        target = chosen()
        with alone(target):
            compile_native(target)
            built = install_native(target)
        if version == "editable":
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"{ABI}-{target.platform}"
        build_data["force_include"].update({str(path): f"paracore/_native/{path.name}" for path in built})


def main() -> None:
    """Builds from the command line."""
    parser = argparse.ArgumentParser(description="Builds the C code into src/paracore/_native.")
    parser.add_argument("--stubs", action="store_true", help="make the checked-in .pyi files again, too")
    arguments = parser.parse_args()
    target = chosen()
    with alone(target):
        compile_native(target)
        install_native(target)
        if arguments.stubs:
            write_stubs(target)


if __name__ == "__main__":
    main()
