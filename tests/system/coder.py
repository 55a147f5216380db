# SPDX-License-Identifier: Apache-2.0
"""A program of a guest: encodes pictures by the kernel's codec as fast as it goes, for ever. It says ``codes`` when it does.

python3 -m tests.system.coder
"""

import itertools
import sys

import numpy as np

import paracore

WIDTH, HEIGHT = 640, 368


def main():
    luma = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)).astype(np.uint8)
    chroma = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    with (
        paracore.open() as domain,
        domain.devices["vpu1"].encoder("fwht", width=WIDTH, height=HEIGHT, rate=25) as encoder,
    ):
        for number, _ in enumerate(encoder.encode(itertools.repeat([luma, chroma, chroma]))):
            if number == 2:
                sys.stdout.write("codes\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
