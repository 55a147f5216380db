# SPDX-License-Identifier: Apache-2.0
"""What paracore is compared with: plain libav on the same files, without paracore.

Hashes come from Debian's ffmpeg, times from ``plain-decode``, a C program that links the same
libavcodec as the libav driver.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from paracore._errors import ConfigError
from paracore.demo._run import Run, time_program

if TYPE_CHECKING:
    from paracore.demo._clips import Clip

__all__ = ["libav_versions", "plain_hashes", "plain_program", "plain_run"]


def plain_hashes(clip: Clip) -> list[str]:
    """The MD5 of each picture of a clip, in order, as ``ffmpeg -f framemd5`` prints it."""
    words = [
        "ffmpeg",
        "-nostdin",
        "-v",
        "error",
        "-i",
        str(clip.path),
        "-an",
        "-vsync",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ]
    output = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return [line.rsplit(",", 1)[1].strip() for line in output.splitlines() if not line.startswith("#")]


def plain_run(clip: Clip, threads: int) -> Run:
    """Decodes a clip with libav alone."""
    return time_program([str(plain_program("plain-decode")), str(clip.path), str(threads)])


def plain_program(name: str) -> Path:
    """One of the C programs under bench/native, as the build has put it beside the native modules."""
    path = Path(__file__).parents[1] / "_native" / name
    if not path.exists():
        raise ConfigError("demo", f"{name} has not been built: run `make native` in the source tree")
    return path


def libav_versions() -> dict[str, str]:
    """The versions of ffmpeg and its libraries, in its own words."""
    lines = subprocess.run(["ffmpeg", "-version"], check=True, capture_output=True, text=True).stdout.splitlines()
    libraries = [line.split("/")[0].split() for line in lines if line.startswith(("libavcodec", "libavformat"))]
    return {"ffmpeg": lines[0].split()[2]} | {name: "".join(version) for name, *version in libraries}
