# SPDX-License-Identifier: Apache-2.0
"""What a worker writes to its standard error, on its way into the log: bounded, printable, labelled.

A line's level is what it says itself: a worker is believed as far as that. What codec libraries write has
none and is for the curious. A worker that writes more than is read waits for it, which is its own affair.
"""

from __future__ import annotations

import asyncio
import logging
import os

from paracore.transport._rate import BoundedLog, printable

__all__ = ["WorkerLog"]

_CHUNK = 4096
_PAUSE = 0.1
"""Seconds between two looks at a worker that writes more than the log takes."""


_LEVELS = {b"WARNING": logging.WARNING, b"ERROR": logging.ERROR}


class WorkerLog:
    """Reads one pipe until its end, which comes with the end of the worker."""

    def __init__(self, descriptor: int, name: str, rest: bytes = b"") -> None:
        """`rest` is the begun line of a pipe that is taken over; a `descriptor` of -1 is one that has ended."""
        self._descriptor = descriptor
        self._name = name
        self._log = BoundedLog(logging.getLogger("paracore.worker"), rate=5.0, burst=200.0)
        self._rest = rest
        if descriptor >= 0:
            os.set_blocking(descriptor, False)
        self._resume()

    def hand_over(self) -> tuple[int, bytes]:
        """What another one needs to go on: descriptor and begun line."""
        return self._descriptor, self._rest

    def close(self) -> None:
        """Reads no more."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _resume(self) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def _read(self) -> None:
        chunk = os.read(self._descriptor, _CHUNK)
        if not chunk:
            self.close()
            return
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        written = [self._write(line) for line in lines]
        if not all(written) or len(self._rest) > _CHUNK:
            self._rest = b""
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._descriptor)
            loop.call_later(_PAUSE, self._resume)

    def _write(self, line: bytes) -> bool:
        level = _LEVELS.get(line.partition(b" ")[0], logging.INFO)
        return self._log.write(level, "%s: %s", self._name, printable(line.decode(errors="replace")))
