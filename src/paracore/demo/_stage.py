# SPDX-License-Identifier: Apache-2.0
"""Where a demo takes place: what domains are, how one looks around in its cell, what plain libav runs on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from paracore.demo._backend import Backend, Member
from paracore.demo._confinement import namespaces
from paracore.demo._plain import plain_run
from paracore.demo._process import DomainProcess, Tasks
from paracore.demo._sandbox import NAMESPACES, SOCKET, Sandbox

if TYPE_CHECKING:
    from paracore.demo._board import Board
    from paracore.demo._clips import Clip
    from paracore.demo._run import Run

__all__ = ["DEVICE", "Case", "LocalStage", "Stage"]

DEVICE = "vpu0"

_DOMAINS = ("garden", "street")
_FIRST_UID = 61001
_OPTIONS = {"worker_linger": 600.0}  # so that what a worker has counted is there at the end


@dataclass(frozen=True)
class Case:
    """One domain, the program in it and its clips.

    Attributes:
        who: what the backend knows it by, as ``{"user": 61001}``.
        socket: where the program connects.
    """

    name: str
    who: dict[str, int]
    clips: list[Clip]
    tasks: Tasks
    socket: str


class Stage(ABC):
    """A context manager: inside there is a backend and its domains."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @abstractmethod
    def begin(self, clips: list[list[Clip]], board: Board) -> list[Case]:
        """Starts everything; a list of clips is a domain's."""

    @abstractmethod
    def look(self, case: Case) -> dict[str, bool]:
        """What the domain finds when it looks around in its cell."""

    @abstractmethod
    def plain(self, clip: Clip, threads: int) -> Run:
        """Decodes a clip with libav alone, where the backend is."""

    @abstractmethod
    def path(self, clip: Clip) -> str:
        """Where a domain finds a clip."""

    @abstractmethod
    def pixel_copies(self) -> int:
        """Pictures that paracore has copied."""


class LocalStage(Stage):
    """This machine: domains are sandboxed processes."""

    def begin(self, clips: list[list[Clip]], board: Board) -> list[Case]:
        members = [Member(name, _FIRST_UID + number) for number, name in enumerate(_DOMAINS)]
        self._backend = self._stack.enter_context(Backend(members, device=DEVICE, options=_OPTIONS))
        board.say(f"backend: one device, {DEVICE} (libav), on {self._backend.socket}")
        return [self._start(member, own) for member, own in zip(members, clips, strict=True)]

    def _start(self, member: Member, clips: list[Clip]) -> Case:
        assert member.uid is not None
        sandbox = Sandbox(member.uid, self._backend.socket, tuple(clip.path for clip in clips))
        process = self._stack.enter_context(DomainProcess(member.name, sandbox))
        return Case(member.name, {"user": member.uid}, clips, process, str(SOCKET))

    def look(self, case: Case) -> dict[str, bool]:
        (cell,) = case.tasks.ask("look_around", uid=case.who["user"], outside=namespaces(NAMESPACES))
        found: dict[str, bool] = cell["checks"]
        return found

    def plain(self, clip: Clip, threads: int) -> Run:
        return plain_run(clip, threads)

    def path(self, clip: Clip) -> str:
        return str(clip.path)

    def pixel_copies(self) -> int:
        return self._backend.pixel_copies()
