# SPDX-License-Identifier: Apache-2.0
"""The media controller device beside each node: what programs that ask for it are told, and that a program whose task
it is finds no fault with either.
"""

import re
import sys

import pytest

from tests.integration.backends import Backend

PYTHON = sys.executable
CODECS = 'options = { codecs = "h264 hevc vp8 vp9 mpeg2 mpeg4" }'
"""Without AV1, of which v4l2-compliance 1.22 does not know."""
KINDS = ["decoder", "encoder"]


@pytest.fixture(scope="module")
def libav():
    backend = Backend(driver="libav", options=CODECS).start()
    yield backend
    backend.remove()


@pytest.fixture
def run(preloaded, libav):
    def run(*words):
        done = preloaded(*words, address=libav.address)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def nodes(run):
    """By kind: the video node and its media device."""
    listed = r"^paracore: vpu0 \((\w+)\) \(.*\):\n\t(/dev/video\d+)\n\t(/dev/media\d+)$"
    found = re.findall(listed, run("v4l2-ctl", "--list-devices"), re.MULTILINE)
    return {kind: (video, media) for kind, video, media in found}


# --- programs -------------------------------------------------------------------------------------------------

GRAPH = """\
- entity 1: vpu0-KIND-source (1 pad, 1 link)
            type Node subtype V4L flags 0
            device node name VIDEO
	pad0: Source
		-> "vpu0-KIND-proc":0 [ENABLED,IMMUTABLE]

- entity 3: vpu0-KIND-proc (2 pads, 2 links)
            type Node subtype Unknown flags 0
	pad0: Sink
		<- "vpu0-KIND-source":0 [ENABLED,IMMUTABLE]
	pad1: Source
		-> "vpu0-KIND-sink":0 [ENABLED,IMMUTABLE]

- entity 6: vpu0-KIND-sink (1 pad, 1 link)
            type Node subtype V4L flags 0
            device node name VIDEO
	pad0: Sink
		<- "vpu0-KIND-proc":1 [ENABLED,IMMUTABLE]
"""


@pytest.mark.parametrize("kind", KINDS)
def test_media_ctl_prints_the_graph(run, nodes, kind):
    video, media = nodes[kind]
    said = run("media-ctl", "-d", media, "-p")
    assert GRAPH.replace("KIND", kind).replace("VIDEO", video) in said
    assert re.search(rf"^model +paracore: vpu0 \({kind}\)$", said, re.MULTILINE)


def passes(said):
    totals = re.findall(
        r"^(?:Grand )?Total for .*Succeeded: (\d+), Failed: (\d+), Warnings: (\d+)$", said, re.MULTILINE
    )
    assert totals, said
    assert all(failed == warnings == "0" for _, failed, warnings in totals), said


@pytest.mark.parametrize("kind", KINDS)
def test_compliance_of_the_media_device(run, nodes, kind):
    """And of the node that it leads to; test_v4l2_programs.py has that stream."""
    said = run("v4l2-compliance", "-m", nodes[kind][1])
    passes(said)
    assert f"Compliance test for paracore device {nodes[kind][0]}:" in said


# --- the descriptor -------------------------------------------------------------------------------------------

ASK = """
import ctypes, errno, fcntl, mmap, os, select, struct

INFO, ENTITIES, LINKS, SETUP, TOPOLOGY, REQUEST = 0xc1007c00, 0xc1007c01, 0xc0287c02, 0xc0347c03, 0xc0487c04, 0x80047c05
INPUTS = select.POLLIN | select.POLLRDNORM

def ask(request, octets):
    octets = bytearray(octets)
    fcntl.ioctl(fd, request, octets)
    return octets

def refused(error, call, *arguments):
    try:
        call(*arguments)
    except OSError as caught:
        assert caught.errno == error, caught
    else:
        raise AssertionError(f"{call} {arguments}")

fd = os.open("MEDIA", os.O_RDWR)
"""

ALL = """
QUERYCAP = 0x80685600
counts = struct.unpack("=Q" + "IIQ" * 4, ask(TOPOLOGY, bytes(72)))
assert counts[1::3] == (3, 1, 4, 4), counts
sizes, rooms = (96, 112, 32, 40), (3, 1, 4, 4)
arrays = [ctypes.create_string_buffer(size * count) for size, count in zip(sizes, rooms)]

def topology(rooms, addresses):
    words = [word for room, address in zip(rooms, addresses) for word in (room, 7, address)]
    return struct.pack("=Q" + "IIQ" * 4, 0, *words)

addresses = [ctypes.addressof(each) for each in arrays]
told = struct.unpack("=Q" + "IIQ" * 4, ask(TOPOLOGY, topology(rooms, addresses)))
assert told[1::3] == rooms and told[2::3] == (0,) * 4 and told[3::3] == tuple(addresses)
functions = [struct.unpack_from("=I", arrays[0].raw, 96 * n + 68)[0] for n in range(3)]
assert functions == [0x10001, FUNCTION, 0x10001], functions
number = os.stat("VIDEO").st_rdev
assert struct.unpack_from("=II", arrays[1].raw, 48) == (os.major(number), os.minor(number))
for part in range(4):
    fewer = [room - (n == part) for n, room in enumerate(rooms)]
    refused(errno.ENOSPC, ask, TOPOLOGY, topology(fewer, addresses))
    nowhere = [8 if n == part else address for n, address in enumerate(addresses)]
    refused(errno.EFAULT, ask, TOPOLOGY, topology(rooms, nowhere))
"""


