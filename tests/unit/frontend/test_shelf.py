# SPDX-License-Identifier: Apache-2.0
from collections import deque

from hypothesis import given, strategies

from paracore.frontend import _shelf
from paracore.frontend._shelf import CHUNK, Shelf

SIZES = strategies.sampled_from([0, 1, 5, 1000, CHUNK // 3, CHUNK - 1, CHUNK, CHUNK + 1])


@given(strategies.lists(strategies.one_of(SIZES, strategies.none()), max_size=60))
def test_what_is_kept_stays_what_it_was(steps):
    """Sizes are put, None forgets the oldest."""
    shelf, kept = Shelf(), deque()
    for number, size in enumerate(steps):
        if size is None:
            if kept:
                kept.popleft()
                shelf.forget()
        else:
            octets = bytes([number]) * size
            kept.append((shelf.put(bytearray(octets)), octets))
    for view, octets in kept:
        assert view == octets


def test_memory_is_used_again(monkeypatch):
    made = []
    original = _shelf._Chunk

    def counting(length):
        made.append(length)
        return original(length)

    monkeypatch.setattr(_shelf, "_Chunk", counting)
    shelf = Shelf()
    for _round in range(10):
        for _number in range(30):
            shelf.put(bytes(100_000))
        for _number in range(30):
            shelf.forget()
    assert sum(made) == 3 * CHUNK


def test_a_large_one_has_its_own():
    shelf = Shelf()
    large = shelf.put(bytes(3 * CHUNK))
    small = shelf.put(b"small")
    shelf.forget()
    assert len(large) == 3 * CHUNK
    assert small == b"small"
    shelf.forget()
    assert shelf.put(b"next") == b"next"
