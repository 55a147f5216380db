# SPDX-License-Identifier: Apache-2.0
"""A domain in Python: decodes a file and prints its times.

decode.py SOCKET FILE THREADS [PICTURES]
"""

from __future__ import annotations

import json
import sys

from paracore.demo.domain import timed_decode
from paracore.media import demux


def main() -> None:
    """Opens the file, as the plain decoder does before its start, waits for a line of input, then decodes."""
    socket, path, threads, *wanted = sys.argv[1:]
    with demux(path) as stream:
        print("ready", flush=True)
        sys.stdin.readline()
        run = timed_decode(socket, "vpu0", stream, int(threads), int(wanted[0]) if wanted else 0)
    print(json.dumps(run._asdict()))


if __name__ == "__main__":
    main()
