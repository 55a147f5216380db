# SPDX-License-Identifier: Apache-2.0
"""A domain in Python that connects, decodes some pictures and closes, over and over, and stops at times to be looked at.

cycles.py SOCKET FILE CYCLES EVERY

It prints how many cycles there have been each EVERY of them, and goes on when it is given a line.
"""

from __future__ import annotations

import sys

import paracore
from paracore import Packet
from paracore.media import demux

_PICTURES = 5


def main() -> None:
    """The file is read once: opening it is PyAV's memory, not paracore's."""
    socket, path, cycles, every = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with demux(path) as stream:
        codec, packets = stream.codec, [Packet(bytes(each.data), *each[1:]) for each in stream][: _PICTURES + 3]
    for number in range(1, cycles + 1):
        _cycle(socket, codec, packets)
        if number % every == 0:
            print(number, flush=True)
            sys.stdin.readline()


def _cycle(socket: str, codec: str, packets: list[Packet]) -> None:
    pictures = 0
    with paracore.open(socket) as domain, domain.devices["vpu0"].decoder(codec, threads=1) as decoder:
        for picture in decoder.decode(packets):
            picture.release()
            pictures += 1
    assert pictures >= _PICTURES


if __name__ == "__main__":
    main()
