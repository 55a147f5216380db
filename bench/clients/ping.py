# SPDX-License-Identifier: Apache-2.0
"""A domain in Python that makes small synchronous calls and prints the median of their times.

ping.py SOCKET COUNT
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median

from paracore.classes import core
from paracore.frontend._channel import Channel

_WARM_UP = 1000


def main() -> None:
    """Calls ``core.ping``, which the worker's native loop answers."""
    address, count = sys.argv[1], int(sys.argv[2])
    channel = Channel(address)
    times = [_call(channel, number) for number in range(_WARM_UP + count)][_WARM_UP:]
    channel.close()
    print(json.dumps({"count": count, "median_ns": median(times)}))


def _call(channel: Channel, number: int) -> int:
    started = time.perf_counter_ns()
    reply = channel.call(core.Ping(number), core.PingReply, "ping")
    taken = time.perf_counter_ns() - started
    assert reply.cookie == number
    return taken


if __name__ == "__main__":
    main()
