# SPDX-License-Identifier: Apache-2.0
"""One channel after another, without a backend."""

import pytest

from paracore import DeviceLost, TransportBroken
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
def opened(monkeypatch):
    """What became of each attempt to open one."""
    attempts = []

    def open_one(*_, **__):
        attempts.append(Channel(len(attempts)))
        return attempts[-1]

    monkeypatch.setattr(_channels, "Channel", open_one)
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


def test_a_question_that_goes_wrong_without_a_loss_is_asked_once(opened):
    def question(_):
        raise DeviceLost("paracore", 19, "no such thing")

    with pytest.raises(DeviceLost):
        make().ask(question)
    assert len(opened) == 1
