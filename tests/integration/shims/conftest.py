# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import paracore

NATIVE = Path(paracore.__file__).parent / "_native"


@pytest.fixture
def preloaded(tmp_path):
    """Runs a program with the V4L2 shim before it."""

    def run(*words, address, runner=subprocess.run, **options):
        if shutil.which(words[0]) is None:
            pytest.skip(f"there is no {words[0]} here: packaging/install-packages test")
        environment = os.environ | {
            "LD_PRELOAD": str(NATIVE / "libparacore-v4l2.so"),
            "PARACORE_SOCKET": str(address),
            "GST_REGISTRY": str(tmp_path / "registry.bin"),
        }
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
        if runner is subprocess.run:
            settings |= {"timeout": 60, "check": False}
        else:
            settings |= {"stdin": subprocess.PIPE}
        return runner([str(word) for word in words], **settings | options)

    return run
