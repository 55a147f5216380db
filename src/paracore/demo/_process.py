# SPDX-License-Identifier: Apache-2.0
"""The parent's side of a domain of the demo: a program in it that is given tasks, one at a time."""

from __future__ import annotations

import json
import subprocess
import tempfile
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from paracore._errors import Error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paracore.demo._sandbox import Sandbox

__all__ = ["DomainFailed", "DomainProcess", "Tasks"]


class DomainFailed(Error):  # noqa: N818 - it did
    """A domain could not do its task, or has gone."""


class Tasks(ABC):
    """``paracore.demo.domain`` in a domain, wherever that is; ending the context ends it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ask(self, task: str, **arguments: object) -> Iterator[dict[str, Any]]:
        """Gives a task and yields the answers as they come.

        Raises:
            DomainFailed: the domain says so, or ended in the middle.
        """
        try:
            self._write(json.dumps({"task": task, **arguments}) + "\n")
        except BrokenPipeError:
            raise DomainFailed(f"{self.name}: {self._last_words()}") from None
        for line in self._lines():
            answer = json.loads(line)
            if answer["kind"] == "done":
                return
            if answer["kind"] == "failed":
                raise DomainFailed(f"{self.name}: {answer['reason']}")
            yield answer
        raise DomainFailed(f"{self.name}: {self._last_words()}")

    @abstractmethod
    def _write(self, line: str) -> None: ...

    @abstractmethod
    def _lines(self) -> Iterator[str]:
        """What it says, until it has ended."""

    @abstractmethod
    def _last_words(self) -> str:
        """The last line of its complaints."""

    @abstractmethod
    def close(self) -> None:
        """Ends it. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DomainProcess(Tasks):
    """A process in its cell."""

    def __init__(self, name: str, sandbox: Sandbox) -> None:
        super().__init__(name)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            sandbox.command("-m", "paracore.demo.domain"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def _write(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def _lines(self) -> Iterator[str]:
        assert self._process.stdout
        return iter(self._process.stdout)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream:
                stream.close()

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "ended without a word"
