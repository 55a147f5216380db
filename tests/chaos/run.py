# SPDX-License-Identifier: Apache-2.0
"""A run of chaos: sixteen streams at any time, each judged at its end, while the events of a schedule are done.

When the time is over no stream is begun any more; those under way may end. Then nothing may be left.
"""

import os
import select
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.chaos import guests, host, streams
from tests.chaos.host import TOKEN
from tests.chaos.schedule import HOST, XEN, Hit, Life, Outcome, Reach, fault, schedule

HANG = 60.0
"""Seconds that a stream of six may take on a busy machine, with all that is killed meanwhile."""


class World(NamedTuple):
    """Where a run takes place: what makes it, the events there are, and what does them."""

    make: object
    rows: dict
    deeds: dict


WORLDS = {"host": World(host.Host, HOST, host.DEEDS), "xen": World(guests.Guests, XEN, guests.DEEDS)}


class Report(NamedTuple):
    """All there is to know of a run."""

    seed: int
    seconds: float
    lives: list
    hits: list
    missed: list
    faults: list
    left: dict


class _Lane:
    """A stream that runs."""

    def __init__(self, number, world, folder, now):
        self.number, self.began = number, now
        self.domain, (self.kind, codec) = number // 2, streams.LANES[number]
        self.folder = Path(tempfile.mkdtemp(prefix=f"lane-{number}-", dir=folder))
        self.stream = streams.stream(self.kind, codec, world.address(self.domain), self.folder)
        self.program = self.stream.start(self.folder, world.gid(self.domain))

    def end(self, now, *, hung=False):
        """How it went."""
        if hung:
            self.program.kill()
        outcome, pictures, said = self.stream.judge(self.program.wait())
        if hung:
            outcome, said = Outcome.HUNG, f"nothing for {HANG} seconds"
        errors = self.folder / "errors"  # which one that was killed at once has not opened
        if errors.exists():
            said = f"{said} {errors.read_text(errors='replace')[-300:].strip()}".strip()
        if outcome is not Outcome.WRONG:
            shutil.rmtree(self.folder)
        return Life(self.number, self.domain, self.kind, self.began, now, outcome, pictures, said)


class Run:
    """See the module."""

    def __init__(self, world, *, seed, seconds, say=lambda _: None):
        self._make_world, self._rows, self._deeds = world
        self._seed, self._seconds, self._say = seed, seconds, say
        self._lanes, self._lives, self._hits, self._missed = {}, [], [], []
        self._late = 0.0  # what events took, by which those after them are later: a busy machine makes no pile of them
        self._poll = select.poll()

    def run(self):
        """The report, however it goes."""
        for _, codec in streams.LANES:
            if codec:
                streams.digests(codec)  # made before anything is timed
        streams.prepare()
        token = os.environ[TOKEN] = f"{os.getpid()}-{self._seed}"
        try:
            with ExitStack() as stack:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paracore-chaos-")))
                folder.chmod(0o755)
                return self._run(folder, token)
        finally:
            del os.environ[TOKEN]

    def _run(self, folder, token):
        world = self._make_world(streams.DOMAINS, token)
        try:
            self._began = time.monotonic()
            self._play(world, folder)
            left = world.left()
        finally:
            left_in_the_end = world.close()
        faults = [(life, why) for life in self._lives if (why := fault(life, self._hits, self._rows))]
        return Report(self._seed, self._seconds, self._lives, self._hits, self._missed, faults, left | left_in_the_end)

    @property
    def _now(self):
        return time.monotonic() - self._began

    def _play(self, world, folder):
        events = schedule(self._seed, self._seconds, self._rows, lanes=len(streams.LANES), domains=streams.DOMAINS)
        try:
            for number in range(len(streams.LANES)):
                self._begin(number, world, folder)
            for event in events:
                self._watch(event.at + self._late, world, folder)
                self._do(event, world)
            self._watch(self._seconds + self._late, world, folder)
            self._watch(self._now + 2 * HANG, world, None)  # by then each has ended or has been ended
        finally:
            for lane in self._lanes.values():
                lane.program.kill()
                lane.program.wait()

    def _begin(self, number, world, folder):
        lane = self._lanes[number] = _Lane(number, world, folder, self._now)
        self._poll.register(lane.program.ended, select.POLLIN)

    def _watch(self, until, world, folder):
        """Until then; a stream that has ended is followed by another, if there is a folder for it."""
        while self._lanes and (wait := until - self._now) > 0:
            ready = {descriptor for descriptor, _ in self._poll.poll(1000 * min(wait, 1.0))}
            for lane in list(self._lanes.values()):
                hung = self._now - lane.began > HANG
                if lane.program.ended in ready or hung:
                    self._end(lane, hung=hung and lane.program.ended not in ready)
                    if folder:
                        self._begin(lane.number, world, folder)

    def _end(self, lane, *, hung):
        self._poll.unregister(lane.program.ended)
        del self._lanes[lane.number]
        self._lives.append(lane.end(self._now, hung=hung))
        if (why := fault(self._lives[-1], self._hits, self._rows)) is not None:
            self._say(f"{self._now:7.2f} lane {lane.number} ({lane.kind}): {why}")

    def _do(self, event, world):
        began = self._now
        if self._rows[event.name].reach is Reach.LANE:
            lane = self._lanes.get(event.target)
            met = lane is not None and lane.program.kill()
        else:
            met = self._deeds[event.name](world, event.target)
        self._late += self._now - began
        if met:
            self._hits.append(Hit(event, began, self._now))
        else:
            self._missed.append(event)
        self._say(f"{began:7.2f} {event.name} {event.target}{'' if met else ', but there was none'}")