@pytest.mark.parametrize(("kind", "function"), [("decoder", "0x4008"), ("encoder", "0x4007")])
def test_the_whole_graph(run, nodes, kind, function):
    """As media-device.c gives it: counts alone, arrays, ENOSPC, EFAULT."""
    run(PYTHON, "-c", filled(ASK + ALL, nodes[kind]).replace("FUNCTION", function))


def filled(text, pair):
    return text.replace("VIDEO", pair[0]).replace("MEDIA", pair[1])


REFUSALS = """
refused(errno.EINVAL, ask, ENTITIES, bytes(256))
refused(errno.EINVAL, ask, ENTITIES, struct.pack("I", 2).ljust(256))
refused(errno.EINVAL, ask, ENTITIES, struct.pack("I", 6 | 1 << 31).ljust(256))
refused(errno.EINVAL, ask, LINKS, bytes(40))
refused(errno.EFAULT, ask, LINKS, struct.pack("IxxxxQQ", 3, 8, 0).ljust(40, bytes(1)))
refused(errno.EFAULT, ask, LINKS, struct.pack("IxxxxQQ", 3, 0, 8).ljust(40, bytes(1)))

def link(source, sink, flags):
    pads = struct.pack("IHxxIII", *source, 0, 0, 0) + struct.pack("IHxxIII", *sink, 0, 0, 0)
    return pads + struct.pack("III", flags, 0, 0)

assert ask(SETUP, link((1, 0), (3, 0), 3)) == link((1, 0), (3, 0), 3)
for wrong in link((1, 0), (3, 0), 1), link((1, 0), (3, 0), 2), link((1, 1), (3, 0), 3), link((3, 0), (6, 0), 3):
    refused(errno.EINVAL, ask, SETUP, wrong)
refused(errno.ENOTTY, ask, REQUEST, bytes(4))
refused(errno.ENOTTY, ask, 0x80685600, bytes(104))
refused(errno.EINVAL, os.read, fd, 1)
refused(errno.EINVAL, os.write, fd, b"x")
refused(errno.ENODEV, mmap.mmap, fd, 4096)
"""


def test_what_is_refused(run, nodes):
    run(PYTHON, "-c", filled(ASK + REFUSALS, nodes["decoder"]))


LIFE = """
status = os.fstat(fd)
assert (os.major(status.st_rdev), status.st_rdev) == (240, os.stat("MEDIA").st_rdev)
assert os.path.samestat(status, os.stat("MEDIA")) and not os.path.samefile("MEDIA", "VIDEO")
poll = select.poll()
poll.register(fd, select.POLLIN | select.POLLOUT)
assert poll.poll(1000) == [(fd, select.POLLIN | select.POLLOUT)]
assert select.select([fd], [fd], [], 1)[:2] == ([fd], [fd])
other = os.dup(fd)
os.close(fd)
fd = other
assert ask(INFO, bytes(256))[:9] == b"paracore\\0"
child = os.fork()
if child == 0:
    refused(errno.EIO, ask, INFO, bytes(256))
    fd = os.open("MEDIA", os.O_RDWR)
    os._exit(ask(INFO, bytes(256))[:8] != b"paracore")
assert os.waitpid(child, 0)[1] == 0
os.close(fd)
refused(errno.EBADF, ask, INFO, bytes(256))
"""


def test_a_descriptor_and_its_copies(run, nodes):
    run(PYTHON, "-c", filled(ASK + LIFE, nodes["encoder"]))


# --- where it is found ----------------------------------------------------------------------------------------

SYSFS = """
import os
for name in sorted(name for name in os.listdir("/dev") if name.startswith("video")):
    folder = f"/sys/class/video4linux/{name}/device"
    (media,) = [each for each in os.listdir(folder) if each.startswith("media")]
    with open(f"{folder}/{media}/dev") as file:
        number = file.read().strip()
    status = os.stat(f"/dev/{media}")
    assert number == f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    with open(f"/sys/dev/char/{number}/uevent") as file:
        assert f"DEVNAME={media}" in file.read().split()
    with open(f"/sys/dev/char/{number}/model") as file:
        print(file.read(), end="")
    assert os.path.realpath(f"{folder}/{media}") == os.path.realpath(f"/sys/dev/char/{number}")
"""


def test_sysfs_leads_from_the_node_to_it(run):
    assert run(PYTHON, "-c", SYSFS).splitlines() == ["paracore: vpu0 (decoder)", "paracore: vpu0 (encoder)"]


BESIDE = """
import os
names = sorted(name for name in os.listdir("/dev") if name.startswith("media"))
assert names == ["media0", "media1", "media2"], names
assert os.stat("/dev/media0").st_rdev == os.stat("/dev/null").st_rdev
assert os.minor(os.stat("/dev/media2").st_rdev) == 2
assert os.listdir("/sys/dev/char/81:0/device").count("media1") == 1
"""


def test_one_of_the_kernels_keeps_its_number(run):
    run("bwrap", "--bind", "/", "/", "--dev", "/dev", "--dev-bind", "/dev/null", "/dev/media0", PYTHON, "-c", BESIDE)


def test_without_a_backend_there_is_none(preloaded, tmp_path):
    done = preloaded("ls", "/dev", address=tmp_path / "none.sock")
    assert not re.search(r"^media\d", done.stdout, re.MULTILINE)
