# SPDX-License-Identifier: Apache-2.0
"""What ``paracore doctor`` looks at. Each check says what it found and what to do about it.

A check never raises: what it cannot find out is a finding too. Nothing is changed.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import paracore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CHECKS", "Finding", "examine"]

#: A grant is a descriptor in the backend: fewer than this and a handful of busy domains fill it.
_DESCRIPTORS = 4096
#: Octets of shared memory that one 1080p decoder with its headroom takes.
_SHARED = 128 << 20


class Finding(NamedTuple):
    """One thing that was looked at."""

    subject: str
    verdict: Literal["good", "fair", "bad"]
    """``bad``: nothing works without it; ``fair``: something does not, or less safely."""
    text: str
    remedy: str = ""


def examine(address: str | None) -> Iterator[Finding]:
    """All findings, the basic ones first."""
    for check in CHECKS:
        try:
            yield check(address)
        except Exception as error:  # noqa: BLE001 - one check's fault is a finding, not the end
            yield Finding(check.__name__.strip("_"), "fair", f"could not be found out: {error}")
    from paracore.cli._examination_store import examine_store  # noqa: PLC0415 - it makes findings, too
    from paracore.cli._examination_xen import examine_xen  # noqa: PLC0415 - as above

    yield from examine_xen()
    yield from examine_store()


def _python(_: str | None) -> Finding:
    return Finding(
        "python", "good", f"{platform.python_version()} on {platform.machine()}, paracore {paracore.__version__}"
    )


def _kernel(_: str | None) -> Finding:
    release = platform.release()
    major, minor = (int(part) for part in release.split(".")[:2])
    if (major, minor) >= (5, 13):
        return Finding("kernel", "good", f"Linux {release}")
    return Finding("kernel", "fair", f"Linux {release} has no Landlock", "use Linux 5.13 or newer")


def _native(_: str | None) -> Finding:
    try:
        from paracore._native import _core, _frontend, _libav  # noqa: F401, PLC0415 - whether they load is the question
    except ImportError as error:
        return Finding("native modules", "bad", str(error), "build them: make native (or pip install paracore anew)")
    return Finding("native modules", "good", "loaded")


def _memfd(_: str | None) -> Finding:
    try:
        os.close(os.memfd_create("paracore-doctor", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
    except OSError as error:
        return Finding(
            "memfd", "bad", f"memfd_create fails: {error.strerror}", "allow it in this container's seccomp profile"
        )
    return Finding("memfd", "good", "sealed shared memory can be made")


def _seccomp(_: str | None) -> Finding:
    from paracore.backend._syscalls import seccomp_available  # noqa: PLC0415 - only here

    if seccomp_available():
        return Finding("seccomp", "good", "filters can be loaded")
    remedy = "use a kernel with CONFIG_SECCOMP_FILTER; without it workers are less confined"
    return Finding("seccomp", "fair", "filters cannot be loaded", remedy)


def _landlock(_: str | None) -> Finding:
    from paracore.backend._syscalls import landlock_abi  # noqa: PLC0415 - only here

    abi = landlock_abi()
    if abi > 0:
        return Finding("landlock", "good", f"ABI {abi}")
    remedy = "boot with lsm=landlock,... on Linux 5.13 or newer; without it only seccomp keeps workers from files"
    return Finding("landlock", "fair", "not available", remedy)


def _user_namespaces(_: str | None) -> Finding:
    most = _number("/proc/sys/user/max_user_namespaces")
    allowed = _number("/proc/sys/kernel/unprivileged_userns_clone", 1)
    if most and allowed:
        return Finding("user namespaces", "good", "available (the demo's sandboxes use them)")
    remedy = "sysctl user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1, or run the demo as root"
    return Finding("user namespaces", "fair", "not available to unprivileged users", remedy)


def _bubblewrap(_: str | None) -> Finding:
    if shutil.which("bwrap"):
        return Finding("bubblewrap", "good", "installed (for the demo)")
    return Finding("bubblewrap", "fair", "not installed", "apt install bubblewrap, to run paracore demo")


def _codecs(_: str | None) -> Finding:
    from paracore.drivers.libav import make  # noqa: PLC0415 - only here

    capabilities = make("doctor").capabilities()
    able: dict[str, list[str]] = {"DECODE": [], "ENCODE": []}
    for each in capabilities:
        able[each.direction.name].append(each.codec.name.lower())
    text = f"decode {' '.join(able['DECODE'])}; encode {' '.join(able['ENCODE'])}"
    missing = {"h264", "hevc", "vp8", "vp9", "av1", "mpeg2", "mpeg4", "mjpeg"} - set(able["DECODE"])
    missing |= {"h264", "hevc", "vp9", "av1", "mjpeg"} - set(able["ENCODE"])
    if missing:
        return Finding("libav codecs", "fair", f"{text}; not {' '.join(sorted(missing))}", "apt install libavcodec59")
    return Finding("libav codecs", "good", text)


def _kernel_codecs(_: str | None) -> Finding:
    from paracore.cli._examination_v4l2 import examine_v4l2  # noqa: PLC0415 - only here

    return examine_v4l2()


def _descriptors(_: str | None) -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    shown = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    if hard == resource.RLIM_INFINITY or hard >= _DESCRIPTORS:
        return Finding("descriptors", "good", f"up to {shown}")
    return Finding("descriptors", "fair", f"only up to {shown}", "raise LimitNOFILE= of the service, or ulimit -Hn")


def _shared_memory(_: str | None) -> Finding:
    available = _meminfo("MemAvailable")
    if available >= _SHARED:
        return Finding("memory", "good", f"{available >> 20} MiB available")
    return Finding(
        "memory", "fair", f"only {available >> 20} MiB available", "free some: a 1080p decoder takes about 128 MiB"
    )


def _socket(address: str | None) -> Finding:
    from paracore.frontend import default_address  # noqa: PLC0415 - needs the native library

    place = Path(address or default_address())
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        remedy = "start one (systemctl start paracore, or paracore serve), or let each command start its own"
        return Finding("socket", "fair", f"there is no {place}: no backend runs", remedy)
    except PermissionError:
        return Finding(
            "socket", "fair", f"{place} cannot be reached", f"give this user execute permission on {place.parent}"
        )
    if not stat.S_ISSOCK(mode):
        return Finding(
            "socket", "bad", f"{place} is no socket", "remove it, or set backend.socket in the configuration"
        )
    if not os.access(place, os.W_OK):
        return Finding(
            "socket", "fair", f"{place}: no permission to connect", "set backend.socket_mode, or join its group"
        )
    return Finding("socket", "good", f"{place} is there")


def _backend(address: str | None) -> Finding:
    try:
        with paracore.open(address, timeout=5) as domain:
            devices = ", ".join(f"{each.name} ({each.driver})" for each in domain.devices.values())
            return Finding("backend", "good", f"this user is domain {domain.name}, with {devices or 'no device'}")
    except paracore.PermissionRefused as error:
        remedy = f"add a [[domain]] with user = {os.getuid()} to the backend's configuration, or use --private"
        return Finding("backend", "fair", str(error), remedy)
    except paracore.Error as error:
        return Finding("backend", "fair", str(error).partition(";")[0], "commands start a private one meanwhile")


def _number(path: str, default: int = 0) -> int:
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return default


def _meminfo(field: str) -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    return 0


#: In the order of the report.
CHECKS: tuple[Callable[[str | None], Finding], ...] = (
    _python,
    _kernel,
    _native,
    _memfd,
    _seccomp,
    _landlock,
    _user_namespaces,
    _bubblewrap,
    _codecs,
    _kernel_codecs,
    _descriptors,
    _shared_memory,
    _socket,
    _backend,
)
