# SPDX-License-Identifier: Apache-2.0
"""A domain in Python that wants all of the device it can get: decodes a file over and over until it is ended.

greedy.py SOCKET FILE
"""

from __future__ import annotations

import sys

import paracore
from paracore.media import demux


def main() -> None:
    """Decodes."""
    socket, path = sys.argv[1:]
    with paracore.open(socket) as domain:
        while True:
            with demux(path) as stream, domain.devices["vpu0"].decoder(stream.codec, threads=1) as decoder:
                for picture in decoder.decode(stream):
                    picture.release()


if __name__ == "__main__":
    main()
