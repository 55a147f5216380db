# SPDX-License-Identifier: Apache-2.0
"""Codecs of the kernel that need no hardware: ``vim2m`` and ``vicodec``, which Debian's arm64 kernel is built without.

They are cross-built out of tree against the kernel's own headers, from its own source, and kept until the kernel changes.
They stand in for a codec chip in the testbed; no user needs them.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from testbed import _packages
from testbed._digest import Stamp
from testbed._errors import TestbedError
from testbed._paths import BUILD
from testbed._run import run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MODULES", "build"]

#: The finished modules.
MODULES = BUILD / "modules"

_WORK = BUILD / "modules-work"
_DRIVERS = "drivers/media/test-drivers"
_COMPILER = "aarch64-linux-gnu-"


def build(kernel: _packages.Package) -> None:
    """Brings the modules for a kernel up to date.

    Args:
        kernel: its package, as ``linux-image-6.1.0-1-arm64_6.1.1-1_arm64.deb``.
    """
    stamp = Stamp(MODULES / "stamp", texts=[kernel.file])
    if stamp.is_current():
        return
    found = re.match(
        r"linux-image-(?P<release>(?P<abi>(?P<series>\d+\.\d+)\.\S+)-arm64)_(?P<version>[^_]+)_", kernel.file
    )
    if not found:
        raise TestbedError(f"{kernel.file} does not look like a kernel")
    headers = _unpack(found["release"], found["abi"], found["series"], found["version"])
    _sources(found["series"])
    _compile(headers)
    MODULES.mkdir(exist_ok=True)
    for built in sorted((_WORK / "source").rglob("*.ko")):
        run(f"{_COMPILER}strip", "--strip-debug", "-o", MODULES / built.name, built)
    shutil.rmtree(_WORK)
    stamp.set()


def _unpack(release: str, abi: str, series: str, version: str) -> Path:
    """Fetches all that is needed; returns the folder of the kernel's headers."""
    wanted = (
        f"linux-headers-{release}={version}",
        f"linux-headers-{abi}-common={version}",
        f"linux-source-{series}={version}",
        f"linux-kbuild-{series}:amd64={version}",
    )
    for archive in _packages.download(wanted, _WORK / "archives"):
        _packages.unpack(archive, _WORK / "tree")
    headers = _WORK / "tree/usr/src" / f"linux-headers-{release}"
    # it names its other half by an absolute path
    (headers / "Makefile").write_text(
        f"include {headers.parent}/linux-headers-{abi}-common/Makefile\n", encoding="ascii"
    )
    return headers


def _sources(series: str) -> None:
    """The two drivers, out of the kernel's source."""
    tree, source = _WORK / "tree/usr/src", _WORK / "source"
    name = f"linux-source-{series}"
    run("tar", "-xJf", tree / f"{name}.tar.xz", "-C", tree, f"{name}/{_DRIVERS}")
    shutil.copytree(tree / name / _DRIVERS / "vicodec", source / "vicodec")
    shutil.copy2(tree / name / _DRIVERS / "vim2m.c", source)
    (source / "Kbuild").write_text("obj-m += vim2m.o\nobj-m += vicodec/\n", encoding="ascii")


def _compile(headers: Path) -> None:
    words = ("ARCH=arm64", f"CROSS_COMPILE={_COMPILER}", f"CC={_COMPILER}gcc-12", "CONFIG_VIDEO_VICODEC=m")
    run("make", "-s", f"-j{os.cpu_count()}", "-C", headers, f"M={_WORK / 'source'}", *words, "modules")
