# SPDX-License-Identifier: Apache-2.0
"""What all tests share: options for those that take minutes, and for those that need a board.

``--xen`` adds ``tests/system``, on an emulated board that is booted for them; ``--board NAME`` has them on one that
``paracore testbed --board NAME up`` has left running. ``--part`` takes those of one part only (``tests.parts``).
"""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.parts import ALONE, BESIDE, BOARD, PARTS

# A slow machine is no fault of what is tested.
settings.register_profile("paracore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("paracore")

# A job in the background of a shell ignores Ctrl-C, and so would all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

SYSTEM = Path(__file__).parent / "system"
LEFT_OUT = pytest.StashKey[int]()


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also tests that take minutes (make fuzz)")
    parser.addoption("--xen", action="store_true", help="also tests/system: boots Xen on an emulated board")
    parser.addoption("--socket", help="tests of programs on a device use the backend or daemon behind this socket")
    parser.addoption("--board", metavar="NAME", help="as --xen, on a board that runs: paracore testbed up")
    parser.addoption("--part", choices=PARTS, help="only tests of this part: python -m tests.parts runs them all")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--long"):
        for item in items:
            if "long" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="takes minutes: --long runs it"))
    if not (config.getoption("--xen") or config.getoption("--board")):
        left_out = [item for item in items if _part(item) == BOARD]
        config.stash[LEFT_OUT] = len(left_out)
        _deselect(left_out, config, items)
    if part := config.getoption("--part"):
        _deselect([item for item in items if _part(item) != part], config, items)


def _part(item):
    if item.path.is_relative_to(SYSTEM):
        return BOARD
    return ALONE if "alone" in item.keywords else BESIDE


def _deselect(left_out, config, items):
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]


def pytest_report_collectionfinish(config):
    count = config.stash.get(LEFT_OUT, 0)
    return f"{count} tests need an emulated board with Xen: --xen boots it" if count else []
