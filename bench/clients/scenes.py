# SPDX-License-Identifier: Apache-2.0
"""A domain in Python that decodes the first pictures of a file, again for each line of input, and prints its times.

scenes.py SOCKET FILE PICTURES

Between two scenes nothing is at work: each ends with a drain.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice

import paracore
from paracore.demo import Run
from paracore.media import demux


def main() -> None:
    """Decodes until input ends. The first scene brings the formats, and the pages for all others."""
    socket, path, pictures = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with demux(path) as stream:
        codec, units = stream.codec, list(islice(stream, pictures))
    with paracore.open(socket) as domain, domain.devices["vpu0"].decoder(codec, threads=1) as decoder:
        print("ready", flush=True)
        for _ in sys.stdin:
            print(json.dumps(_decode(decoder, units)._asdict()), flush=True)


def _decode(decoder: paracore.Decoder, units: list[paracore.Packet]) -> Run:
    began, first, count = time.monotonic(), 0.0, 0
    for picture in decoder.decode(units):
        first = first or time.monotonic()
        count += 1
        picture.release()
    return Run(count, began, began, first, time.monotonic())


if __name__ == "__main__":
    main()
