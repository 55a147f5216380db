# SPDX-License-Identifier: Apache-2.0
"""A device without hardware: a picture is one shade, and a unit of its streams says which.

A unit of any codec is ``<4sHHB``: ``b"null"``, width, height, shade. All is done at once, in the caller's
thread; so it is quick, it is the same on every machine, and it shows what a driver has to do. It can be told to
hang, fail and lie (``Faults``), and to take its time (``Jobs``), so that what is done about that can be seen on every machine, too.
"""

from __future__ import annotations

from paracore.drivers.null._driver import NullDriver

__all__ = ["NullDriver", "make"]

make = NullDriver
