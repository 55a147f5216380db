# SPDX-License-Identifier: Apache-2.0
"""A hostile program of a guest: attacks the backend over granted pages and event channels, once for each seed.

    python3 -m tests.system.hostile FIRST LAST

It says the name of each attack, and ``survived`` in the end: what it does to itself is no matter.
"""

import sys

from paracore.testing import attack
from paracore.transport.local import LocalTransport

ADDRESS = "/run/paracore/paracore.sock"


def main(first, last):
    for seed in range(first, last):
        sys.stdout.write(attack(LocalTransport(), ADDRESS, seed) + "\n")
    sys.stdout.write("survived\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
