# SPDX-License-Identifier: Apache-2.0
"""What all tests share: the option ``--long`` for those that take minutes."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also tests that take minutes (make fuzz)")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--long"):
        for item in items:
            if "long" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="takes minutes: --long runs it"))
