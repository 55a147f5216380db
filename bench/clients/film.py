# SPDX-License-Identifier: Apache-2.0
"""A domain in Python that plays a film: gives the device a unit each so often, and prints how long each picture took.

film.py SOCKET FILE RATE PICTURES

What counts is from when a unit was due until its picture is there: who is late himself hides nothing by it.
"""

from __future__ import annotations

import json
import sys
import time

import paracore
from paracore import Packet
from paracore.media import demux

_WARM = 30
"""Pictures that do not count: the first bring the formats, and the pages for all others."""


def main() -> None:
    """Waits for a line of input, then plays."""
    socket, path, rate, pictures = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    with demux(path) as stream:
        codec, units = stream.codec, [bytes(packet.data) for packet in stream]
    print("ready", flush=True)
    sys.stdin.readline()
    with (
        paracore.open(socket) as domain,
        domain.devices["vpu0"].decoder(codec, threads=1, low_delay=True, rate=rate) as decoder,
    ):
        late = _play(decoder, units, 1 / rate, pictures + _WARM)
    print(json.dumps([round(1e3 * seconds, 3) for seconds in late[_WARM:]]))


def _play(decoder: paracore.Decoder, units: list[bytes], period: float, count: int) -> list[float]:
    """Seconds for each picture: the film is in order, so that each is of the oldest unit that has none."""
    began = time.monotonic() + period
    late: list[float] = []

    def take(timeout: float) -> bool:
        picture = decoder.receive(timeout)
        if picture is None:
            return False
        late.append(time.monotonic() - began - len(late) * period)
        picture.release()
        return True

    for number in range(count):
        while (wait := began + number * period - time.monotonic()) > 0:
            if len(late) < number:
                take(wait)
            else:
                time.sleep(wait)
        while take(0):
            pass
        decoder.send(Packet(units[number % len(units)], timestamp=number))
    while len(late) < count:
        take(10.0)
    return late


if __name__ == "__main__":
    main()
