# SPDX-License-Identifier: Apache-2.0
"""A domain's own look around: what it can reach, tried from inside.

Each check is one sentence that is true or not; the parent prints them and fails when one is false.
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["confinement", "guest_confinement", "namespaces"]


def namespaces(names: tuple[str, ...]) -> dict[str, str]:
    """The kernel's identifiers of this process's namespaces."""
    return {name: str(Path("/proc/self/ns", name).readlink()) for name in names}


def confinement(uid: int, outside: Mapping[str, str]) -> dict[str, bool]:
    """Tries each way out; ``outside`` are the parent's namespaces."""
    inside = namespaces(tuple(outside))
    own = {f"own {name} namespace": inside[name] != outside[name] for name in outside}
    return {f"user {uid}": os.getresuid() == (uid, uid, uid)} | own | {what: check() for what, check in _CHECKS.items()}


def guest_confinement() -> dict[str, bool]:
    """The same in a Xen guest: what keeps it in is the hypervisor."""
    return {what: check() for what, check in _GUEST_CHECKS.items()}


def _under_xen() -> bool:
    path = Path("/sys/hypervisor/type")
    return path.exists() and path.read_text(encoding="ascii").strip() == "xen"


def _no_control_of_xen() -> bool:
    return "control_d" not in Path("/proc/xen/capabilities").read_text(encoding="ascii")


def _no_codec() -> bool:
    """Neither video nor graphics nor accelerators."""
    return not any(path.name.startswith(("video", "media", "dri", "accel")) for path in Path("/dev").iterdir())


def _no_devices() -> bool:
    return not Path("/dev").exists()


def _cannot_write() -> bool:
    try:
        Path("/written").touch()
    except OSError as error:
        return error.errno in (errno.EROFS, errno.EACCES)
    return False


def _no_network() -> bool:
    return [name for _, name in socket.if_nameindex() if name != "lo"] == []


def _no_capabilities() -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0 and fields["NoNewPrivs"] == "1"


def _sees_only_itself() -> bool:
    """No process but this one, the one that waits for it, and children of theirs."""
    users = {path.stat().st_uid for path in Path("/proc").iterdir() if path.name.isdigit() and path.name != "1"}
    return users <= {os.getuid()}


def _one_way_out() -> bool:
    """The only socket in the file system is the backend's."""
    found = [Path(folder, name) for folder, _, names in os.walk("/run") for name in names]
    return len(found) == 1 and found[0].is_socket()


_CHECKS: dict[str, Callable[[], bool]] = {
    "no /dev": _no_devices,
    "a read-only file system": _cannot_write,
    "no network interface": _no_network,
    "no capability": _no_capabilities,
    "no process of others": _sees_only_itself,
    "one socket, the backend's": _one_way_out,
}

_GUEST_CHECKS: dict[str, Callable[[], bool]] = {
    "a kernel of its own under Xen": _under_xen,
    "no control of Xen": _no_control_of_xen,
    "no codec device": _no_codec,
}
