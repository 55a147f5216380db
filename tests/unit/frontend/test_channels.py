# SPDX-License-Identifier: Apache-2.0
"""One channel after another, without a backend."""

from itertools import count
from types import SimpleNamespace

import pytest

from paracore import DeviceLost, QuotaExceeded, TransportBroken
from paracore.frontend import _channels
from paracore.frontend._channels import Channels
from paracore.frontend._session import FRUITLESS_MAX


class Channel:
    """One that is lost or is not."""

    def __init__(self, number):
        self.number = number
        self.lost = False

    def lose(self):
        self.lost = True
        raise TransportBroken(str(self.number))


@pytest.fixture
def refused():
    """The attempts to open one that a limit is in the way of."""
    return set()


@pytest.fixture
def opened(monkeypatch, refused):
    """The attempts."""
    attempts, clock = [], count(step=0.1)

    def open_one(*_, **__):
        attempts.append(Channel(len(attempts)))
        if attempts[-1].number in refused:
            raise QuotaExceeded("channels")
        return attempts[-1]

    monkeypatch.setattr(_channels, "Channel", open_one)
    monkeypatch.setattr(_channels, "time", SimpleNamespace(monotonic=clock.__next__, sleep=lambda _: None))
    return attempts


def make(on_loss="recover"):
    return Channels("nowhere", spin=0.0, timeout=1.0, on_loss=on_loss)


def test_a_question_outlives_more_losses_than_one(opened):
    def question(channel):
        return channel.number if channel.number == FRUITLESS_MAX else channel.lose()

    assert make().ask(question) == FRUITLESS_MAX
    assert len(opened) == FRUITLESS_MAX + 1


def test_a_question_that_kills_is_not_asked_for_ever(opened):
    with pytest.raises(TransportBroken):
        make().ask(Channel.lose)
    assert len(opened) == FRUITLESS_MAX + 1


def test_the_lost_channel_may_still_be_counted_for_a_while(opened, refused):
    channels = make()
    refused.update({1, 2})
    first = channels.current
    first.lost = True
    assert channels.follow(first, TransportBroken("0")) is opened[3]


def test_a_limit_that_stays_in_the_way_is_the_end(opened, refused):
    channels = make()
    refused.update(range(1, 100))
    first = channels.current
    first.lost = True
    for _ in range(2):
        with pytest.raises(TransportBroken):
            channels.follow(first, TransportBroken("0"))
    assert 2 < len(opened) < 10


def test_a_question_that_goes_wrong_without_a_loss_is_asked_once(opened):
    def question(_):
        raise DeviceLost("paracore", 19, "no such thing")

    with pytest.raises(DeviceLost):
        make().ask(question)
    assert len(opened) == 1
