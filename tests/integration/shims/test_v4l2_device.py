# SPDX-License-Identifier: Apache-2.0
"""The V4L2 device ioctl by ioctl: what is served, what is refused, and calls that make no sense."""

import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import av
import pytest

from paracore.classes import link
from tests import clips
from tests.integration.shims.liar import FORMAT, SIZE, Liar, called
from tests.integration.shims.lies import SMALLER, Changing

ROOT = Path(__file__).resolve().parents[3]
HEADER = Path("/usr/include/linux/videodev2.h")
NEWER = ROOT / "native/shims/v4l2/newer.h"
FUZZ = 100_000

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=["multi", "single"])
def planes(request, monkeypatch):
    """Which of V4L2's two APIs the nodes speak."""
    monkeypatch.setenv("PARACORE_V4L2_PLANES", request.param)
    return request.param


@pytest.fixture
def program(preloaded, make_backend):
    """Runs a program in Python before the shim; what it printed."""

    def launch(source, *words):
        device = make_backend(driver="libav")
        done = preloaded(sys.executable, "-c", _COMMON + source, *words, address=device.address)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.split("\n")

    return launch


_COMMON = """
import ctypes, errno, fcntl, os, random, struct, sys
libc = ctypes.CDLL(None, use_errno=True)

def node(word):
    for name in sorted(os.listdir("/dev")):
        if name.startswith("video"):
            fd = os.open("/dev/" + name, os.O_RDWR | os.O_NONBLOCK)
            if word in fcntl.ioctl(fd, QUERYCAP, bytes(104))[16:48]:
                return fd
            os.close(fd)
    raise SystemExit("no " + word.decode())

def number(way, nr, size):
    return way << 30 | size << 16 | ord("V") << 8 | nr

def call(fd, request, argument):
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.ioctl(fd, ctypes.c_ulong(request), argument) < 0 else 0

QUERYCAP = number(2, 0, 104)
TYPES = (1, 2) if os.environ["PARACORE_V4L2_PLANES"] == "single" else (9, 10)
CAPTURE, OUTPUT = TYPES
MMAP = 1
"""

# --- coverage -------------------------------------------------------------------------------------------------

_NUMBERS = r"#define\s+(VIDIOC_\w+)\s+_IO([RW]*)\s*\('V',\s*(\d+)(?:,\s*([\w ]+))?\)"


def requests():
    """Every ioctl of the kernel's header, and of what the shim has that may be newer than that."""
    return {match[0] for match in re.findall(_NUMBERS, HEADER.read_text() + NEWER.read_text())}


def test_the_description_has_every_ioctl_of_the_header():
    said = tomllib.loads((ROOT / "specs" / "v4l2.toml").read_text())
    named = {entry["name"] for entry in said["ioctl"]} | {name for group in said["refused"] for name in group["names"]}
    assert {name.removeprefix("VIDIOC_") for name in requests()} - {"RESERVED", "PRIVATE"} == named
    newer = {match[0].removeprefix("VIDIOC_") for match in re.findall(_NUMBERS, NEWER.read_text())}
    assert {entry["name"] for entry in said["ioctl"] if "since" in entry} == newer


_PROBE = """
fd = node(sys.argv[1].encode())
for line in sys.argv[2].split(","):
    name, way, nr, size = line.split(":")
    argument = ctypes.create_string_buffer(4096)
    print(name, call(fd, number(int(way), int(nr), int(size)), argument) == errno.ENOTTY)
"""


@pytest.mark.usefixtures("planes")
@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_what_is_served_and_what_is_refused(kind, program, tmp_path):
    """Each ioctl of the description is asked of the node; blocking ones cannot block it."""
    said = tomllib.loads((ROOT / "specs" / "v4l2.toml").read_text())
    numbers = numbers_of(tmp_path)
    served = {entry["name"] for entry in said["ioctl"] if entry.get("for", "both") in ("both", kind)}
    words = ",".join(f"{name}:{way}:{nr}:{size}" for name, (way, nr, size) in numbers.items())
    answered = dict(line.split() for line in program(_PROBE, kind, words) if line)
    assert {name for name, refused in answered.items() if refused == "False"} == served


