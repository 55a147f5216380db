# SPDX-License-Identifier: Apache-2.0
"""Builds what a board boots from: Xen, a kernel, a small first root and one read-only disk that all domains share.

No root, no chroot and no loop mount is needed: packages are unpacked into a folder, and the disk is a squashfs made of
it. dom0 and guests run from the same disk, with memory of their own above it, so a guest needs little memory and
``xl create`` little time.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import _kernel_modules, _packages, _wheels
from testbed._digest import Stamp
from testbed._errors import TestbedError
from testbed._paths import BUILD, DOMAIN, ROOT
from testbed._run import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["IMAGE", "PACKAGES", "TREE", "Image", "build"]

#: Debian packages of the domains, and those that cross builds for them need.
PACKAGES = (
    "bash", "bubblewrap", "busybox-static", "ffmpeg", "gstreamer1.0-omx-generic", "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-good", "gstreamer1.0-tools", "libdav1d-dev", "libavcodec-dev", "libavformat-dev",
    "libavutil-dev", "libpython3.11-dev", "libseccomp2", "linux-image-arm64", "procps", "python3", "strace", "tar",
    "v4l-utils", "xen-hypervisor-4.17-arm64", "xen-utils-4.17",
)  # fmt: skip

#: What the programs above depend on for a screen, a speaker, a synthesizer or a session, and a board has none of. The
#: domains' init is busybox: another ``poweroff`` would do nothing when Xen asks for it.
_NOT_UNPACKED = (
    "adwaita-icon-theme", "dbus-user-session", "hicolor-icon-theme", "iso-codes", "libgl1-mesa-dri", "libgtk-3-common",
    "libllvm15", "libpam-systemd", "libz3-4", "systemd", "systemd-sysv", "timgm6mb-soundfont",
)  # fmt: skip

#: Python packages of the domains beside those that the project itself asks for: its tests run there, too.
WHEELS = ("hypothesis", "psutil", "pytest", "pytest-timeout")

#: Needed before there is a root.
BOOT_MODULES = ("virtio_mmio", "virtio_blk", "xen-blkfront", "squashfs", "overlay")

#: What ``domain/init`` uses of busybox.
_BOOT_COMMANDS = ("cp", "grep", "mkdir", "modprobe", "mount", "poweroff", "switch_root", "usleep")

MODULES = (
    *BOOT_MODULES, "9p", "9pnet_virtio", "cuse", "fuse", "v4l2-mem2mem", "videobuf2-vmalloc", "videobuf2-dma-contig",
    "virtio_net", "vivid", "xen-blkback", "xen-evtchn", "xen-gntalloc", "xen-gntdev", "xen-netback", "xen-netfront",
    "xen-privcmd", "xenfs",
)  # fmt: skip

#: All that was unpacked, development files too: the disk's content and the cross builds' libraries.
TREE = BUILD / "root"
IMAGE = BUILD / "image"

_KERNEL = BUILD / "kernel"
_LEFT_OUT = (
    "usr/include", "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/i18n",
    "usr/share/bash-completion", "usr/lib/aarch64-linux-gnu/gconv", "usr/lib/python3.11/config-*", "... *.a",
)  # fmt: skip

#: What packages would have chosen among when they were installed.
_ALTERNATIVES = {
    "libblas.so.3": "blas/libblas.so.3",
    "liblapack.so.3": "lapack/liblapack.so.3",
    "gstreamer-1.0/libgstomx.so": "libgstomx-generic.so",
}

# For busybox; what it names comes with the first root, so that a change of it needs no new disk.
_INITTAB = "::sysinit:/usr/lib/testbed/start\n::respawn:/usr/lib/testbed/agent\n"


@dataclass(frozen=True)
class Image:
    """What QEMU is given; ``digest`` is of all that it was made of."""

    xen: Path
    kernel: Path
    boot: Path
    disk: Path
    digest: str = ""


@contextmanager
def _alone() -> Iterator[None]:
    """Keeps two builds apart."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def requirements() -> list[str]:
    """The Python packages that the domains need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *WHEELS]


def build() -> Image:
    """Brings the image up to date and returns it; quick when nothing has changed."""
    image = Image(IMAGE / "xen", IMAGE / "vmlinuz", IMAGE / "boot.cpio", IMAGE / "disk.squashfs")
    with _alone():
        IMAGE.mkdir(exist_ok=True)
        disk = Stamp(IMAGE / "disk.stamp", texts=(*PACKAGES, *requirements(), *MODULES), files=[Path(__file__)])
        if not disk.is_current():
            _make(image)
            disk.set()
        sources = sorted(path for path in DOMAIN.iterdir() if path.is_file())
        boot = Stamp(IMAGE / "boot.stamp", texts=[disk.text], files=sources)
        if not boot.is_current():
            _first_root(sources, image.boot)
            boot.set()
    return replace(image, digest=boot.text)


def _make(image: Image) -> None:
    """Makes the tree anew beside the old one, which cross builds may be reading, and the disk of it."""
    packages = [package for package in _packages.fetch(PACKAGES) if package.name not in _NOT_UNPACKED]
    wheels = _wheels.fetch(requirements())
    _kernel_modules.build(next(package for package in packages if _is_kernel(package)))
    tree = TREE.with_name("root.new")
    _unpack(packages, tree)
    _packages_of_python(wheels, tree)
    _modules(tree)
    _finish(tree)
    shutil.copyfile(_KERNEL / f"boot/vmlinuz-{_version()}", image.kernel)
    shutil.copyfile(_KERNEL / "boot/xen-4.17-arm64", image.xen)
    _disk(tree, image.disk)
    shutil.rmtree(TREE, ignore_errors=True)
    tree.rename(TREE)


def _unpack(packages: Iterable[_packages.Package], tree: Path) -> None:
    """Makes the trees of the domains and of the kernel."""
    for folder in (tree, _KERNEL):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    for name in ("bin", "sbin", "lib"):
        (tree / "usr" / name).mkdir(parents=True)
        (tree / name).symlink_to(f"usr/{name}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda package: _packages.unpack(package.path, _KERNEL if _is_boot(package) else tree), packages))
    run("depmod", "-b", _KERNEL, _version())


def _is_kernel(package: _packages.Package) -> bool:
    return package.name.startswith("linux-image-") and package.name != "linux-image-arm64"


def _is_boot(package: _packages.Package) -> bool:
    return _is_kernel(package) or package.name.startswith("xen-hypervisor-")


def _version() -> str:
    """Of the kernel that was unpacked."""
    versions = sorted(path.name for path in (_KERNEL / "lib/modules").iterdir())
    if len(versions) != 1:
        raise TestbedError(f"expected one kernel, found {versions}")
    return versions[0]


def _packages_of_python(wheels: list[Path], tree: Path) -> None:
    """Wheels, compiled where the host's Python is the domains'; and where the project will lie."""
    target = tree / "usr/local/lib/python3.11/dist-packages"
    _wheels.unpack(wheels, target)
    (target / "paracore.pth").write_text("/opt/paracore/src\n", encoding="ascii")
    if sys.version_info[:2] == (3, 11):
        run(sys.executable, "-m", "compileall", "-q", "-j0", "-s", tree, tree / "usr/lib/python3.11", target)


def _copy_modules(target: Path, names: Iterable[str]) -> None:
    """Copies modules, and those that they need, with an index of their own."""
    source = _KERNEL / "lib/modules" / _version()
    into = target / "lib/modules" / _version()
    into.mkdir(parents=True, exist_ok=True)
    shown = run("modprobe", "-d", _KERNEL, "-S", _version(), "--show-depends", "-a", *names)
    for line in sorted(set(shown.splitlines())):
        verb, _, path = line.strip().partition(" ")
        if verb == "insmod":
            relative = path.split(f"lib/modules/{_version()}/", 1)[1].split()[0]
            (into / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / relative, into / relative)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copyfile(source / name, into / name)
    run("depmod", "-b", target, _version())


def _modules(tree: Path) -> None:
    extra = tree / "lib/modules" / _version() / "extra"
    extra.mkdir(parents=True, exist_ok=True)
    for path in _kernel_modules.MODULES.glob("*.ko"):
        shutil.copyfile(path, extra / path.name)
    _copy_modules(tree, MODULES)


def _finish(tree: Path) -> None:
    """What packages would have made when they were installed, and no more of it than is needed."""
    for name in (
        "boot",
        "proc",
        "sys",
        "dev",
        "run",
        "tmp",
        "root",
        "opt/paracore/src",
        "var/log/xen",
        "var/lib/xen",
        "mnt",
        "usr/lib/testbed",
    ):
        (tree / name).mkdir(parents=True, exist_ok=True)
    for link, target in (("run", "../run"), ("lock", "../run/lock")):
        shutil.rmtree(tree / "var" / link, ignore_errors=True)
        (tree / "var" / link).symlink_to(target)
    shutil.copyfile(_KERNEL / f"boot/vmlinuz-{_version()}", tree / "boot/vmlinuz")
    _link(tree / "sbin/init", "/bin/busybox")
    _link(tree / "bin/sh", "bash")
    for name, target in _ALTERNATIVES.items():
        _link(tree / "usr/lib/aarch64-linux-gnu" / name, target)
    etc = tree / "etc"
    (etc / "inittab").write_text(_INITTAB, encoding="ascii")
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n", encoding="ascii"
    )
    (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\n", encoding="ascii")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n", encoding="ascii")
    (etc / "hosts").write_text("127.0.0.1 localhost\n10.1.0.1 dom0\n", encoding="ascii")


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _first_root(sources: Iterable[Path], output: Path) -> None:
    """The archive that the kernel unpacks: busybox, the modules that lead to the disk, what runs in the domains."""
    folder = BUILD / "boot"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("bin", "testbed"):
        (folder / name).mkdir(parents=True)
    shutil.copy2(TREE / "bin/busybox", folder / "bin/busybox")
    for command in _BOOT_COMMANDS:
        (folder / "bin" / command).symlink_to("busybox")
    for source in sources:
        shutil.copy2(source, folder / "testbed" / source.name)
    (folder / "testbed/init").rename(folder / "init")
    _copy_modules(folder, BOOT_MODULES)
    pack_cpio(folder, output)


def pack_cpio(folder: Path, output: Path) -> None:
    """Packs a folder as the kernel wants its first root."""
    script = 'cd "$1" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 >"$2"'
    run("bash", "-o", "pipefail", "-c", script, "pack", folder, output.absolute())


def _disk(tree: Path, output: Path) -> None:
    fresh = output.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    how = ("-comp", "lz4", "-all-root", "-no-xattrs", "-noappend", "-no-progress", "-quiet", "-wildcards")
    run("mksquashfs", tree, fresh, *how, "-e", *_LEFT_OUT)
    fresh.replace(output)
