# SPDX-License-Identifier: Apache-2.0
"""A domain in Python: decodes the first pictures of a file in several sessions at once, over and over, and says how far it is
when it is asked. So all sessions do the same work, however fast they are.

sessions.py SOCKET FILE SESSIONS WARM

The first line of input lets it begin; it answers once each session has given out WARM pictures, and each further line at
once. An answer is the time and how many pictures there were in sum.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import count, islice
from threading import Event, Thread
from typing import TYPE_CHECKING

import paracore
from paracore.media import demux

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paracore import Packet

_UNITS = 48
"""That are decoded: two seconds."""


class Session:
    """One of them, on a thread of its own."""

    def __init__(self, domain: paracore.Domain, path: str, warm: int) -> None:
        self.pictures = 0
        self.warm = Event()
        self._warm_at = warm
        Thread(target=self._play, args=(domain, path), daemon=True).start()

    def _play(self, domain: paracore.Domain, path: str) -> None:
        with demux(path) as stream, domain.devices["vpu0"].decoder(stream.codec, threads=1) as decoder:
            for picture in decoder.decode(_repeated(list(islice(stream, _UNITS)))):
                picture.release()
                self.pictures += 1
                if self.pictures == self._warm_at:
                    self.warm.set()


def _repeated(packets: list[Packet]) -> Iterator[Packet]:
    """Without end, on a time that goes on. They begin with a key picture."""
    step = max(packet.timestamp or 0 for packet in packets) + packets[1].duration
    for turn in count():
        for packet in packets:
            yield packet._replace(timestamp=(packet.timestamp or 0) + turn * step)


def main() -> None:
    """Waits for a line of input, then decodes until it is ended."""
    socket, path, number, warm = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    print("ready", flush=True)
    sys.stdin.readline()
    with paracore.open(socket) as domain:
        sessions = [Session(domain, path, warm) for _ in range(number)]
        for session in sessions:
            session.warm.wait()
        while True:
            print(json.dumps([time.monotonic(), sum(session.pictures for session in sessions)]), flush=True)
            sys.stdin.readline()


if __name__ == "__main__":
    main()
