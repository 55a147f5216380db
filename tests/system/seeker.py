# SPDX-License-Identifier: Apache-2.0
"""A program of dom0: says in which of a process's mappings some octets are, a line of JSON for each.

    python3 -m tests.system.seeker PID OCTETS...    in hexadecimal digits

In ``/dev/xen/gntdev`` are a guest's own pages; anywhere else it is a copy.
"""

import json
import sys
from pathlib import Path

STEP = 1 << 20


def mappings(pid):
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights, *_ = line.split()
        start, end = (int(each, 16) for each in span.split("-"))
        if "r" in rights:
            yield start, end, line.split(maxsplit=5)[5] if line.count(" ") > 5 else ""


def found(pid, octets):
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end, name in mappings(pid):
            for at in range(start, end, STEP):
                try:
                    memory.seek(at)
                    if octets in memory.read(min(STEP + len(octets), end - at)):
                        yield name
                except (OSError, OverflowError):  # a device's pages, and the kernel's own
                    break


if __name__ == "__main__":
    for wanted in sys.argv[2:]:
        sys.stdout.write(json.dumps(sorted(set(found(int(sys.argv[1]), bytes.fromhex(wanted))))) + "\n")
