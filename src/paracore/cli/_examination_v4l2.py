# SPDX-License-Identifier: Apache-2.0
"""What ``paracore doctor`` finds of the kernel's codecs."""

from __future__ import annotations

import errno
import os

from paracore.cli._examination import Finding
from paracore.drivers.v4l2 import NODES, examine

__all__ = ["examine_v4l2"]

_SUBJECT = "v4l2 codecs"


def examine_v4l2(path: str = NODES) -> Finding:
    """Whether ``driver = "v4l2"`` would find a codec."""
    ways, faults = examine(path)
    if ways:
        told = [f"{way.can.direction.name.lower()} {way.can.codec.name.lower()} by {way.path}" for way in ways]
        return Finding(_SUBJECT, "good", "; ".join(told))
    if not faults:
        remedy = 'load the kernel module of this machine\'s codec; only driver = "v4l2" needs it'
        return Finding(_SUBJECT, "fair", f"there is no {path}", remedy)
    text = "; ".join(f"{node}: {why}" for node, why in faults.items())
    if os.strerror(errno.EACCES) in faults.values():
        return Finding(_SUBJECT, "fair", text, "run the backend as root, or add its user to the nodes' group (video)")
    return Finding(_SUBJECT, "fair", text, 'load the module of a stateful codec; only driver = "v4l2" needs it')