def numbers_of(folder):
    """Direction, number and size of each ioctl, by the C compiler."""
    names = sorted(requests() - {"VIDIOC_RESERVED"})
    lines = "".join(
        f'    printf("%s %d %d %d\\n", "{name[7:]}", (int)_IOC_DIR({name}), (int)_IOC_NR({name}), (int)_IOC_SIZE({name}));\n'
        for name in names
    )
    source = folder / "numbers.c"
    source.write_text(f'#include "{NEWER}"\n#include <stdio.h>\nint main(void)\n{{\n{lines}    return 0;\n}}\n')
    subprocess.run(["cc", "-o", folder / "numbers", source], check=True)
    said = subprocess.run([folder / "numbers"], check=True, capture_output=True, text=True).stdout
    return {name: tuple(map(int, rest)) for name, *rest in (line.split() for line in said.splitlines())}


# --- removing buffers -----------------------------------------------------------------------------------------

_REMOVE = """
REQBUFS, QUERYBUF, QBUF, STREAMON, STREAMOFF = (number(w, n, s) for w, n, s in
    ((3, 8, 20), (3, 9, 88), (3, 15, 88), (1, 18, 4), (1, 19, 4)))
S_FMT, CREATE, REMOVE = number(3, 5, 208), number(3, 92, 256), number(3, 104, 64)

def words(*values, size):
    return ctypes.create_string_buffer(struct.pack(f"{len(values)}I", *values), size)

def create(fd, count):
    argument = words(0, count, MMAP, 0, size=256)
    ctypes.memmove(ctypes.addressof(argument) + 16, format, 208)
    assert call(fd, CREATE, argument) == 0
    return struct.unpack_from("2I", argument)

def remove(fd, first, count, type):
    return errno.errorcode.get(call(fd, REMOVE, words(first, count, type, size=64)), "0")

def buffer(index):
    argument = words(index, OUTPUT, size=88)
    struct.pack_into("I", argument, 60, MMAP)
    struct.pack_into("I", argument, 72, 8)
    struct.pack_into("Q", argument, 64, ctypes.addressof(planes))
    return argument

planes = ctypes.create_string_buffer(512)
fd = node(b"decoder")
format = words(OUTPUT, 0, 320, 240, int.from_bytes(b"H264", "little"), size=208)
assert call(fd, S_FMT, format) == 0
request = words(4, OUTPUT, MMAP, 0, size=20)
assert call(fd, REQBUFS, request) == 0
print("told", struct.unpack_from("I", request, 12)[0] >> 8 & 1)
print("none", remove(fd, 99, 0, OUTPUT), remove(fd, 0, 0, 77), remove(fd, 0, 1, 77))
print("beyond", remove(fd, 4, 1, OUTPUT), remove(fd, 2, 3, OUTPUT), remove(fd, 2**32 - 1, 2, OUTPUT), remove(fd, 0, 1, CAPTURE))
print("middle", remove(fd, 1, 2, OUTPUT), remove(fd, 1, 1, OUTPUT))
print("gone", *(call(fd, QUERYBUF, buffer(index)) == errno.EINVAL for index in range(4)))
print("gap", *create(fd, 2))
print("behind", *create(fd, 3))
print("some", remove(fd, 0, 1, OUTPUT), *create(fd, 40))
queued = buffer(2)
struct.pack_into("I", queued, 8, 16)
struct.pack_into("I", planes, 0, 16)
print("queued", call(fd, QBUF, queued), remove(fd, 2, 1, OUTPUT), remove(fd, 0, 7, OUTPUT), remove(fd, 3, 1, OUTPUT))
assert call(fd, STREAMON, words(OUTPUT, size=4)) == 0
print("streaming", remove(fd, 4, 1, OUTPUT))
assert call(fd, STREAMOFF, words(OUTPUT, size=4)) == 0
print("all", *(remove(fd, n, 1, OUTPUT) for n in (1, 2)), remove(fd, 5, 27, OUTPUT))
print("anew", *create(fd, 1), call(fd, S_FMT, format) == errno.EBUSY, remove(fd, 0, 1, OUTPUT), call(fd, S_FMT, format))
"""


