# SPDX-License-Identifier: Apache-2.0
"""A program of a guest: plays pictures of the null driver and looks at each, until its channel ends.

    python3 -m tests.system.player [COUNT]      with a count it ends by itself, and says ``played``

It says ``plays`` once the first have come, and at the end why the channel is over.
"""

import sys

from paracore import TransportBroken
from paracore.transport.local import LocalTransport
from tests.integration.backends import Stream

ADDRESS = "/run/paracore/paracore.sock"


def say(words):
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main(count):
    with LocalTransport().connect(ADDRESS) as channel:
        try:
            stream = Stream(channel)
            stream.play(2)
            say("plays")
            number = 2
            while not count or number < count:
                stream.play(1, start=number)
                number += 1
            stream.close()
            say("played")
        except TransportBroken:
            say(f"ended {channel.goodbye().name.lower()}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
