# SPDX-License-Identifier: Apache-2.0
"""What ``paracore doctor`` looks at in a Xen domain: devices, modules, limits, xenstore. Outside one: nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from paracore.cli._examination import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["examine_xen"]

_GRANTS = 30000
"""117 MiB: nearly all that Xen lets a domain grant as it comes, and some 35 pictures of 1080p."""


def examine_xen(root: str = "/") -> Iterator[Finding]:
    """All findings; `root` is where /dev, /proc and /sys are."""
    at = Path(root)
    if not (at / "proc/xen").exists() and _text(at / "sys/hypervisor/type") != "xen":
        return
    backend = "control_d" in _text(at / "proc/xen/capabilities")
    yield Finding("xen", "good", "the domain of the toolstack" if backend else "a guest")
    yield _device(at, "evtchn")
    yield _xenstore(at)
    if backend:
        yield _device(at, "gntdev")
    else:
        yield _device(at, "gntalloc")
        yield _grant_limit(at)


def _device(at: Path, name: str) -> Finding:
    node = at / "dev/xen" / name
    subject = f"xen {name}"
    if not node.exists():
        return Finding(subject, "bad", f"there is no {node}", f"modprobe xen-{name}")
    if not os.access(node, os.R_OK | os.W_OK):
        return Finding(subject, "fair", f"{node} is not for this user", "only the service needs it, and runs as root")
    return Finding(subject, "good", f"{node} can be opened")


def _xenstore(at: Path) -> Finding:
    places = [at / place for place in ("run/xenstored/socket", "dev/xen/xenbus", "proc/xen/xenbus")]
    there = [place for place in places if place.exists()]
    if not there:
        return Finding("xenstore", "bad", "cannot be reached", "modprobe xenfs; mount -t xenfs xenfs /proc/xen")
    return Finding("xenstore", "good", f"at {there[0]}")


def _grant_limit(at: Path) -> Finding:
    node = at / "sys/module/xen_gntalloc/parameters/limit"
    text = _text(node)
    limit = int(text) if text.isdecimal() else 0
    shown = f"programs of this guest may grant {limit} pages, {limit * 4 >> 10} MiB"
    if limit >= _GRANTS:
        return Finding("xen grants", "good", shown)
    return Finding("xen grants", "fair", shown, f"echo {_GRANTS} > {node}, or packaging/paracore-frontend.modprobe")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
