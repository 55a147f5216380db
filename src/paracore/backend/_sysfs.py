# SPDX-License-Identifier: Apache-2.0
"""What the kernel offers in sysfs for the power of one device: small files, each of which may be missing.

Missing, unreadable, of another form than the kernel's documentation says: then it is not offered, which is no error.
Reading is quick. To write may wake a device up, and take as long as the device likes, or for ever: it is done by a
thread of its own, in order, and nobody waits for it longer than a moment at the end.

Documentation/ABI/testing/sysfs-devices-power, sysfs-class-devfreq.
"""

from __future__ import annotations

import logging
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["KernelDevice", "Writer"]

_log = logging.getLogger("paracore.backend")

_FAREWELL: Final = 1.0
"""Seconds that the last writes have."""


class Writer:
    """Writes files, one after the other; ``write`` returns at once."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[tuple[Path, str] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def write(self, file: Path, text: str) -> None:
        """Orders a write; one that fails is told to the log."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="paracore-sysfs", daemon=True)
            self._thread.start()
        self._orders.put((file, text))

    def close(self) -> None:
        """What was ordered is done, unless a device keeps it."""
        if self._thread:
            self._orders.put(None)
            self._thread.join(_FAREWELL)

    def _run(self) -> None:
        while order := self._orders.get():
            file, text = order
            try:
                file.write_text(text, encoding="ascii")
            except OSError as error:
                _log.warning("%s cannot be set to %s: %s", file, text, error.strerror)


class KernelDevice:
    """One device; every change is taken back by ``restore``.

    Args:
        folder: of sysfs.
        write: changes a file, now or later.
    """

    def __init__(self, folder: Path, write: Callable[[Path, str], None]) -> None:
        self._folder = folder
        self._write = write
        self._before: dict[Path, str] = {}

    def state(self) -> str:
        """``active`` or ``suspended`` as the kernel has it; ``unsupported`` where it has no notion of that."""
        status = _read(self._folder / "power/runtime_status") or "unsupported"
        return {"resuming": "active", "suspending": "active", "error": "unsupported"}.get(status, status)

    def let_sleep(self, seconds: float) -> None:
        """Whenever it has had nothing to do for so long."""
        self._change(self._folder / "power/autosuspend_delay_ms", str(round(seconds * 1000)))
        self._change(self._folder / "power/control", "auto")

    def raise_floor(self, part: float) -> None:
        """Its clocks do not fall below this part of the highest frequency; their governors go on above it."""
        for clock in self._clocks():
            steps = sorted(
                int(word) for word in (_read(clock / "available_frequencies") or "").split() if word.isdigit()
            )
            enough = [step for step in steps if step >= part * steps[-1]]
            if enough:
                self._change(clock / "min_freq", str(enough[0]))

    def lower_floor(self) -> None:
        """As it was before ``raise_floor``."""
        for clock in self._clocks():
            self._restore(clock / "min_freq")

    def restore(self) -> None:
        """As it was before any change."""
        for file in list(self._before):
            self._restore(file)

    def _clocks(self) -> list[Path]:
        with suppress(OSError):
            return sorted((self._folder / "devfreq").iterdir())
        return []

    def _change(self, file: Path, text: str) -> None:
        before = _read(file)
        if before is not None and before != text:
            self._before.setdefault(file, before)
            self._write(file, text)

    def _restore(self, file: Path) -> None:
        before = self._before.pop(file, None)
        if before is not None:
            self._write(file, before)


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
