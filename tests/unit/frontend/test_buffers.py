# SPDX-License-Identifier: Apache-2.0
from array import array
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paracore.frontend._buffers import Arena, Memory, spans_of


def make_memory(length, retired=None):
    return Memory(1, 1 << 20, memoryview(bytearray(length)), (retired if retired is not None else []).append)


def test_spans_lie_aligned_one_after_another():
    spans = spans_of(make_memory(4096), 4, 100, first_cookie=7, series=2)
    assert [(span.offset, span.length, span.cookie, span.series) for span in spans] == [
        (0, 100, 7, 2),
        (128, 100, 8, 2),
        (256, 100, 9, 2),
        (384, 100, 10, 2),
    ]
    assert spans[1].address == (1 << 20) + 128


def test_a_memory_is_retired_when_its_last_span_has_gone():
    retired = []
    spans = spans_of(make_memory(4096, retired), 3, 100, 0, 0)
    kept = spans.pop()
    del spans
    assert retired == []
    del kept
    assert retired == [1]


def test_an_arena_goes_round():
    arena = Arena(make_memory(1024))
    regions = [arena.allocate(200) for _ in range(4)]
    assert [region.offset for region in regions] == [0, 256, 512, 768]
    assert arena.allocate(1) is None
    arena.release(regions[0])
    arena.release(regions[1])
    assert arena.allocate(100).offset == 0


def test_an_arena_uses_what_it_has_used():
    """Four at a time, each released in its turn, never need the rest of it."""
    arena = Arena(make_memory(1 << 20))
    live = deque(arena.allocate(200) for _ in range(4))
    for _ in range(100):
        arena.release(live.popleft())
        live.append(arena.allocate(200))
    assert max(region.offset for region in live) <= 4 * 256


def test_a_region_that_comes_back_early_waits():
    arena = Arena(make_memory(512))
    first, second = arena.allocate(200), arena.allocate(200)
    arena.release(second)
    assert arena.allocate(100) is None
    arena.release(first)
    assert arena.allocate(500).offset == 0


def test_more_than_the_arena_never_fits():
    assert Arena(make_memory(512)).allocate(513) is None


@given(st.lists(st.one_of(st.integers(0, 400), st.just(None)), max_size=80))
def test_regions_never_overlap(steps):
    arena = Arena(make_memory(1024))
    live = []
    for step in steps:
        if step is None:
            if live:
                arena.release(live.pop(len(live) // 2))
            continue
        region = arena.allocate(step)
        if region is None:
            assert live or step > 1024 - 64
            continue
        span = (region.offset, region.offset + max(step, 1))
        assert span[1] <= 1024
        for other in live:
            assert span[1] <= other.offset or span[0] >= other.offset + max(other.length, 1)
        live.append(region)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65])
def test_a_region_is_never_empty(length):
    arena = Arena(make_memory(1024))
    assert arena.allocate(length).offset < arena.allocate(1).offset


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"xabcx")[1:4], array("h", b"abc".ljust(4))])
def test_a_region_is_filled(data):
    arena = Arena(make_memory(1024))
    arena.allocate(10)
    region = arena.allocate(memoryview(data).nbytes)
    region.fill(data)
    assert bytes(arena.memory.view[64:67]) == b"abc"
