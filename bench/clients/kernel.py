# SPDX-License-Identifier: Apache-2.0
"""Encodes raw yuv420p pictures with the kernel's vicodec and prints its times: through paracore, or by v4l2-ctl.

kernel.py SOCKET FILE WIDTH HEIGHT
kernel.py v4l2-ctl FILE WIDTH HEIGHT
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import paracore
from paracore.demo import Run
from paracore.media import RasterFormat, RawReader

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENCODER = "stateful-encoder"


def main() -> None:
    """Encodes once."""
    way, path, width, height = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    pictures = path.stat().st_size // (width * height * 3 // 2)
    started = time.monotonic()
    first = _by_v4l2_ctl(path, width, height) if way == "v4l2-ctl" else _by_paracore(way, path, width, height)
    ended = time.monotonic()
    print(json.dumps(Run(pictures, started, started, first or ended, ended)._asdict()))


def _by_v4l2_ctl(path: Path, width: int, height: int) -> float:
    form = f"width={width},height={height},pixelformat=YU12"
    words = ["v4l2-ctl", "-d", _node(), "-x", form, "--stream-mmap", "--stream-out-mmap", "--stream-from", str(path)]
    subprocess.run([*words, "--stream-to", "/dev/null"], check=True, capture_output=True)
    return 0.0


def _node() -> str:
    for name in sorted(Path("/sys/class/video4linux").glob("*/name")):
        if name.read_text(encoding="ascii").strip() == _ENCODER:
            return f"/dev/{name.parent.name}"
    raise SystemExit("there is no vicodec: modprobe vicodec")


def _by_paracore(socket: str, path: Path, width: int, height: int) -> float:
    first = 0.0
    with paracore.open(socket) as domain, path.open("rb") as file:
        reader = RawReader(file, str(path), RasterFormat("yuv420p", width, height))
        with domain.devices["vpu1"].encoder("fwht", width=width, height=height, rate=25) as encoder:
            for _ in encoder.encode(_pictures(encoder, reader)):
                first = first or time.monotonic()
    return first


def _pictures(encoder: paracore.Encoder, reader: RawReader) -> Iterator[paracore.WritablePicture]:
    while reader.read_into((picture := encoder.picture()).planes):
        yield picture


if __name__ == "__main__":
    main()
