# SPDX-License-Identifier: Apache-2.0
"""Drivers: each runs one API on one coprocessor, and sees calls, never octets of a ring.

A folder per driver, with the same file names in each. ``make(name, **options)`` of a folder makes a device
of the configuration's ``[device.<name>]``; the backend imports only the folders that it names.

========  ===========================================================================
``null``  a device without hardware, to test everything above it, and to copy
``libav`` the codecs of FFmpeg on the processor, straight in the domain's memory
``v4l2``  the codecs of the kernel: hardware, or ``vicodec`` in its place
========  ===========================================================================
"""

from __future__ import annotations

from paracore.drivers._driver import CallFailed, Driver, Gate, GateWords, Notices, Span, VideoSession
from paracore.drivers._steps import StepSession

__all__ = ["CallFailed", "Driver", "Gate", "GateWords", "Notices", "Span", "StepSession", "VideoSession"]
