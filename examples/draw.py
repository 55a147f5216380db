# SPDX-License-Identifier: Apache-2.0
"""Draws two seconds of a moving circle and encodes them.

Each picture is drawn in pages from which the encoder reads it: nothing is copied.
"""

import sys
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

import paracore
from paracore.media import Muxer

WIDTH, HEIGHT, RATE = 640, 360, Fraction(25)
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]


def pictures(encoder: paracore.Encoder, count: int) -> Iterator[paracore.WritablePicture]:
    for number in range(count):
        picture = encoder.picture()
        luma, blue, red = picture.planes
        middle = 60 + number * (WIDTH - 120) / count
        luma[...] = np.where((COLUMNS - middle) ** 2 + (ROWS - HEIGHT / 2) ** 2 < 50**2, 200, 40)
        blue[...], red[...] = 110, 150
        yield picture


def main(path: str) -> None:
    with (
        paracore.open() as domain,
        domain.devices["vpu0"].encoder("h264", width=WIDTH, height=HEIGHT, rate=RATE, preset="veryfast") as encoder,
        Muxer(path, "h264", width=WIDTH, height=HEIGHT, time_base=1 / RATE, rate=RATE) as muxer,
    ):
        for packet in encoder.encode(pictures(encoder, 50)):
            muxer.write(packet)
    print(f"{path}: 50 pictures")


if __name__ == "__main__":
    main(*sys.argv[1:])
