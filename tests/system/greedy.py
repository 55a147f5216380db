# SPDX-License-Identifier: Apache-2.0
"""A program of a guest that wants all of the kernel's codec, until it is ended: one picture without end.

    python3 -m tests.system.greedy

It says ``works`` once the first has been encoded.
"""

import sys

import paracore

WIDTH, HEIGHT = 1920, 1088


def main():
    with (
        paracore.open() as domain,
        domain.devices["vpu1"].encoder("fwht", width=WIDTH, height=HEIGHT, rate=25) as encoder,
    ):
        for number, _ in enumerate(encoder.encode(iter(encoder.picture, None))):
            if number == 0:
                sys.stdout.write("works\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
