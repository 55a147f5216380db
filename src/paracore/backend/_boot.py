# SPDX-License-Identifier: Apache-2.0
"""How the backend's own programs are started: the same interpreter, the same search path, nothing else."""

from __future__ import annotations

import sys

__all__ = ["python"]

_PROGRAM = """
import sys
count = int(sys.argv[1])
sys.path[:] = sys.argv[2 + count:]
from paracore.backend import {0}
{0}.main(*map(int, sys.argv[2:2 + count]))
"""


def python(module: str, *numbers: int) -> list[str]:
    """The command that runs ``paracore.backend.<module>.main(*numbers)``.

    The working directory is kept out of the search path (``-P``) unless this program has it there.
    """
    return [sys.executable, "-P", "-c", _PROGRAM.format(module), str(len(numbers)), *map(str, numbers), *sys.path]
