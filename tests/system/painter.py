# SPDX-License-Identifier: Apache-2.0
"""A program of a guest that holds a picture until it is given a line, and says where it lies and a piece of it.

    python3 -m tests.system.painter decode FILE     the first that comes out of libav
    python3 -m tests.system.painter encode          one that has gone into the kernel's codec

It says one line of JSON: ``mapping``, the file of the memory that the picture lies in, and ``piece``, some of a row
that is like no other, in hexadecimal digits.
"""

import json
import sys
from pathlib import Path

import numpy as np

import paracore
from paracore.media import demux

PIECE = 96


def decode(domain, path):
    with demux(path) as stream, domain.devices["vpu0"].decoder(stream.codec, threads=1) as decoder:
        for picture in decoder.decode(stream):
            show(picture.planes[0])
            return


def encode(domain):
    chance = np.random.default_rng(1)
    with domain.devices["vpu1"].encoder("fwht", width=640, height=368, rate=25) as encoder:

        def pictures():
            for _ in range(8):
                picture = encoder.picture()
                for plane in picture.planes:
                    plane[...] = chance.integers(0, 256, plane.shape, np.uint8)
                yield picture

        for number, _ in enumerate(encoder.encode(pictures())):
            if number == 4:
                show(encoder.picture().planes[0])


def show(plane):
    """The piece with the most different samples of one row in the middle."""
    row = plane[plane.shape[0] // 2]
    pieces = [row[start : start + PIECE] for start in range(0, len(row) - PIECE, 16)]
    piece = max(pieces, key=lambda each: len(np.unique(each)))
    sys.stdout.write(json.dumps({"mapping": mapping_of(plane.ctypes.data), "piece": piece.tobytes().hex()}) + "\n")
    sys.stdout.flush()
    sys.stdin.readline()


def mapping_of(address):
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(each, 16) for each in line.split()[0].split("-"))
        if start <= address < end:
            return line.split(maxsplit=5)[-1]
    return None


if __name__ == "__main__":
    with paracore.open() as opened:
        {"decode": decode, "encode": encode}[sys.argv[1]](opened, *sys.argv[2:])
