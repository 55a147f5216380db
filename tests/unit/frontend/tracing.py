# SPDX-License-Identifier: Apache-2.0
"""A trace's memory as a test fills it, and the judge of what becomes of it."""

import json
import os
import time
from collections import defaultdict
from itertools import pairwise

from paracore.classes import TraceEvent, TracePage, TraceRecord
from paracore.protocol import PAGE_SIZE, PROTOCOL_VERSION, TRACE_RECORDS, TRACE_SIZE


class Memory:
    """A memory, and its writer."""

    def __init__(self, **page):
        self.descriptor = os.memfd_create("trace")
        os.ftruncate(self.descriptor, TRACE_SIZE)
        self.begun = 0
        self.page(**page)

    def page(self, *, version=PROTOCOL_VERSION, records=TRACE_RECORDS, begun=0):
        os.pwrite(self.descriptor, TracePage(version, records, 0, begun).pack(), 0)

    def begin(self):
        """Takes a number; returns it."""
        self.begun += 1
        self.page(begun=self.begun)
        return self.begun - 1

    def finish(self, number, octets):
        os.pwrite(self.descriptor, octets, PAGE_SIZE + number % TRACE_RECORDS * TraceRecord.SIZE)

    def write(self, event=TraceEvent.INPUT_SEEN, cookie=0, **fields):
        number = self.begin()
        self.finish(number, record(event, cookie, sequence=number + 1, **fields).pack())

    def reader(self):
        return os.dup(self.descriptor)

    def close(self):
        os.close(self.descriptor)


def record(event, cookie=0, *, sequence=1, time_=None, channel=1, session=1, timestamp=0, value=0):
    moment = time.monotonic_ns() if time_ is None else time_
    return TraceRecord(sequence, moment, event, channel, session, cookie, timestamp, value)


PHASES = {
    "M": {"name", "pid", "args"},
    "X": {"name", "cat", "pid", "tid", "ts", "dur"},
    "b": {"name", "cat", "pid", "tid", "ts", "id"},
    "e": {"name", "cat", "pid", "tid", "ts", "id"},
    "s": {"name", "cat", "pid", "tid", "ts", "id"},
    "t": {"name", "cat", "pid", "tid", "ts", "id"},
    "f": {"name", "cat", "pid", "tid", "ts", "id", "bp"},
    "i": {"name", "cat", "pid", "tid", "ts", "s"},
}
"""Of the Trace Event Format: what each phase that is used has to have."""


def judge(trace):
    """Raises unless it keeps the rules of the Trace Event Format; returns its events."""
    assert set(trace) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert trace == json.loads(json.dumps(trace))
    threads, open_ways, arrows = defaultdict(list), defaultdict(list), defaultdict(list)
    for event in trace["traceEvents"]:
        assert set(event) >= PHASES[event["ph"]], event
        assert event.get("ts", 0) >= 0
        assert event.get("dur", 0) >= 0
        if event["ph"] == "X":
            threads[event["pid"], event["tid"]].append(event)
        elif event["ph"] == "b":
            open_ways[event["cat"], event["id"]].append(event)
        elif event["ph"] == "e":
            begun = open_ways[event["cat"], event["id"]].pop()
            assert (begun["name"], begun["pid"]) == (event["name"], event["pid"])
            assert begun["ts"] <= event["ts"]
        elif event["ph"] in "stf":
            arrows[event["cat"], event["id"]].append(event)
    assert not any(open_ways.values()), "a way that does not end"
    for slices in threads.values():
        slices.sort(key=lambda event: event["ts"])
        for event, following in pairwise(slices):
            assert event["ts"] + event["dur"] <= following["ts"] + 0.001, (event, following)
    for arrow in arrows.values():
        phases = "".join(each["ph"] for each in arrow)
        assert phases == "s" + "t" * (len(phases) - 2) + "f"
        assert [each["ts"] for each in arrow] == sorted(each["ts"] for each in arrow)
        for each in arrow:
            assert any(each["ts"] == piece["ts"] for piece in threads[each["pid"], each["tid"]]), "an arrow to nothing"
    return trace["traceEvents"]
