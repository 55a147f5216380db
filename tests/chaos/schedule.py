# SPDX-License-Identifier: Apache-2.0
"""What is killed when in a run of chaos, and how a stream may end for it.

Sans-I/O: it is a table and a seed. The same seed, seconds and table give the same events in the same order; what each of
them meets depends on the machine. A new kind of event is a row of ``EVENTS``.
"""

import random
from enum import StrEnum
from typing import NamedTuple

GAP = 1.2
"""Seconds between two events, in the mean."""
GAP_MIN = 0.2
AFTERMATH = 3.0
"""Seconds after an event during which what it killed may still be missed by who comes new: a warm parent loads drivers."""


class Reach(StrEnum):
    """Whose streams an event concerns."""

    LANE = "lane"
    DOMAIN = "domain"
    ALL = "all"


class Kind(StrEnum):
    """What a stream is."""

    RECOVER = "decoder, recover"
    FAIL = "decoder, fail"
    ENCODE = "encoder, recover"
    V4L2 = "ffmpeg by V4L2"
    OMX = "gst-omx"


class Outcome(StrEnum):
    """How a stream has ended."""

    COMPLETE = "complete"
    KILLED = "killed"
    ENDED = "ended by a documented error"
    WRONG = "wrong"
    HUNG = "hung"


class Row(NamedTuple):
    """A kind of event.

    Attributes:
        weight: how often it comes, beside the others.
        reach: whose streams it concerns.
        rest: seconds without an event that concerned all before it; a warm parent that dies young is not replaced.
        spares: streams that go on.
    """

    weight: int
    reach: Reach
    rest: float = 0.0
    spares: frozenset[Kind] = frozenset()


GOES_ON = frozenset(Kind) - {Kind.FAIL}
"""What follows a lost worker by itself; see docs/guides/recovery.md."""

HOST = {
    "application killed": Row(8, Reach.LANE),
    "worker killed": Row(8, Reach.DOMAIN, spares=GOES_ON),
    "warm parent killed": Row(2, Reach.ALL, rest=4.0, spares=GOES_ON),
    "supervisor killed": Row(2, Reach.ALL, rest=4.0),
    "supervisor restarted": Row(2, Reach.ALL, rest=4.0),
    "supervisor reloaded": Row(2, Reach.ALL, rest=1.0, spares=frozenset(Kind)),
}
"""On one Linux. A supervisor that comes back is bridged only if it listens again in time, so that none need go on."""

XEN = {
    "application killed": Row(8, Reach.LANE),
    "worker killed": Row(6, Reach.DOMAIN, spares=GOES_ON),
    "daemon killed": Row(4, Reach.DOMAIN),
    "backend killed": Row(1, Reach.ALL, rest=6.0),
    "backend restarted": Row(1, Reach.ALL, rest=6.0),
    "backend reloaded": Row(1, Reach.ALL, rest=1.0, spares=frozenset(Kind)),
}
"""Guests, with a daemon each."""


class Event(NamedTuple):
    """At so many seconds of the run this is done to that lane or domain."""

    at: float
    name: str
    target: int


def schedule(seed, seconds, rows, *, lanes, domains):
    """All events of a run, in order."""
    chance = random.Random(seed)
    events, at, shaken = [], 0.0, 0.0
    while True:
        at += GAP_MIN + chance.expovariate(1 / (GAP - GAP_MIN))
        if at >= seconds:
            return events
        ready = {name: row for name, row in rows.items() if at - shaken >= row.rest}
        name = chance.choices(list(ready), [row.weight for row in ready.values()])[0]
        target = chance.randrange({Reach.LANE: lanes, Reach.DOMAIN: domains, Reach.ALL: 1}[rows[name].reach])
        if rows[name].reach is Reach.ALL:
            shaken = at
        events.append(Event(round(at, 3), name, target))


class Hit(NamedTuple):
    """An event that was done, from when to when."""

    event: Event
    began: float
    ended: float


class Life(NamedTuple):
    """One stream: the lane and domain it was in, and how it went."""

    lane: int
    domain: int
    kind: Kind
    began: float
    ended: float
    outcome: Outcome
    pictures: int
    said: str = ""


def concerns(hit, row, life):
    """Whether an event was of that stream, and in its time."""
    mine = {Reach.LANE: life.lane, Reach.DOMAIN: life.domain, Reach.ALL: 0}[row.reach] == hit.event.target
    return mine and hit.began <= life.ended and hit.ended + AFTERMATH >= life.began


def fault(life, hits, rows):
    """What is wrong with how a stream has ended; None if nothing is."""
    mine = [rows[hit.event.name] for hit in hits if concerns(hit, rows[hit.event.name], life)]
    if life.outcome in (Outcome.WRONG, Outcome.HUNG):
        return f"{life.outcome}: {life.said}"
    if life.outcome is Outcome.KILLED and not any(row.reach is Reach.LANE for row in mine):
        return "killed by nobody"
    if life.outcome is Outcome.ENDED and not any(
        life.kind not in row.spares for row in mine if row.reach is not Reach.LANE
    ):
        return f"ended though nothing happened that ends it: {life.said}"
    return None
