# SPDX-License-Identifier: Apache-2.0
"""Starts the tools of the host, and says what they said when they fail."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from testbed._errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["run"]


def run(*command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Runs a tool and returns what it wrote; shows that only when the tool fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise TestbedError(f"{words[0]} is not installed: packaging/install-packages testbed") from None
    if done.returncode:
        raise TestbedError(f"{' '.join(words)} failed with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
