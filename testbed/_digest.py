# SPDX-License-Identifier: Apache-2.0
"""SHA-256 of files, and a stamp that says whether a step has to be done again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Stamp", "sha256_of"]


def sha256_of(path: Path) -> str:
    """Of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Stamp:
    """Remembers from what a step's result was made; the step is due when that has changed."""

    def __init__(self, path: Path, *, texts: Iterable[str] = (), files: Iterable[Path] = ()) -> None:
        self._path = path
        lines = [*texts, *(f"{file.name} {sha256_of(file)}" for file in files)]
        self.text = hashlib.sha256("\n".join(lines).encode()).hexdigest() + "\n"

    def is_current(self) -> bool:
        """Says whether the step was done from the same."""
        return self._path.is_file() and self._path.read_text(encoding="ascii") == self.text

    def set(self) -> None:
        """The step is done."""
        self._path.write_text(self.text, encoding="ascii")
