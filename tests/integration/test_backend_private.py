# SPDX-License-Identifier: Apache-2.0
"""A backend for one program: there at once, for its user alone, and gone with it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from paracore import DeviceLost
from paracore.backend import PrivateBackend
from paracore.transport import Refused
from paracore.transport.local import LocalTransport
from tests.integration.backends import STRANGER, Guest, Stream, alive, family, needs_root, wait_until

PROGRAM = """
import sys, time
from paracore.backend import PrivateBackend
from paracore.transport.local import LocalTransport
with PrivateBackend("null") as backend, LocalTransport().connect(backend.address) as channel:
    print(backend.pid, backend.address, flush=True)
    time.sleep(60)
"""


def test_it_serves_its_program():
    with PrivateBackend("null") as backend:
        pids = family(backend.pid)
        folder = Path(backend.address).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        with LocalTransport().connect(backend.address) as channel:
            assert channel.domain == "private"
            Stream(channel).play(3)
            pids = family(backend.pid)
    assert not any(map(alive, pids))
    assert not folder.exists()
    assert backend.pid == 0
    backend.close()


def test_it_can_be_started_by_a_thread_that_ends():
    backend = PrivateBackend("null")
    thread = threading.Thread(target=backend.start)
    thread.start()
    thread.join()
    with LocalTransport().connect(backend.address) as channel:
        Stream(channel).play(1)
    backend.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_program(how):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as program:
        pid, address = program.stdout.readline().decode().split()
        wait_until(lambda: len(family(int(pid))) == 3, "it has a worker")
        pids = family(int(pid))
        program.send_signal(how)
        program.wait()
        wait_until(lambda: not any(map(alive, pids)), "all its processes end")
        wait_until(lambda: not Path(address).parent.exists(), "nothing of it is left")


def test_an_interrupt_at_the_terminal_is_not_for_it():
    """The program decides what becomes of its backend; it is in a session of its own."""
    with PrivateBackend("null") as backend:
        assert os.getsid(backend.pid) == backend.pid != os.getsid(0)


def test_what_is_left_of_a_killed_one_is_removed():
    with PrivateBackend("null") as backend:
        folder = Path(backend.address).parent
        os.kill(backend.pid, signal.SIGKILL)
    assert not folder.exists()


@pytest.mark.parametrize("program", ["/bin/false", "/bin/no such program"])
def test_one_that_cannot_start(monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    backend = PrivateBackend("null")
    with pytest.raises(DeviceLost):
        backend.start()
    assert not Path(backend.address).parent.exists()


@needs_root
def test_others_are_not_served():
    def knock(_):
        try:
            with LocalTransport().connect(address):
                return "served"
        except Refused as refused:
            return refused.reason.name

    with PrivateBackend("null") as backend:
        address = backend.address
        Path(address).parent.chmod(0o755)
        Path(address).chmod(0o666)
        assert Guest(STRANGER, knock).result() == "UNKNOWN_PEER"
