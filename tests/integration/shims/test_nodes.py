# SPDX-License-Identifier: Apache-2.0
"""Which devices unmodified programs find, and how: /dev, sysfs, udev, with and without a backend."""

import re
import subprocess
import sys
import time

import pytest

from tests.integration.shims.conftest import NATIVE

PYTHON = sys.executable


@pytest.fixture
def libav(make_backend):
    return make_backend(driver="libav")


def python(preloaded, text, backend, **options):
    done = preloaded(PYTHON, "-c", text, address=backend.address, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- v4l2-ctl -------------------------------------------------------------------------------------------------


def test_v4l2_ctl_lists_the_devices(preloaded, libav):
    done = preloaded("v4l2-ctl", "--list-devices", address=libav.address)
    assert done.returncode == 0, done.stderr
    listed = r"^(paracore: vpu0 \(\w+\)) \(.*\):\n\t(/dev/video\d+)\n\t(/dev/media\d+)$"
    found = re.findall(listed, done.stdout, re.MULTILINE)
    assert [card for card, *_ in found] == ["paracore: vpu0 (decoder)", "paracore: vpu0 (encoder)"]
    assert len({node for _, *nodes in found for node in nodes}) == 4


def test_v4l2_ctl_takes_a_node_by_its_number(preloaded, libav):
    node = python(preloaded, "import glob; print(sorted(glob.glob('/dev/video*'))[0], end='')", libav)
    done = preloaded("v4l2-ctl", "-d", node.removeprefix("/dev/video"), "--info", address=libav.address)
    assert "Card type        : paracore: vpu0 (" in done.stdout, done.stdout + done.stderr


def test_a_device_that_only_decodes_has_one_node(preloaded, backend):
    """The null driver has no encoder."""
    done = preloaded("v4l2-ctl", "--list-devices", address=backend.address)
    assert done.stdout.count("/dev/video") == len({each["direction"] for each in codecs(backend)})


def codecs(backend):
    return backend.status()["devices"][0]["codecs"]


def test_without_a_backend_there_is_nothing_and_quickly(preloaded, tmp_path):
    begin = time.monotonic()
    done = preloaded("v4l2-ctl", "--list-devices", address=tmp_path / "none.sock")
    assert "paracore" not in done.stdout
    assert time.monotonic() - begin < 2


# --- /dev and sysfs -------------------------------------------------------------------------------------------


def test_dev_is_otherwise_the_same(preloaded, libav, tmp_path):
    there = preloaded("ls", "-la", "/dev", address=libav.address).stdout.splitlines()
    plain = subprocess.run(["ls", "-la", "/dev"], capture_output=True, text=True, check=True).stdout.splitlines()
    more = [line for line in there if line not in plain]
    assert len(more) == 4
    assert all(re.match(r"crw-rw---- +1 .* (81|240), +\d+ .* (video|media)\d+$", line) for line in more), more
    assert [line for line in plain if line not in there] == []
    absent = preloaded("ls", "-la", "/dev", address=tmp_path / "none.sock").stdout.splitlines()
    assert absent == plain


def test_sysfs_says_the_same(preloaded, libav):
    text = """
import os
names = sorted(name for name in os.listdir("/sys/class/video4linux"))
for name in names:
    number = open(f"/sys/class/video4linux/{name}/dev").read().strip()
    status = os.stat(f"/dev/{name}")
    assert number == f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    assert f"DEVNAME={name}" in open(f"/sys/dev/char/{number}/uevent").read()
    assert os.path.realpath(f"/dev/{name}") == f"/dev/{name}"
    print(open(f"/sys/class/video4linux/{name}/name").read(), end="")
"""
    assert python(preloaded, text, libav).splitlines()[-2:] == ["paracore: vpu0 (decoder)", "paracore: vpu0 (encoder)"]


def test_a_shell_finds_them(preloaded, libav):
    done = preloaded("bash", "-c", "for node in /dev/video*; do test -c $node && test -w $node && echo $node; done",
                     address=libav.address)  # fmt: skip
    assert len(done.stdout.split()) == 2


# --- coming and going -----------------------------------------------------------------------------------------

WATCHER = """
import os, sys
while sys.stdin.readline():
    print(*sorted(name for name in os.listdir("/dev") if name.startswith("video")), flush=True)
"""


def test_nodes_come_and_go_with_the_backend(libav, preloaded):
    watcher = preloaded(PYTHON, "-c", WATCHER, address=libav.address, runner=subprocess.Popen)
    with watcher:
        first = look(watcher)
        assert len(first) == 2
        libav.kill()
        assert look(watcher) == []
        time.sleep(0.6)  # it does not look for a backend more often
        libav.start()
        assert look(watcher) == first
        watcher.stdin.close()


def look(watcher):
    watcher.stdin.write("\n")
    watcher.stdin.flush()
    return watcher.stdout.readline().split()


# --- processes ------------------------------------------------------------------------------------------------


def test_a_child_opens_one_of_its_own(preloaded, libav):
    text = """
import fcntl, glob, os
node = sorted(glob.glob("/dev/video*"))[0]
QUERYCAP = 0x80685600
parents = os.open(node, os.O_RDWR)
assert b"paracore" in fcntl.ioctl(parents, QUERYCAP, bytes(104))
child = os.fork()
if child == 0:
    own = os.open(node, os.O_RDWR)
    os._exit(b"paracore" not in fcntl.ioctl(own, QUERYCAP, bytes(104)))
assert os.waitpid(child, 0)[1] == 0
assert b"paracore" in fcntl.ioctl(parents, QUERYCAP, bytes(104))
"""
    python(preloaded, text, libav)


def test_what_a_program_starts_finds_them_too(preloaded, libav):
    done = preloaded("sh", "-c", "ls /dev | grep -c ^video", address=libav.address)
    assert done.stdout == "2\n"


def test_waiting_programs(preloaded, libav):
    """By poll, select and epoll: nothing streams, which is an error that a program is to see at once."""
    text = """
import glob, os, select
fd = os.open(sorted(glob.glob("/dev/video*"))[0], os.O_RDWR | os.O_NONBLOCK)
poll = select.poll()
poll.register(fd, select.POLLIN | select.POLLPRI)
assert poll.poll(2000) == [(fd, select.POLLERR)], poll.poll(0)
assert select.select([fd], [], [], 2)[0] == [fd]
assert select.select([], [], [fd], 0.1)[2] == []
os.close(fd)
"""
    python(preloaded, text, libav)


# --- libudev ------------------------------------------------------------------------------------------------

UDEV = """
import ctypes
ctypes.CDLL("libudev.so.1", mode=ctypes.RTLD_GLOBAL)
shim = ctypes.CDLL(None)

def call(name, *arguments, of=ctypes.c_void_p):
    function = getattr(shim, "udev_" + name)
    function.restype = of
    return function(*[ctypes.c_void_p(each) if isinstance(each, int) else each for each in arguments])

def found(*matches):
    enumerate_ = call("enumerate_new", context)
    for name, *values in matches:
        call("enumerate_add_" + name, enumerate_, *values, of=ctypes.c_int)
    assert call("enumerate_scan_devices", enumerate_, of=ctypes.c_int) >= 0
    entry, names = call("enumerate_get_list_entry", enumerate_), []
    while entry:
        names.append(call("list_entry_get_name", entry, of=ctypes.c_char_p).decode())
        entry = call("list_entry_get_next", entry)
    call("enumerate_unref", enumerate_)
    return [name for name in names if "/virtual/video4linux/" in name]

context = call("new")
ours = found(("match_subsystem", b"video4linux"))
assert len(ours) == 2, ours
assert found() == ours
assert found(("nomatch_subsystem", b"video4*")) == []
assert found(("match_subsystem", b"net"), ("match_subsystem", b"video*")) == ours
assert found(("match_sysname", ours[1].rpartition("/")[2].encode())) == ours[1:]
assert found(("match_property", b"ID_V4L_PRODUCT", b"*decoder*")) == ours[:1]
assert found(("match_sysattr", b"name", b"*encoder)")) == ours[1:]
assert found(("match_subsystem", b"video4linux"), ("match_tag", b"seat")) == []
for path in ours:
    device = call("device_new_from_syspath", context, path.encode())
    node = call("device_get_devnode", device, of=ctypes.c_char_p).decode()
    assert node == "/dev/" + path.rpartition("/")[2]
    assert call("device_get_subsystem", device, of=ctypes.c_char_p) == b"video4linux"
    print(node, call("device_get_property_value", device, b"ID_V4L_PRODUCT", of=ctypes.c_char_p).decode())
    call("device_ref", device)
    call("device_unref", device)
    assert call("device_unref", device) is None
null = call("device_new_from_subsystem_sysname", context, b"mem", b"null")
assert call("device_get_devnode", null, of=ctypes.c_char_p) == b"/dev/null"
call("device_unref", null)
call("unref", context)
"""


def test_libudev_enumerates_them(preloaded, libav):
    said = python(preloaded, UDEV, libav).splitlines()
    assert [line.partition(" ")[2] for line in said] == ["paracore: vpu0 (decoder)", "paracore: vpu0 (encoder)"]


# --- beside the kernel's ------------------------------------------------------------------------------------

BESIDE = """
import os
with open("/dev/video0"):
    pass
names = sorted(name for name in os.listdir("/dev") if name.startswith("video"))
assert names == ["video0", "video1", "video2"], names
assert not os.path.samefile("/dev/video0", "/dev/video1")
assert os.stat("/dev/video0").st_rdev == os.stat("/dev/null").st_rdev
assert os.minor(os.stat("/dev/video2").st_rdev) == 2
"""


def test_a_device_of_the_kernels_keeps_its_number(preloaded, libav):
    words = ["bwrap", "--bind", "/", "/", "--dev", "/dev", "--dev-bind", "/dev/null", "/dev/video0"]
    done = preloaded(*words, PYTHON, "-c", BESIDE, address=libav.address)
    assert done.returncode == 0, done.stderr


# --- a sandbox ----------------------------------------------------------------------------------------------


def test_a_sandbox_needs_the_socket_and_the_library(preloaded, libav):
    """As the guide has it; there is no device node and no sysfs inside."""
    folder, library = libav.folder, NATIVE / "libparacore-v4l2.so"
    words = ["bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib"]
    words += ["--symlink", "usr/lib64", "/lib64", "--ro-bind", "/etc", "/etc", "--proc", "/proc", "--dev", "/dev"]
    words += ["--ro-bind", folder, "/run/paracore", "--ro-bind", library, "/opt/shim.so"]
    words += ["--setenv", "LD_PRELOAD", "/opt/shim.so", "--unsetenv", "PARACORE_SOCKET"]
    done = preloaded(*words, "v4l2-ctl", "--list-devices", address=libav.address)
    assert "paracore: vpu0 (decoder)" in done.stdout, done.stderr


# --- who has no use for them ---------------------------------------------------------------------------------

IDLE = """
import os, pathlib, select, tempfile

def sockets():
    links = (os.path.join("/proc/self/fd", each) for each in os.listdir("/proc/self/fd"))
    return [link for link in links if os.path.lexists(link) and "socket:" in os.readlink(link)]

before = sockets()
os.listdir("/tmp"), os.stat("/dev/null"), os.path.exists("/nowhere"), os.access("/dev", os.R_OK)
with tempfile.TemporaryFile() as file:
    file.write(b"x"), select.select([file], [], [], 0)
assert sockets() == before, sockets()
assert len(os.listdir("/proc/self/task")) == 1
os.listdir("/dev")
assert sockets() != before
"""


def test_a_program_that_looks_for_no_device_connects_to_nobody(preloaded, libav):
    python(preloaded, IDLE, libav)


# --- GStreamer ------------------------------------------------------------------------------------------------


def test_gstreamer_has_the_elements(preloaded, libav):
    done = preloaded("gst-inspect-1.0", "video4linux2", address=libav.address)
    assert done.returncode == 0, done.stderr
    for element in ("v4l2h264dec", "v4l2h265dec", "v4l2vp8dec", "v4l2vp9dec", "v4l2h264enc"):
        assert element in done.stdout, done.stdout


def test_gstreamer_without_a_backend(preloaded, tmp_path):
    done = preloaded("gst-inspect-1.0", "v4l2h264dec", address=tmp_path / "none.sock")
    assert "No such element" in done.stdout + done.stderr