@pytest.mark.usefixtures("planes")
def test_buffers_are_removed(program):
    """vidioc-remove-bufs.rst: all of a range or none, only what the program has; new ones fill the gaps."""
    assert dict(line.split(" ", 1) for line in program(_REMOVE) if line) == {
        "told": "1",
        "none": "0 EINVAL EINVAL",
        "beyond": "EINVAL EINVAL EINVAL EINVAL",
        "middle": "0 EINVAL",
        "gone": "False True True False",
        "gap": "1 2",
        "behind": "4 3",
        "some": "0 7 25",
        "queued": "0 EBUSY EINVAL 0",
        "streaming": "0",
        "all": "0 0 0",
        "anew": "0 1 True 0 0",
    }


# --- senseless calls ------------------------------------------------------------------------------------------

_FUZZ = """
seed, count, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
noise = random.Random(seed)
requests = [tuple(map(int, word.split(":")[1:])) for word in sys.argv[4].split(",")]
files = [node(kind) for _ in range(3)]
argument = ctypes.create_string_buffer(4096)
small = [0, 1, 2, 9, 10, 1, 2, 3, 16, 31, 32, 255, 256, 2**31, 2**32 - 1, 0x00990900, 0x34363248, 0x32314d59]
wild = [None, ctypes.c_void_p(1), ctypes.c_void_p(2**47), ctypes.c_void_p(2**64 - 1)]
served = 0
for turn in range(count):
    way, nr, size = noise.choice(requests)
    words = [noise.choice(small) for _ in range(size // 4)]
    if nr in (9, 15, 17, 93) and noise.random() < 0.8 and len(words) > 18:
        words[1] = noise.choice(TYPES)
        words[15], words[16] = 1, ctypes.addressof(argument) & 0xffffffff
    ctypes.memmove(argument, struct.pack(f"{len(words)}I", *words), 4 * len(words))
    if noise.random() < 0.3 and size >= 72:
        ctypes.memmove(ctypes.addressof(argument) + 64, struct.pack("Q", ctypes.addressof(argument) + 2048), 8)
    if nr in (9, 10, 8, 15, 17, 18, 19):
        ctypes.memmove(argument, struct.pack("I", noise.choice((0, 1, *TYPES, 2))), 4)
    target = argument if noise.random() < 0.9 else noise.choice(wild)
    served += call(noise.choice(files), number(way, nr, size), target) == 0
print(served)
"""


@pytest.mark.usefixtures("planes")
@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_calls_at_random_break_nothing(kind, program, tmp_path, request):
    """Any ioctl with any argument: the program lives on, and so does the device."""
    count = 1_000_000 if request.config.getoption("--long") else FUZZ
    words = ",".join(f"{name}:{way}:{nr}:{size}" for name, (way, nr, size) in numbers_of(tmp_path).items())
    served = int(program(_FUZZ, "7", str(count), kind, words)[0])
    assert served > count / 40


# --- between the first unit and its format -----------------------------------------------------------------------

_GUESS = """
fd = node(b"decoder")
selection = ctypes.create_string_buffer(struct.pack("III4i36x", 1, 0x100, 0, 0, 0, 16, 16))
set_it = lambda: call(fd, number(3, 95, 64), selection)
before = set_it()
assert call(fd, number(3, 8, 20), ctypes.create_string_buffer(struct.pack("III8x", 2, OUTPUT, MMAP))) == 0
assert call(fd, number(1, 18, 4), ctypes.create_string_buffer(struct.pack("I", OUTPUT))) == 0
print(before, errno.errorcode[set_it()])
"""


def test_where_the_picture_is_cannot_be_set_while_it_is_a_guess(program, planes):
    """ffmpeg would take the guess for the truth."""
    assert program(_GUESS)[0] == "0 EBUSY"


