# SPDX-License-Identifier: Apache-2.0
"""The device: every codec, both ways, one pixel format."""

from __future__ import annotations

from weakref import WeakSet

from paracore.classes import video
from paracore.drivers import Driver
from paracore.drivers.null._faults import LIES, Faults, FaultySession
from paracore.drivers.null._jobs import Jobs, TimedSession
from paracore.drivers.null._session import Session
from paracore.protocol import DIMENSION_MAX

__all__ = ["NullDriver"]

FLAGS = video.CapabilityFlag.DYNAMIC_RESOLUTION | video.CapabilityFlag.ZERO_COPY
PIXEL_FORMATS = 1 << video.PixelFormat.GRAY


class NullDriver(Driver):
    """See the package.

    Args:
        name: of the device.
        job: seconds that each job takes, of the device's time and nobody else's.
        faults: what goes wrong, see ``Faults``.

    Raises:
        TypeError: there is no such fault.
    """

    def __init__(self, name: str, *, job: float = 0.0, **faults: int | str | bool) -> None:
        self.name = name
        self._jobs = Jobs(job) if job else None
        self._faults = Faults(**faults)  # type: ignore[arg-type]  # the configuration's own words
        if self._faults.lie not in LIES:
            raise TypeError(f"lie: there is no {self._faults.lie!r}, only {' '.join(LIES)}")
        self.carries = not self._faults.forgets
        self._faulty: WeakSet[FaultySession] = WeakSet()

    def capabilities(self) -> list[video.CapabilityQueryReply]:
        """Everything, and no controls."""
        ways = [(codec, direction) for codec in video.Codec for direction in video.Direction]
        return [video.CapabilityQueryReply(*way, FLAGS, DIMENSION_MAX, DIMENSION_MAX, PIXEL_FORMATS, 0) for way in ways]

    def open(self, codec: video.Codec, direction: video.Direction, flags: video.OpenFlag) -> Session:
        """A session, whatever the codec."""
        if self._faults == Faults() and not self._jobs:
            return Session(direction)
        jobs = self._jobs
        session = TimedSession(direction, self._faults, jobs) if jobs else FaultySession(direction, self._faults)
        self._faulty.add(session)
        return session

    def reset(self) -> None:
        """Nothing hangs any more; units that hung are done."""
        self._faults = self._faults._replace(hang_at=0)
        for session in self._faulty:
            session.recover()
