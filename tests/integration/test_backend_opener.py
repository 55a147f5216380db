# SPDX-License-Identifier: Apache-2.0
"""The process that opens devices for a worker: what it opens, what it does not, when it ends."""

import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

import pytest

from paracore.backend import _opener, _syscalls
from paracore.backend._sandbox import confinement
from paracore.drivers.v4l2._uapi import Request
from tests.integration.backends import descriptors, wait_until

FILTER = confinement(None).opener_filter

pytestmark = pytest.mark.skipif(not FILTER, reason="this kernel or machine has no seccomp")


@pytest.fixture
def opener():
    opener = _opener.start(["/dev/null", "/dev/none-such"], FILTER)
    yield opener
    opener._socket.close()
    os.wait()


def test_it_opens_what_is_in_its_table(opener):
    descriptor = opener.open("/dev/null")
    assert os.path.samestat(os.fstat(descriptor), Path("/dev/null").stat())
    assert os.get_blocking(descriptor) is False
    assert os.get_inheritable(descriptor) is False
    os.close(descriptor)
    with pytest.raises(FileNotFoundError):
        opener.open("/dev/none-such")
    os.close(opener.open("/dev/null"))


def test_it_opens_nothing_else(opener):
    with pytest.raises(ValueError, match="not in list"):
        opener.open("/dev/zero")


@pytest.mark.parametrize("question", [b"x", b"/etc/passwd", struct.pack("<I", 2), struct.pack("<I", 0xFFFFFFFF)])
def test_what_is_no_question_ends_it(opener, question):
    opener._socket.sendmsg([question])
    with pytest.raises(OSError) as failed:  # noqa: PT011 - any, of a worker that has lost its opener
        opener.open("/dev/null")
    assert failed.value.errno in (errno.EIO, errno.EPIPE, errno.ECONNRESET)


def test_it_has_nothing_of_its_worker(opener):
    pid = int(_children()[-1])
    wait_until(lambda: descriptors(pid) == 1, "it has its socket and nothing else")


def test_it_ends_with_its_worker():
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _opener.start(["/dev/null"], FILTER)
        os.write(write, _children()[-1].encode())
        os._exit(0)
    opener = int(os.read(read, 20))
    os.waitpid(pid, 0)
    os.close(read)
    os.close(write)
    wait_until(lambda: not _lives(opener), "the opener ends")


FORBIDDEN = {
    "read a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "make a file": lambda: os.open("/tmp/made", os.O_CREAT | os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC),
    "make a socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "run a program": lambda: os.execve("/bin/true", ["true"], {}),
    "fork": os.fork,
    "signal its worker": lambda: os.kill(os.getppid(), 0),
    "become somebody": lambda: os.setuid(1),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_it_may_not(what):
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            _syscalls.no_new_privileges()
            _syscalls.seccomp_load(FILTER)
            FORBIDDEN[what]()
        except OSError as error:
            code = error.errno or 0
        except BaseException:  # noqa: BLE001 - told by the code
            code = 1000
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == errno.EPERM


def _children():
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("requests", "request_", "code"),
    [
        ((Request.QBUF,), Request.QBUF, errno.ENOTTY),
        ((Request.QBUF,), Request.DQBUF, errno.EPERM),
        ((), Request.QBUF, errno.EPERM),
    ],
)
def test_a_worker_asks_of_devices_what_its_drivers_name(requests, request_, code):
    program = confinement(None, requests).filter
    pid = os.fork()
    if pid == 0:
        said = 0
        try:
            event = os.eventfd(0)
            _syscalls.no_new_privileges()
            _syscalls.seccomp_load(program)
            fcntl.ioctl(event, request_, bytearray(88))
        except OSError as error:
            said = error.errno or 0
        os._exit(said)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == code
