# SPDX-License-Identifier: Apache-2.0
"""The stage: an emulated board with Xen, the backend in dom0, two guests with a frontend daemon each."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from paracore.demo import DEVICE, Case, Run, Stage
from testbed import Board as Machine
from testbed import Scene
from xendemo._guest import GuestTasks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from paracore.demo import Clip
    from paracore.demo.show import Board, Timeline

__all__ = ["DOM0", "KERNEL_DEVICE", "SOCKET", "XenStage"]

DOM0 = "dom0"
GUESTS = ("garden", "street")
KERNEL_DEVICE = "vpu1"
SOCKET = "/run/paracore/paracore.sock"

_FILES = "/run/demo"


class XenStage(Stage):
    """See ``Stage``."""

    def __init__(self, timeline: Timeline, *, boots: bool) -> None:
        """With ``boots`` everything boots; otherwise the board goes on from a snapshot in which the guests run."""
        super().__init__()
        self._timeline = timeline
        self._boots = boots
        self.machine = Machine(guests=() if boots else GUESTS)
        self._scene = Scene(self.machine)
        self.dom0: Case

    def begin(self, clips: list[list[Clip]], board: Board) -> list[Case]:
        """The backend and both guests start side by side."""
        what = "Xen and dom0 boot" if self._boots else "Xen, dom0 and two guests, from a snapshot"
        with self._timeline.span("board", what), board.bar(f"board: {what}", 1) as step:
            step(self._stack.enter_context(self.machine))
        self._stack.enter_context(self._scene)
        with ThreadPoolExecutor() as pool:
            dom0 = pool.submit(self._start_backend, [clip for own in clips for clip in own], board)
            cases = [pool.submit(self._start_guest, *own, dom0, board) for own in zip(GUESTS, clips, strict=True)]
        self.dom0 = dom0.result()
        return [case.result() for case in cases]

    def _start_backend(self, clips: list[Clip], board: Board) -> Case:
        with self._timeline.span("board", "backend"):
            self._scene.serve()
        board.say(f"backend in dom0: {DEVICE} (libav), {KERNEL_DEVICE} (v4l2: the kernel's vicodec)")
        return self._case(DOM0, 0, clips)

    def _start_guest(self, name: str, clips: list[Clip], dom0: Future[Case], board: Board) -> Case:
        if self._boots:
            with self._timeline.span(name, "boots"):
                self.machine.create_guest(name)
        domid = self.machine.domid(name)
        self._scene.frontend(name)
        case = self._case(name, domid, clips)
        dom0.result()
        with self._timeline.span(name, "attach"):
            self._scene.attach(name, DEVICE, KERNEL_DEVICE)
        board.say(f"guest {name}: domid {domid}, attached to {DEVICE} and {KERNEL_DEVICE}")
        return case

    def _case(self, name: str, domid: int, clips: list[Clip]) -> Case:
        """The program in a domain, and the clips that it will be asked for."""
        tasks = self._stack.enter_context(GuestTasks(self.machine, name))
        self._put(name, clips)
        return Case(name, {"domid": domid}, clips, tasks, SOCKET)

    def _put(self, domain: str, clips: Iterable[Clip]) -> None:
        self.machine.put(domain, [clip.path for clip in clips], _FILES)

    def look(self, case: Case) -> dict[str, bool]:
        (cell,) = case.tasks.ask("look_around_guest")
        found: dict[str, bool] = cell["checks"]
        return found

    def plain(self, clip: Clip, threads: int) -> Run:
        program = "/opt/paracore/src/paracore/_native/plain-decode"
        said = self.machine.run(DOM0, program, self.path(clip), str(threads), octets=b"\n", timeout=120).output
        return Run(**json.loads(said.splitlines()[-1]))

    def path(self, clip: Clip) -> str:
        return f"{_FILES}/{clip.path.name}"

    def pixel_copies(self) -> int:
        reports = [domain["worker"]["report"] for domain in self._scene.status()["domains"] if domain["worker"]]
        return sum(report["counts"]["copies"] for report in reports)
