# SPDX-License-Identifier: Apache-2.0
"""What a worker that was taken over by its domain can still do: each forbidden thing is tried from within."""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from paracore.backend._sandbox import Bounds, confinement
from paracore.backend._seccomp import PASSED_MIN
from paracore.transport.local._pages import LocalMapping
from tests.integration.backends import Stream, limits_of

NOBODY = (65534, 65534)
BOUNDS = Bounds(memory=1 << 30, descriptors=512)

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)

pytestmark = pytest.mark.skipif(
    not confinement(None).filter,  # what else may be missing only stands behind it
    reason="this kernel cannot confine workers: " + "; ".join(confinement(None).missing),
)


def confined(step):
    """What a step returns or fails with in a process that is confined as workers are."""
    read, write = os.pipe()
    memory = os.memfd_create("passed")
    os.ftruncate(memory, 4096)
    low, high = os.dup(memory), fcntl.fcntl(memory, fcntl.F_DUPFD, 300)
    prepared = confinement(NOBODY if os.geteuid() == 0 else None)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            prepared.enter(BOUNDS, parent)
            said = {"returned": step(low, high)}
        except OSError as error:
            said = {"errno": error.errno}
        except BaseException as error:  # noqa: BLE001 - told to the test
            said = {"raised": repr(error)}
        os.write(write, json.dumps(said).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = json.loads(pipe.read())
    os.waitpid(pid, 0)
    for descriptor in (memory, low, high):
        os.close(descriptor)
    assert "raised" not in said, said
    return said


def call(function, *arguments):
    """A libc function whose failure is raised."""
    result = function(*arguments)
    if result in (-1, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "refused")
    return result


def system_call(number, *arguments):
    return call(libc.syscall, number, *(ctypes.c_long(argument) for argument in arguments))


def map_fd(descriptor, access=mmap.PROT_READ | mmap.PROT_WRITE):
    return call(libc.mmap, None, 4096, access, mmap.MAP_SHARED, descriptor, 0)


PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
NUMBERS = {"x86_64": {"prlimit64": 302, "ptrace": 101, "process_vm_readv": 310, "memfd_create": 319, "io_uring_setup": 425, "bpf": 321,
                      "userfaultfd": 323, "unshare": 272, "setns": 308, "keyctl": 250, "pidfd_getfd": 438, "shmget": 29},
           "aarch64": {"prlimit64": 261, "ptrace": 117, "process_vm_readv": 270, "memfd_create": 279, "io_uring_setup": 425, "bpf": 280,
                       "userfaultfd": 282, "unshare": 97, "setns": 268, "keyctl": 219, "pidfd_getfd": 438, "shmget": 194},
           }[os.uname().machine]  # fmt: skip

EVTCHN_NOTIFY = 0x0004_4504

FORBIDDEN = {
    "read a file": lambda *_: os.open("/etc/passwd", os.O_RDONLY),
    "make a file": lambda *_: os.open("/tmp/made", os.O_CREAT | os.O_WRONLY),
    "list a folder": lambda *_: list(Path("/").iterdir()),
    "ask for a file": lambda *_: Path("/etc/passwd").stat(),
    "unlink a file": lambda *_: Path("/tmp/none").unlink(),
    "go through /proc to memory": lambda *_: os.open("/proc/self/mem", os.O_RDWR),
    "open a descriptor again": lambda low, _: os.open(f"/proc/self/fd/{low}", os.O_RDWR),
    "make an internet socket": lambda *_: socket.socket(socket.AF_INET, socket.SOCK_STREAM).fileno(),
    "make a Unix socket": lambda *_: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).fileno(),
    "make a socket pair": lambda *_: socket.socketpair()[0].fileno(),
    "run a program": lambda *_: os.execve("/bin/true", ["true"], {}),
    "fork": lambda *_: os.fork(),
    "signal its parent": lambda *_: os.kill(os.getppid(), 0),
    "signal itself by number": lambda *_: os.kill(os.getpid(), 0),
    "pin another process, if only by its number": lambda *_: os.sched_setaffinity(os.getpid(), {0}),
    "become root": lambda *_: os.setuid(0),
    "change its limits": lambda *_: system_call(NUMBERS["prlimit64"], 0, resource.RLIMIT_NOFILE, 0, 0),
    "trace": lambda *_: system_call(NUMBERS["ptrace"], 16, os.getppid(), 0, 0),
    "read another's memory": lambda *_: system_call(NUMBERS["process_vm_readv"], os.getppid(), 0, 0, 0, 0, 0),
    "make a memfd": lambda *_: system_call(NUMBERS["memfd_create"], 0, 0),
    "make an io_uring": lambda *_: system_call(NUMBERS["io_uring_setup"], 1, 0),
    "load a BPF program": lambda *_: system_call(NUMBERS["bpf"], 0, 0, 0),
    "handle page faults": lambda *_: system_call(NUMBERS["userfaultfd"], 0),
    "make namespaces": lambda *_: system_call(NUMBERS["unshare"], 0x10000000),
    "enter namespaces": lambda *_: system_call(NUMBERS["setns"], 0, 0),
    "use keys": lambda *_: system_call(NUMBERS["keyctl"], 0, 0),
    "take another's descriptor": lambda *_: system_call(NUMBERS["pidfd_getfd"], 0, 0, 0),
    "make shared memory": lambda *_: system_call(NUMBERS["shmget"], 0, 4096, 0o600),
    "map a grant": lambda _, high: fcntl.ioctl(high, 0x0018_4700, bytes(24)),
    "unmap a grant": lambda _, high: fcntl.ioctl(high, 0x0010_4701, bytes(16)),
    "bind an event channel": lambda _, high: fcntl.ioctl(high, 0x0008_4501, bytes(8)),
    "ask a terminal": lambda _, high: fcntl.ioctl(high, 0x5413, bytes(8)),
    "ring by a request whose upper half is cut off": lambda _, high: system_call(
        16 if os.uname().machine == "x86_64" else 29, high, (1 << 32) | EVTCHN_NOTIFY, 0
    ),
    "duplicate a descriptor": lambda low, _: os.dup(low),
    "move a descriptor": lambda low, _: os.dup2(low, 400),
    "map a descriptor that was not passed": lambda low, _: map_fd(low),
    "map one by a number whose upper half is cut off": lambda low, _: system_call(
        9 if os.uname().machine == "x86_64" else 222, 0, 4096, 1, mmap.MAP_SHARED, (1 << 40) | low, 0
    ),
    "map executable memory": lambda *_: call(libc.mmap, None, 4096, mmap.PROT_EXEC, PRIVATE, -1, 0),
    "map passed memory executable": lambda _, high: map_fd(high, mmap.PROT_READ | mmap.PROT_EXEC),
    "make memory executable": lambda *_: call(
        libc.mprotect,
        ctypes.c_void_p(call(libc.mmap, None, 4096, mmap.PROT_READ, PRIVATE, -1, 0)),
        4096,
        mmap.PROT_EXEC,
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_forbidden(what):
    assert confined(FORBIDDEN[what]).get("errno") in (errno.EPERM, errno.EACCES), what


def run_thread(*_):
    ran = []
    thread = threading.Thread(target=lambda: ran.append(True))
    thread.start()
    thread.join()
    return ran


def ring_event_channel(_, high):
    """There is none here; but it is the kernel that says so, and not the filter."""
    with pytest.raises(OSError, match="ioctl") as raised:
        fcntl.ioctl(high, EVTCHN_NOTIFY, bytes(4))
    return raised.value.errno


def use_passed_memory(_, high):
    mapping = LocalMapping(high, 4096, read_only=False)
    mapping.view()[0] = 7
    return mapping.view()[0]


ALLOWED = {
    "start a thread": (run_thread, [True]),
    "have more memory": (lambda *_: len(bytearray(64 << 20)), 64 << 20),
    "map passed memory": (use_passed_memory, 7),
    "ring an event channel": (ring_event_channel, errno.ENOTTY),
    "make a doorbell": (lambda *_: os.eventfd(0) >= 0, True),
    "pin itself": (lambda *_: os.sched_setaffinity(0, os.sched_getaffinity(0)), None),
    "know the time and its cores": (lambda *_: len(os.sched_getaffinity(0)) > 0, True),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_allowed(what):
    step, result = ALLOWED[what]
    assert confined(step) == {"returned": result}


def test_memory_is_bounded():
    def grab(*_):
        try:
            bytearray(2 << 30)
        except MemoryError:
            return "bounded"

    assert confined(grab) == {"returned": "bounded"}


def test_it_does_not_outlive_its_parent():
    read, write = os.pipe()
    prepared = confinement(None)
    parent = os.fork()
    if parent == 0:
        child = os.fork()
        if child == 0:
            prepared.enter(BOUNDS, os.getppid())
            os.write(write, b"x")
            signal.pause()
        os.waitpid(child, 0)
    os.close(write)
    assert os.read(read, 1) == b"x"
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert os.read(read, 1) == b"", "the child's end of the pipe is closed by its end"
    os.close(read)


def test_a_worker_is_confined(backend):
    """The real one, as the kernel sees it, while it works."""
    with backend.connect() as channel:
        limits_of(channel)
        stream = Stream(channel)
        stream.play(3)
        worker = Path("/proc", str(backend.worker()))
        status = dict(re.findall(r"^(\w+):[ \t]*(.*?)[ \t]*$", (worker / "status").read_text(), re.MULTILINE))
        assert (status["Seccomp"], status["NoNewPrivs"], status["Threads"]) == ("2", "1", "1")
        if os.geteuid() == 0:
            assert {status["Uid"], status["Gid"]} == {"\t".join(["65534"] * 4)}
            assert status["Groups"] == ""
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        assert re.search(r"Max core file size\s+0\s", (worker / "limits").read_text())
        assert re.search(rf"Max data size\s+{4096 << 20}\s", (worker / "limits").read_text())
        opened = [(int(entry.name), str(entry.readlink())) for entry in (worker / "fd").iterdir()]
        for number, what in opened:
            # What it has beside what it was passed: nothing at all, its socket, its standard error.
            assert number >= PASSED_MIN or what == "/dev/null" or number in (2, 3), (number, what)
            assert what == "/dev/null" or what.startswith(("socket:", "pipe:", "anon_inode:")), what
        maps = (worker / "maps").read_text()
        assert not re.search(r"rwx[ps]", maps)
        read_only = [line for line in maps.splitlines() if "memfd:paracore" in line and " r--s " in line]
        assert len(read_only) == 1, "the inputs' buffer, and nothing else, is mapped for reading only"


@pytest.mark.parametrize(("wanted", "ends"), [("required", True), ("preferred", False)])
def test_a_kernel_without_seccomp(tmp_path, wanted, ends):
    """Where one wall is missing, the administrator decides; played by a libseccomp that is not there."""
    (tmp_path / "pyseccomp.py").write_text("raise ImportError('played')")
    configuration = tmp_path / "paracore.toml"
    configuration.write_text(f"[backend]\nsocket = '{tmp_path}/socket'\nsandbox = '{wanted}'\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from paracore.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", program, "serve", "--config", str(configuration)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as server:
        lines = iter(server.stderr.readline, "")
        assert any("seccomp: workers are not confined" in line for line in lines)
        if ends:
            assert "backend.sandbox: is required" in "".join(lines)
        else:
            server.terminate()
    assert bool(server.returncode) is ends


def test_a_weight_is_the_workers_share_of_processor_time(make_backend):
    """200 against 100 is three steps of the nice value."""
    backend = make_backend(weight=50)
    with backend.connect():
        assert os.getpriority(os.PRIO_PROCESS, backend.worker()) == 3
