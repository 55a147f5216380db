# SPDX-License-Identifier: Apache-2.0
"""A domain in Python that decodes a file and prints how many buffers it granted after the first second's pictures.

grants.py SOCKET FILE
"""

from __future__ import annotations

import json
import sys

import paracore
from paracore.media import demux

_WARM = 25
"""Pictures until all that a stream needs has been granted."""


def main() -> None:
    """Decodes and counts."""
    socket, path = sys.argv[1:]
    pictures, before = 0, 0
    with (
        paracore.open(socket) as domain,
        demux(path) as stream,
        domain.devices["vpu0"].decoder(stream.codec, threads=1) as decoder,
    ):
        for picture in decoder.decode(stream):
            picture.release()
            pictures += 1
            if pictures == _WARM:
                before = domain.statistics().buffers
        after = domain.statistics().buffers
    print(json.dumps({"pictures": pictures - _WARM, "grants": after - before, "held": after}))


if __name__ == "__main__":
    main()
