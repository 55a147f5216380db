# SPDX-License-Identifier: Apache-2.0
"""No deadline goes by a clock that somebody sets, or that goes on while the machine is suspended (docs/guides/recovery.md)."""

import re
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[2]
OTHERS = re.compile(
    r"time\.time\(|time\.time_ns\(|CLOCK_REALTIME|CLOCK_BOOTTIME|CLOCK_TAI|\bgettimeofday\(|\btime\(NULL\)"
)
CONDITION = re.compile(r"pthread_cond_timedwait\(&[\w>-]+->(\w+),")


def sources():
    """What is shipped, without what is generated for the compiler."""
    files = chain((ROOT / "src").rglob("*.py"), (ROOT / "native").rglob("*.c"), (ROOT / "native").rglob("*.h"))
    return [path for path in files if not path.is_relative_to(ROOT / "native/tests")]


def test_no_other_clock_is_asked():
    assert [path for path in sources() if OTHERS.search(path.read_text(encoding="utf-8"))] == []


def test_conditions_are_told_which_clock():
    """POSIX has them go by the time of day otherwise."""
    waits = [path for path in sources() if CONDITION.search(path.read_text(encoding="utf-8"))]
    assert waits
    for path in waits:
        texts = [each.read_text(encoding="utf-8") for each in path.parent.glob("*.c")]
        assert any("pthread_condattr_setclock(" in text and "CLOCK_MONOTONIC" in text for text in texts), path