_FEED = """
import mmap
fd, unit = node(b"decoder"), bytes.fromhex(sys.argv[1])
libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, *[ctypes.c_size_t] * 4, ctypes.c_long]
format = ctypes.create_string_buffer(struct.pack("I4x3I8xI176x", OUTPUT, 640, 480, 0x34363248, 1 << 20))
assert call(fd, number(3, 5, 208), format) == 0
assert call(fd, number(3, 8, 20), ctypes.create_string_buffer(struct.pack("III8x", 1, OUTPUT, MMAP))) == 0
buffer = ctypes.create_string_buffer(struct.pack("II72xI4x", 0, OUTPUT, 0))
assert call(fd, number(3, 9, 88), buffer) == 0
at = libc.mmap(None, struct.unpack_from("I", buffer, 72)[0], 3, mmap.MAP_SHARED, fd, struct.unpack_from("I", buffer, 64)[0])
ctypes.memmove(at, unit, len(unit))
struct.pack_into("I", buffer, 8, len(unit))
assert call(fd, number(3, 15, 88), buffer) == 0
start = lambda: call(fd, number(1, 18, 4), ctypes.create_string_buffer(struct.pack("I", OUTPUT)))
"""
"""Of the single-planar API: a decoder with its first unit, which streams when it is started."""

_ASK = """
import time

def size():
    format = ctypes.create_string_buffer(struct.pack("I204x", CAPTURE))
    started = time.monotonic()
    assert call(fd, number(3, 4, 208), format) == 0
    assert time.monotonic() - started < 10
    return struct.unpack_from("II", format, 8)

before = size()
assert start() == 0
print(before != size(), size()[0])
"""


@pytest.mark.parametrize(("octets", "told"), [(None, "True 176"), (20, "False 704")])
def test_who_asks_behind_the_first_unit_gets_the_truth(octets, told, program, monkeypatch):
    """Without waiting for an event; and if there is no format in the unit, what was known before, soon."""
    monkeypatch.setenv("PARACORE_V4L2_PLANES", "single")
    with av.open(clips.clip("h264").path) as container:
        unit = bytes(next(container.demux(video=0)))
    assert program(_FEED + _ASK, (unit if octets is None else bytes(octets)).hex())[0] == told


# --- a stream that changes its size ---------------------------------------------------------------------------------

_CHANGE = """
import select
fd, poll = node(b"decoder"), select.poll()
poll.register(fd, select.POLLIN | select.POLLPRI)
type_of = lambda each: ctypes.create_string_buffer(struct.pack("I", each))

def queue(each, index):
    buffer = ctypes.create_string_buffer(struct.pack("III12xQ28xI24x", index, each, 8, index, MMAP))
    assert call(fd, number(3, 15, 88), buffer) == 0

def buffers(each, count):
    assert call(fd, number(3, 8, 20), ctypes.create_string_buffer(struct.pack("III8x", count, each, MMAP))) == 0
    for index in range(count):
        queue(each, index)
    if count:
        assert call(fd, number(1, 18, 4), type_of(each)) == 0

def pictures():
    \"\"\"What there is to be had, to the end.\"\"\"
    last = False
    while not last:
        (_, can), = poll.poll(10_000)
        if can & select.POLLPRI:
            assert call(fd, number(2, 89, 136), ctypes.create_string_buffer(136)) == 0
            print("change", end=" ")
        if can & select.POLLIN:
            buffer = ctypes.create_string_buffer(struct.pack("II52xI24x", 0, CAPTURE, MMAP))
            if call(fd, number(3, 17, 88), buffer) == 0:
                index, _, octets, flags = struct.unpack_from("IIII", buffer)
                last = bool(flags & 0x100000)
                print(octets, end=" last " if last else " ")
                if not last:
                    queue(CAPTURE, index)
    buffer = ctypes.create_string_buffer(struct.pack("II52xI24x", 0, CAPTURE, MMAP))
    print(errno.errorcode[call(fd, number(3, 17, 88), buffer)])

format = ctypes.create_string_buffer(struct.pack("I4x3I8xI176x", OUTPUT, 176, 144, 0x34363248, 1 << 20))
assert call(fd, number(3, 5, 208), format) == 0
assert call(fd, number(1, 90, 32), ctypes.create_string_buffer(struct.pack("I28x", 5))) == 0
buffers(OUTPUT, 20)
assert poll.poll(10_000)[0][1] & select.POLLPRI
buffers(CAPTURE, 5)
"""

