# SPDX-License-Identifier: Apache-2.0
"""Quotas and rates count up to their bounds and no further."""

import logging

import pytest

from paracore import QuotaExceeded
from paracore.backend._config import Limits
from paracore.transport._quota import Quota
from paracore.transport._rate import BoundedLog, Bucket, printable


def test_a_quota_counts_both_ways():
    quota = Quota(Limits(channels=1, buffers=2, bytes=10))
    quota.enter_channel()
    with pytest.raises(QuotaExceeded) as caught:
        quota.enter_channel()
    assert (caught.value.limit, caught.value.allowed) == ("channels", 1)
    quota.leave_channel()
    quota.enter_channel()
    quota.enter_grant(10)
    with pytest.raises(QuotaExceeded, match="bytes"):
        quota.enter_grant(1)
    assert (quota.buffers, quota.bytes) == (1, 10), "what is refused is not counted"
    quota.leave_grant(10)
    quota.enter_grant(1)
    quota.enter_grant(1)
    with pytest.raises(QuotaExceeded, match="buffers"):
        quota.enter_grant(1)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_bucket_gives_a_burst_and_then_a_rate():
    clock = Clock()
    bucket = Bucket(rate=2, burst=3, clock=clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.now = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.now = 100
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_a_debt_is_paid_by_time():
    clock = Clock()
    bucket = Bucket(rate=2, burst=3, clock=clock)
    assert bucket.wait() == 0
    bucket.owe(10)
    assert bucket.wait() == 4
    clock.now = 3.5
    assert bucket.wait() == 0.5
    assert not bucket.take()
    clock.now = 4
    assert bucket.take()


def test_a_log_says_what_it_left_out(caplog):
    clock = Clock()
    log = BoundedLog(logging.getLogger("test"), rate=1, burst=2, clock=clock)
    written = [log.write(logging.WARNING, "line %d", number) for number in range(5)]
    assert written == [True, True, False, False, False]
    clock.now = 1
    log.write(logging.WARNING, "again")
    assert caplog.messages == ["line 0", "line 1", "3 lines of the same origin were left out", "again"]


def test_a_peers_words_are_made_printable():
    assert printable("a\x1b[2Jb\nc\u202e") == "a?[2Jb?c?"
    assert len(printable("x" * 1000)) == 200
