# SPDX-License-Identifier: Apache-2.0
"""Connected, some pictures decoded, closed, over and over: no process of it grows. ``make bench`` does it ten thousand times."""

import sys
from pathlib import Path

import pytest

from bench.soak import ROLES, grown, weigh
from tests import clips

CLIENT = Path(__file__).parents[2] / "bench/clients/cycles.py"
KIB_MAX = 200
"""In a thousand cycles: a worker's heap comes to its size, by 160 KiB in all, within the first two thousand."""


@pytest.mark.parametrize("cycles", [300, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
def test_no_process_grows(cycles, make_backend):
    backend = make_backend(driver="libav")
    words = [sys.executable, CLIENT, backend.address, clips.clip("h264").path, cycles, cycles // 20]
    weights = weigh([str(word) for word in words], backend.process.pid)
    limit = KIB_MAX if cycles < 10_000 else 4
    assert {role: slope for role in ROLES if (slope := grown(weights, role)) > limit} == {}
    assert backend.domain()["workers_lost"] == 0
    assert backend.statistics()["grants"] == 0
