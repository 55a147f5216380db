# SPDX-License-Identifier: Apache-2.0
"""A domain in Python: decodes a file in several sessions at once and prints its times.

sessions.py SOCKET FILE SESSIONS PICTURES
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import paracore
from paracore.demo import Run
from paracore.media import demux

if TYPE_CHECKING:
    from paracore.media import Stream


def main() -> None:
    """Opens the file once for each session, waits for a line of input, then decodes."""
    socket, path, sessions, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with ExitStack() as stack:
        streams = [stack.enter_context(demux(path)) for _ in range(sessions)]
        print("ready", flush=True)
        sys.stdin.readline()
        connecting = time.monotonic()
        domain = stack.enter_context(paracore.open(socket))
        started = time.monotonic()
        with ThreadPoolExecutor(sessions) as threads:
            firsts = list(threads.map(partial(_decode, domain, wanted=wanted), streams))
        ended = time.monotonic()
    print(json.dumps(Run(wanted * sessions, connecting, started, min(firsts), ended)._asdict()))


def _decode(domain: paracore.Domain, stream: Stream, *, wanted: int) -> float:
    """Decodes so many pictures; returns when the first was there."""
    first, pictures = 0.0, 0
    with domain.devices["vpu0"].decoder(stream.codec, threads=1) as decoder:
        for picture in decoder.decode(stream):
            first = first or time.monotonic()
            picture.release()
            pictures += 1
            if pictures == wanted:
                return first
    raise SystemExit(f"{stream.codec}: {pictures} pictures instead of {wanted}")


if __name__ == "__main__":
    main()
