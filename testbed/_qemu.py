# SPDX-License-Identifier: Apache-2.0
"""The emulated machine: an ARM64 board with a virtualisation extension, a disk and a line to the host."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed._errors import TestbedError
from testbed.domain.agent import PORT

if TYPE_CHECKING:
    from testbed._image import Image

__all__ = ["Machine", "Options", "free_port", "is_running", "kill", "start"]

_KERNEL_AT, _BOOT_AT = "0x49000000", "0x50000000"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Options:
    """How a board is made.

    Attributes:
        memory: of the machine, in MiB.
        dom0_memory: of dom0, in MiB.
        processors: of the machine and of dom0.
        xen: more options for Xen, as ``xsm=dummy``.
        kernel: more options for dom0's kernel.
    """

    memory: int = 3072
    dom0_memory: int = 1024
    processors: int = 2
    xen: str = ""
    kernel: str = ""


@dataclass(frozen=True)
class Machine:
    """A machine that runs: its process and the port of the host that leads to dom0."""

    pid: int
    port: int


def free_port() -> int:
    """A port of the host that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _command(image: Image, boot: Path, project: Path, options: Options, *, port: int, console: Path) -> list[str]:
    xen = (
        f"dom0_mem={options.dom0_memory}M dom0_max_vcpus={options.processors} console=dtuart dtuart=/pl011@9000000 "
        f"bootscrub=0 {options.xen}"
    )
    kernel = f"console=hvc0 rdinit=/init testbed.dom0 loglevel=4 {options.kernel}"
    disks = (image.disk, project)
    words = {
        "-machine": "virt,virtualization=on,gic-version=3",
        "-cpu": "max,pauth=off,sve=off",
        "-smp": str(options.processors),
        "-m": str(options.memory),
        "-accel": "tcg,thread=multi",
        "-display": "none",
        "-monitor": "none",
        "-serial": f"file:{console}",
        "-kernel": str(image.xen),
        "-append": xen.strip(),
        "-netdev": f"user,id=line,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:{PORT}",
    }
    devices = [
        f"guest-loader,addr={_KERNEL_AT},kernel={image.kernel},bootargs={kernel.strip()}",
        f"guest-loader,addr={_BOOT_AT},initrd={boot}",
        "virtio-net-device,netdev=line",
        # the last one is found first
        *(f"virtio-blk-device,drive=disk{number}" for number in reversed(range(len(disks)))),
    ]
    drives = [f"if=none,id=disk{number},file={disk},format=raw,readonly=on" for number, disk in enumerate(disks)]
    pairs = [*words.items(), *(("-drive", drive) for drive in drives), *(("-device", device) for device in devices)]
    return ["qemu-system-aarch64", "-nodefaults", "-no-reboot", *(word for pair in pairs for word in pair)]


def _end_with_parent() -> None:
    """In the new process: it ends when the thread that started it does, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def start(image: Image, boot: Path, project: Path, options: Options, folder: Path, *, detached: bool) -> Machine:
    """Switches a machine on; a detached one outlives this process."""
    port = free_port()
    console = folder / "console.log"
    console.unlink(missing_ok=True)
    with (folder / "qemu.log").open("wb") as log:
        try:
            process = subprocess.Popen(
                _command(image, boot, project, options, port=port, console=console),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=None if detached else _end_with_parent,  # noqa: PLW1509 - one system call
            )
        except FileNotFoundError:
            raise TestbedError("qemu-system-aarch64 is not installed: packaging/install-packages testbed") from None
    process.returncode = 0  # it is known by its number from here on, and this object need not warn that it lives
    return Machine(process.pid, port)


def is_running(pid: int) -> bool:
    """Says whether the process is a QEMU that has not ended."""
    with contextlib.suppress(ChildProcessError):  # another process may have started it
        os.waitpid(pid, os.WNOHANG)
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].endswith(b"qemu-system-aarch64")


def wait_ended(pid: int, timeout: float) -> bool:
    """Waits until the machine is off; false when it is still on."""
    deadline = time.monotonic() + timeout
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def kill(pid: int) -> None:
    """Ends the machine at once."""
    if is_running(pid):
        os.kill(pid, signal.SIGKILL)
        wait_ended(pid, 10)
