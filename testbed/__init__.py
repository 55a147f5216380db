# SPDX-License-Identifier: Apache-2.0
"""The emulated board: real Xen on an ARM64 machine of QEMU's, with dom0 and guests, from Debian's packages.

    with testbed.Board() as board:
        board.create_guest("d1")
        print(board.run("d1", "uname", "-a").output)

Everything is fetched and built under ``build/testbed``, without root. It knows nothing of tests.
"""

from testbed._board import Board, folder_of
from testbed._errors import CommandTimeout, DomainLost, TestbedError
from testbed._image import build
from testbed._qemu import Options
from testbed._remote import Process, Result
from testbed._scene import CONFIGURATION, Scene

__all__ = [
    "CONFIGURATION",
    "Board",
    "CommandTimeout",
    "DomainLost",
    "Options",
    "Process",
    "Result",
    "Scene",
    "TestbedError",
    "build",
    "folder_of",
]
