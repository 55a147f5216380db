# SPDX-License-Identifier: Apache-2.0
"""A timed run of a program that says ``ready``, begins on a line of input, and prints its times as JSON.

All programs of the benchmarks do so, in C and in Python, so that several can begin at once and nobody's
start-up is measured. Times are on the monotonic clock, which the processes of a machine share.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from paracore._errors import Error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ProgramFailed", "Run", "Runner", "time_program"]


class ProgramFailed(Error):  # noqa: N818 - it did
    """A program under measurement ended without its times."""


class Run(NamedTuple):
    """What happened when, in seconds.

    Attributes:
        connecting: before there was anything.
        started: before the codec was opened.
        first: the first picture was there.
        ended: the last one was.
    """

    pictures: int
    connecting: float
    started: float
    first: float
    ended: float

    @property
    def seconds(self) -> float:
        """From opening the codec to the last picture."""
        return self.ended - self.started

    @property
    def rate(self) -> float:
        """Pictures per second."""
        return self.pictures / self.seconds

    @property
    def first_picture(self) -> float:
        """Seconds from nothing to the first picture."""
        return self.first - self.connecting


class Runner:
    """One program, prepared when the object is there; a context manager that ends it."""

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str] | None = None, gid: int | None = None
    ) -> None:
        self._name = words[0].rsplit("/", 1)[-1]
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            group=gid,
            text=True,
        )
        self._expect("ready")

    def go(self) -> None:
        """Lets it begin."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def result(self) -> Run:
        """Waits for its times."""
        return Run(**self.answer())

    def answer(self) -> Any:
        """Waits for what it prints, whatever that is."""
        return json.loads(self._expect("{", "["))

    def close(self) -> None:
        """Ends it. Idempotent."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _expect(self, *starts: str) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line.startswith(starts):
            said = self._process.communicate()[1].strip().splitlines()
            raise ProgramFailed(f"{self._name}: {said[-1] if said else 'ended without a word'}")
        return line


def time_program(words: Sequence[str]) -> Run:
    """Runs a program by itself."""
    with Runner(words) as runner:
        runner.go()
        return runner.result()
