# SPDX-License-Identifier: Apache-2.0
"""A domain in Python that decodes a file and stops twice for others to look: once warm, and at the last picture.

grants.py SOCKET FILE

It prints a line each time, and goes on when it is given one.
"""

from __future__ import annotations

import json
import sys

import paracore
from paracore.media import demux

_WARM = 25
"""Pictures until all that a stream needs has been granted."""


def main() -> None:
    """Decodes."""
    socket, path = sys.argv[1:]
    pictures = 0
    with (
        paracore.open(socket) as domain,
        demux(path) as stream,
        domain.devices["vpu0"].decoder(stream.codec, threads=1) as decoder,
    ):
        for picture in decoder.decode(stream):
            picture.release()
            pictures += 1
            if pictures == _WARM:
                _stop("warm", pictures)
        _stop("done", pictures)


def _stop(where: str, pictures: int) -> None:
    print(json.dumps({"at": where, "pictures": pictures}), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
