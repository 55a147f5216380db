# SPDX-License-Identifier: Apache-2.0
"""Whom a worker serves, as the supervisor's end of it (``_worker_end``) calls: with the words of a worker that may have been
taken over by its domain, and with what the kernel and the warm parent say of its process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from paracore.backend._worker_end import WorkerEnd
    from paracore.classes import worker

__all__ = ["WorkerOwner"]


class WorkerOwner(Protocol):
    """Whom a worker serves: its domain."""

    name: str

    def map(self, request: worker.Map) -> int:
        """A descriptor of a grant; ``GrantError`` when there is none."""

    def unmap(self, request: worker.Unmap) -> None: ...

    def violation(self, channel: int, text: str) -> None:
        """The worker has ended this channel for its domain's fault."""

    def device_want(self, device: int) -> None:
        """The worker has work for a device; any number may come."""

    def device_release(self, device: int, lease: int, *, wants: bool) -> None:
        """It says that it does not use a device any more, and whether it wants it again."""

    def device_used(self, device: int, used: int) -> None:
        """It says that it has used so many nanoseconds of a device, since it said so last; any numbers may come."""

    def device_pace(self, device: int, period: int) -> None:
        """It says how soon one picture of a session follows another; any numbers may come."""

    def device_hang(self, device: int, *, stuck: bool) -> None:
        """It says that a device hung, and whether it has to be ended for it."""

    def device_use(self, device: int, *, used: bool) -> None:
        """It says that it has sessions of a device, or none any more."""

    def rates_owed(self, pictures: float, macroblocks: float) -> None:
        """It says that so much more than its domain's rates give has been let go; any numbers may come."""

    def counted(self, counts: dict[str, int]) -> None:
        """It says what it has done so far; any numbers may come."""

    def worker_drained(self) -> None:
        """It says that it has given out all that it had when it was told to."""

    def worker_released(self) -> None:
        """It has let go of a channel, or has gone."""

    def worker_used(self, late: int) -> None:
        """It has gone, and has used so many nanoseconds of processor time since ``processor_time`` was asked for last."""

    def worker_blocked(self, device: int | None) -> None:
        """It was in a call of a driver that did not come back, and has ended of it. It had said which device it is at; any
        number may have come, or none.
        """

    def reserve(self, request: worker.Reserve) -> worker.Failure | None:
        """One of its sessions wants so much of a device; any numbers may come. None: it has it."""

    def worker_ended(self, end: WorkerEnd, why: str) -> None:
        """The worker has gone, or is as good as gone. Called once."""
