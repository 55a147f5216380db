# SPDX-License-Identifier: Apache-2.0
"""The toy wire, run through every emitter, loaded and compiled."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from codegen._artefacts import render
from codegen._load import load
from tests.payloads import CASES, ROOT, cases, specification

STRICT = ["-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]


@pytest.fixture(scope="session")
def toy_text():
    return (Path(__file__).parent / "toy.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def toy(toy_text):
    return load(toy_text)


@pytest.fixture(scope="session")
def toy_files(toy):
    return render(toy)


@pytest.fixture(scope="session")
def toy_cases(toy, toy_files):
    """Every payload of the toy wire with its class."""
    modules = {
        name: _module(name, toy_files[f"src/paracore/classes/{name}.py"]) for name in ("_common", "other", "toy")
    }
    yield cases(toy, modules.__getitem__)
    for name in modules:
        del sys.modules[f"toy_classes.{name}"]


def _module(name, text):
    """A generated module, in a package of its own so that it does not take the real one's place."""
    module = ModuleType(f"toy_classes.{name}")
    sys.modules[module.__name__] = module
    exec(text.replace("paracore.classes._common", "toy_classes._common"), module.__dict__)  # our own text
    return module


class Wire:
    """One wire's generated C, compiled, beside its generated Python."""

    def __init__(self, protocol, cases, include, library):
        self.protocol = protocol
        self.cases = cases
        self.include = include
        self.library = ctypes.CDLL(str(library))

    def check(self, case, octets):
        """What the C side says of a payload."""
        return self.library.paracore_check_payload(
            ctypes.c_uint16(case.opcode), case.is_reply, bytes(octets), len(octets)
        )


def _build(protocol, cases, folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    core = folder / "native/core"
    shutil.copy(ROOT / "native/core/protocol_check.c", core)  # a header beside a source comes first
    sources = [core / "protocol_table.c", core / "protocol_check.c"]
    options = [*STRICT, "-shared", "-fPIC", f"-I{core}", f"-I{core}/include", "-o", folder / "wire.so"]
    subprocess.run(["gcc", *options, *sources], check=True)
    return Wire(protocol, cases, core / "include", folder / "wire.so")


@pytest.fixture(scope="session", params=["toy", "paracore"])
def wire(request, tmp_path_factory, toy, toy_files, toy_cases):
    """The toy wire and the real one."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "toy":
        return _build(toy, toy_cases, folder, toy_files)
    return _build(specification(), CASES, folder, render(specification()))