_TWICE = """
pictures()
assert call(fd, number(1, 19, 4), type_of(CAPTURE)) == 0
buffers(CAPTURE, 0)
buffers(CAPTURE, 5)
"""

_DRAIN = """
assert call(fd, number(3, 96, 72), ctypes.create_string_buffer(struct.pack("I68x", 1))) == 0
pictures()
"""


@pytest.mark.parametrize("marked", ["before", "after"])
def test_a_change_is_told_before_the_end_of_what_was(marked, preloaded, tmp_path, monkeypatch):
    """Also by a backend that says first which picture is the last: session.md, A new format in mid-stream."""
    monkeypatch.setenv("PARACORE_V4L2_PLANES", "single")
    with Liar(tmp_path, Changing(marked, lie=3)) as backend:
        done = preloaded(sys.executable, "-c", _COMMON + _CHANGE + _TWICE + _DRAIN, address=backend.address)
    assert done.returncode == 0, done.stderr[-3000:]
    old, new, _ = done.stdout.split("\n")
    assert old.split().count("change") == 2, "the first format, and the second"
    mark = "0 last EPIPE" if marked == "before" else "last EPIPE"
    assert [word for word in old.split() if word != "change"] == [str(SIZE)] * Changing.OLD + mark.split()
    assert new.split() == [str(SMALLER.size)] * (20 - Changing.OLD) + ["0", "last", "EPIPE"]


def test_a_change_that_leaves_the_buffers_as_they_are_is_no_end(preloaded, tmp_path, monkeypatch):
    """Of the colours, for one: no event, and no mark."""
    monkeypatch.setenv("PARACORE_V4L2_PLANES", "single")
    with Liar(tmp_path, Changing("after", FORMAT._replace(color_matrix=1))) as backend:
        done = preloaded(sys.executable, "-c", _COMMON + _CHANGE + _DRAIN, address=backend.address)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["change", *[str(SIZE)] * 20, "0", "last", "EPIPE"]


# --- a worker that dies in a call -----------------------------------------------------------------------------------

_STOP = """
print(call(fd, number(1, 19, 4), type_of(OUTPUT)))
"""


def test_a_worker_that_dies_in_a_flush(preloaded, tmp_path, monkeypatch):
    """What it had said before is brought to the program while that is in its call, and both go on."""
    monkeypatch.setenv("PARACORE_V4L2_PLANES", "single")
    flushed = []

    def flush(connection, header, payload):
        flushed.append(header)
        if len(flushed) > 1:
            called(connection, header, payload)
            return
        connection.backend.codecs[header.object].flush()
        connection.goodbye(link.Refusal.WORKER_LOST)

    with Liar(tmp_path, video_flush=flush) as backend:
        done = preloaded(sys.executable, "-c", _COMMON + _CHANGE + _STOP, address=backend.address)
    assert done.stdout == "0\n", done.stderr[-3000:]
    assert len(flushed) == 2


# --- a device that fails -----------------------------------------------------------------------------------------

_FAIL = """
import select
assert start() == 0
print("streams", flush=True)
sys.stdin.readline()
poll, wanted = select.poll(), select.POLLIN | select.POLLPRI | select.POLLRDNORM
poll.register(fd, wanted)
said = poll.poll(10_000)
print(said == [(fd, wanted)], errno.errorcode[call(fd, number(2, 89, 136), ctypes.create_string_buffer(136))])
"""


def test_a_decoder_that_fails_before_its_pictures_stream(preloaded, make_backend, monkeypatch):
    """No error of poll(): ffmpeg 5.1 would then look at the buffers for pictures, which it has not got."""
    monkeypatch.setenv("PARACORE_ON_LOSS", "fail")
    monkeypatch.setenv("PARACORE_V4L2_PLANES", "single")
    device = make_backend(driver="libav")
    words = [sys.executable, "-c", _COMMON + _FEED + _FAIL, bytes(20).hex()]
    with preloaded(*words, address=device.address, runner=subprocess.Popen) as running:
        assert running.stdout.readline() == "streams\n"
        for process in reversed(device.processes()):
            os.kill(process, signal.SIGKILL)
        said, errors = running.communicate("\n", timeout=30)
    assert said == "True EIO\n", errors
