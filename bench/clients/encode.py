# SPDX-License-Identifier: Apache-2.0
"""A domain in Python: encodes raw yuv420p pictures and prints its times.

encode.py SOCKET FILE WIDTH HEIGHT BITRATE GOP
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import paracore
from paracore.demo import Run
from paracore.media import RasterFormat, RawReader

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    """Waits for a line of input, then encodes; the file is read straight into pages the device reads from."""
    socket, path, *numbers = sys.argv[1:]
    width, height, bitrate, gop = map(int, numbers)
    print("ready", flush=True)
    sys.stdin.readline()
    packets, first, connecting = 0, 0.0, time.monotonic()
    with paracore.open(socket) as domain, Path(path).open("rb") as file:
        started = time.monotonic()
        reader = RawReader(file, path, RasterFormat("yuv420p", width, height))
        with domain.devices["vpu0"].encoder(
            "h264", width=width, height=height, rate=25, bitrate=bitrate, gop=gop, preset="veryfast", threads=1
        ) as encoder:
            for _ in encoder.encode(_pictures(encoder, reader)):
                first = first or time.monotonic()
                packets += 1
            ended = time.monotonic()
    print(json.dumps(Run(packets, connecting, started, first, ended)._asdict()))


def _pictures(encoder: paracore.Encoder, reader: RawReader) -> Iterator[paracore.WritablePicture]:
    while reader.read_into((picture := encoder.picture()).planes):
        yield picture


if __name__ == "__main__":
    main()
