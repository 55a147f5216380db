# SPDX-License-Identifier: Apache-2.0
"""Encodes raw yuv420p pictures with the kernel's vicodec and prints its times: through paracore, or by v4l2-ctl.

kernel.py SOCKET FILE WIDTH HEIGHT
kernel.py v4l2-ctl FILE WIDTH HEIGHT

The file is gone through several times, so that it need not be large.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import paracore
from paracore import open as open_domain  # here, so that loading it is no part of what is timed
from paracore.demo import Run
from paracore.media import RasterFormat, RawReader

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENCODER = "stateful-encoder"
_TIMES = 3


def main() -> None:
    """Encodes once."""
    way, path, width, height = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    pictures = path.stat().st_size // (width * height * 3 // 2) * _TIMES
    connecting = time.monotonic()
    started, first = (
        _by_v4l2_ctl(path, width, height, pictures) if way == "v4l2-ctl" else _by_paracore(way, path, width, height)
    )
    print(json.dumps(Run(pictures, connecting, started, first, time.monotonic())._asdict()))


def _by_v4l2_ctl(path: Path, width: int, height: int, pictures: int) -> tuple[float, float]:
    """When it was started; when its first picture is there nobody can tell."""
    started = time.monotonic()
    form = f"width={width},height={height},pixelformat=YU12"
    words = ["v4l2-ctl", "-d", _node(), "-x", form, "--stream-mmap", "--stream-out-mmap", "--stream-from", str(path)]
    words += ["--stream-loop", f"--stream-count={pictures}"]
    subprocess.run([*words, "--stream-to", "/dev/null"], check=True, capture_output=True)
    return started, time.monotonic()


def _node() -> str:
    for name in sorted(Path("/sys/class/video4linux").glob("*/name")):
        if name.read_text(encoding="ascii").strip() == _ENCODER:
            return f"/dev/{name.parent.name}"
    raise SystemExit("there is no vicodec: modprobe vicodec")


def _by_paracore(socket: str, path: Path, width: int, height: int) -> tuple[float, float]:
    first = 0.0
    with open_domain(socket) as domain, path.open("rb") as file:
        started = time.monotonic()
        with domain.devices["vpu1"].encoder("fwht", width=width, height=height, rate=25) as encoder:
            for _ in encoder.encode(_pictures(encoder, file, RasterFormat("yuv420p", width, height))):
                first = first or time.monotonic()
    return started, first


def _pictures(encoder: paracore.Encoder, file: BinaryIO, raster: RasterFormat) -> Iterator[paracore.WritablePicture]:
    for _ in range(_TIMES):
        file.seek(0)
        reader = RawReader(file, file.name, raster)
        while reader.read_into((picture := encoder.picture()).planes):
            yield picture


if __name__ == "__main__":
    main()
