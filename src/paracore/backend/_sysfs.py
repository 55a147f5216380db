# SPDX-License-Identifier: Apache-2.0
"""What the kernel offers in sysfs for the power of one device: small files, each of which may be missing.

Missing, unreadable, of another form than the kernel's documentation says: then it is not offered, which is no error.
Reading is quick. To write may wake a device up, and take as long as the device likes, or for ever: it is done by a
thread of its own, and nobody waits for it longer than a moment at the end.

Documentation/ABI/testing/sysfs-devices-power, sysfs-class-devfreq.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["KernelDevice", "Writer"]

_log = logging.getLogger("paracore.backend")

_FAREWELL: Final = 1.0
"""Seconds that the last writes have."""


class Writer:
    """Sets files to what was ordered last; ``write`` returns at once, and ``read`` knows what is still to be written.

    It holds one order for each file at most, however long a device takes.
    """

    def __init__(self) -> None:
        self._orders: dict[Path, str] = {}
        self._changed = threading.Condition()
        self._ends = False
        self._thread: threading.Thread | None = None

    def read(self, file: Path) -> str | None:
        """What a file holds, or will; None if it is not there."""
        with self._changed:
            ordered = self._orders.get(file)
        return _read(file) if ordered is None else ordered

    def write(self, file: Path, text: str) -> None:
        """Orders a write; one that fails is told to the log."""
        with self._changed:
            self._orders[file] = text
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="paracore-sysfs", daemon=True)
            self._thread.start()

    def orders(self) -> dict[Path, str]:
        """What is still to be written."""
        with self._changed:
            return dict(self._orders)

    def close(self) -> None:
        """What was ordered is done, unless a device keeps it."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        if self._thread:
            self._thread.join(_FAREWELL)

    def _run(self) -> None:
        while order := self._next():
            _set(*order)
            self._done(*order)

    def _next(self) -> tuple[Path, str] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._orders or self._ends)
            return next(iter(self._orders.items()), None)

    def _done(self, file: Path, text: str) -> None:
        with self._changed:
            if self._orders[file] == text:  # nothing else was ordered meanwhile
                del self._orders[file]


class KernelDevice:
    """One device; every change is taken back by ``restore``.

    Args:
        folder: of sysfs.
        files: reads them, and changes them now or later.
        before: what files held before this program, or its last image, changed them.
    """

    def __init__(self, folder: Path, files: Writer, before: Mapping[Path, str] = {}) -> None:
        self._folder = folder
        self._files = files
        self.before = {file: text for file, text in before.items() if file.is_relative_to(folder)}

    def state(self) -> str:
        """``active`` or ``suspended`` as the kernel has it; ``unsupported`` where it has no notion of that."""
        status = _read(self._folder / "power/runtime_status") or "unsupported"
        return {"resuming": "active", "suspending": "active", "error": "unsupported"}.get(status, status)

    def let_sleep(self, seconds: float) -> None:
        """Whenever it has had nothing to do for so long."""
        self._change(self._folder / "power/autosuspend_delay_ms", str(round(seconds * 1000)))
        self._change(self._folder / "power/control", "auto")

    def keep_floor(self, part: float) -> None:
        """Its clocks do not fall below this part of the highest frequency; their governors go on above it.

        What was there before stays, where it is as high; 0: all is as it was.
        """
        for clock in self._clocks():
            steps, file = _steps(clock), clock / "min_freq"
            enough = [step for step in steps if step >= part * steps[-1]]
            before = self.before.get(file) or self._files.read(file) or ""
            if part and enough and before.isdigit() and enough[0] > int(before):
                self._change(file, str(enough[0]))
            else:
                self._restore(file)

    def clock(self) -> float:
        """At which part of its highest frequency it runs just now; 1 where nobody says."""
        parts = [(_read(clock / "cur_freq") or "", _steps(clock)) for clock in self._clocks()]
        known = [min(1.0, int(now) / steps[-1]) for now, steps in parts if now.isdigit() and steps and steps[-1]]
        return max(known, default=1.0)

    def restore(self) -> None:
        """As it was before any change."""
        for file in list(self.before):
            self._restore(file)

    def _clocks(self) -> list[Path]:
        with suppress(OSError):
            return sorted((self._folder / "devfreq").iterdir())
        return []

    def _change(self, file: Path, text: str) -> None:
        before = self._files.read(file)
        if before is not None and before != text:
            self.before.setdefault(file, before)
            self._files.write(file, text)

    def _restore(self, file: Path) -> None:
        before = self.before.pop(file, None)
        if before is not None:
            self._files.write(file, before)


def _steps(clock: Path) -> list[int]:
    return sorted(int(word) for word in (_read(clock / "available_frequencies") or "").split() if word.isdigit())


def _set(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="ascii")
    except OSError as error:
        _log.info("%s cannot be set to %s: %s", file, text, error.strerror)


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
