# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import paracore

NATIVE = Path(paracore.__file__).parent / "_native"
PATIENCE = 60
EMULATED = 10
"""How much slower a guest of the emulated board is."""


def pytest_collection_modifyitems(config, items):
    if config.getoption("--socket"):
        for item in items:
            if mark := item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(EMULATED * mark.args[0]), append=False)


@pytest.fixture
def patience(pytestconfig):
    """Seconds that a program may take."""
    return PATIENCE * EMULATED if pytestconfig.getoption("--socket") else PATIENCE


@pytest.fixture
def gst_registry(tmp_path, tmp_path_factory, pytestconfig):
    """Where GStreamer keeps what it found: nothing is known yet, but where looking takes it half a minute."""
    folder = tmp_path_factory.getbasetemp() if pytestconfig.getoption("--socket") else tmp_path
    return folder / "registry.bin"


@pytest.fixture
def preloaded(patience, gst_registry):
    """Runs a program with the V4L2 shim before it."""

    def run(*words, address, runner=subprocess.run, **options):
        if shutil.which(words[0]) is None:
            pytest.skip(f"there is no {words[0]} here: packaging/install-packages test")
        environment = os.environ | {
            "LD_PRELOAD": str(NATIVE / "libparacore-v4l2.so"),
            "PARACORE_SOCKET": str(address),
            "GST_REGISTRY": str(gst_registry),
        }
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
        if runner is subprocess.run:
            settings |= {"timeout": patience, "check": False}
        else:
            settings |= {"stdin": subprocess.PIPE}
        return runner([str(word) for word in words], **settings | options)

    return run
