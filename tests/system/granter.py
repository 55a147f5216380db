# SPDX-License-Identifier: Apache-2.0
"""A program of a guest: grants buffers of 8 MiB, so many or until it may not, and says what came of it.

python3 -m tests.system.granter COUNT
"""

import sys

from paracore.classes.link import BufferFlag
from paracore.transport import CallRefused
from paracore.transport.local import LocalTransport

ADDRESS = "/run/paracore/paracore.sock"
BUFFER = 8 << 20


def say(words):
    sys.stdout.write(words + "\n")


def main(count):
    with LocalTransport().connect(ADDRESS, timeout=60) as channel:
        buffers = []
        try:
            for _ in range(count):
                buffers.append(channel.buffer(BUFFER, BufferFlag(0)))
                with buffers[-1].view() as view:
                    view[0] = view[-1] = 1
            say(f"granted {len(buffers) * BUFFER >> 20} MiB")
        except CallRefused as refused:
            say(f"refused {refused.failure.error.name} {refused.failure.limit.name} after {len(buffers)}")
        for buffer in buffers:
            buffer.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
