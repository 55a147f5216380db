# SPDX-License-Identifier: Apache-2.0
"""Programs without a dynamic libc: ``paracore run --static``."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from paracore.cli import ExitCode

SOURCE = Path(__file__).with_name("static_client.c")
MADE_ELSEWHERE = SOURCE.with_suffix("")
"""Where there is no compiler, it may be there: tests/system puts it into its guests."""
PROGRAM = [sys.executable, "-m", "paracore", "run", "--static"]


@pytest.fixture(
    scope="module", params=[["cc", "-static"], ["cc", "-static-pie"], ["musl-gcc", "-static"]], ids=" ".join
)
def client(request, tmp_path_factory):
    compiler = request.param
    if MADE_ELSEWHERE.exists():
        return MADE_ELSEWHERE
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"there is no {compiler[0]} here: packaging/install-packages test")
    program = tmp_path_factory.mktemp("static") / "client"
    # the kernel's headers are beside glibc's, where musl's compiler does not look
    more = ["-idirafter", "/usr/include", "-idirafter", f"/usr/include/{os.uname().machine}-linux-gnu"]
    done = subprocess.run(
        [*compiler, "-O1", "-pthread", *more, str(SOURCE), "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return program


def run(*words, backend):
    environment = os.environ | {"PARACORE_SOCKET": backend.address}
    return subprocess.run(
        [*PROGRAM, "--", *map(str, words)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_finds_and_uses_the_devices(make_backend, client):
    done = run(client, "a word", backend=make_backend(driver="libav"))
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines() == ["2 nodes", "paracore: vpu0 (decoder)", "8 threads", "a child"]


def test_it_ends_its_sessions_with_itself(make_backend, client):
    backend = make_backend(driver="libav")
    for _ in range(3):
        assert run(client, "a word", backend=backend).returncode == 7
    assert backend.domain()["held"]["buffers"] == 0


@pytest.mark.parametrize("name", ["itself", "/proc/self/exe"])
def test_it_becomes_another_program(backend, client, name):
    done = run(client, "exec", client if name == "itself" else name, backend=backend)
    assert (done.returncode, done.stdout) == (8, "another\n"), done.stderr


def test_a_child_outlives_it(backend, client):
    """The pipe of its output ends with the child: nobody else keeps it."""
    done = run(client, "outlive", backend=backend)
    assert (done.returncode, done.stdout) == (9, "outlived\n"), done.stderr


def test_who_forgets_to_say_so_is_told(backend, client):
    words = [*PROGRAM[:-1], "--address", backend.address, "--", str(client), "another"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (8, "another\n")
    assert "--static" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_program_that_is_not_static(backend):
    done = run("true", backend=backend)
    assert done.returncode == 126
    assert "leave --static out" in done.stderr


def test_there_is_no_core_in_it(backend):
    environment = os.environ | {"PARACORE_SOCKET": backend.address}
    done = subprocess.run([*PROGRAM, "--api", "omx", "--", "true"], env=environment, capture_output=True, check=False)
    assert done.returncode == ExitCode.USAGE
