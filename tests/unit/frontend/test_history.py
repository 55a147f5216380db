# SPDX-License-Identifier: Apache-2.0
"""Whatever is lost whenever: each picture is delivered once, in order, and is what it would have been."""

from hypothesis import given, strategies

from paracore import Packet
from paracore.frontend._history import History
from tests.unit.frontend.streams import Builder, Model, streams

DRAIN = object()


class Player:
    """Plays a stream to one decoder after another, with a history between them."""

    def __init__(self, stream, *, times, reorder=True, skips=False):
        self.stream = stream
        self.times = times
        self.make = lambda: Model(stream, reorder=reorder, skips=skips)
        self.device = self.make()
        self.history = History("vp9")
        self.delivered = []
        self.draining = False

    def send(self, unit):
        timestamp = self.times(unit)
        packet = unit.packet(timestamp)
        noted = self.history.append(packet)
        self.take(self.device.give(packet.data, noted.number))

    def take(self, pictures):
        for number, key, shows in pictures:
            unit = self.history.picture(number, key=key)
            if unit is not None:
                self.delivered.append((unit.timestamp, shows))

    def drain(self):
        """Asks for it; a loss may come before it is done."""
        self.history.drain()
        self.draining = True

    def finish_drain(self, most=None):
        """What comes of it, up to a loss."""
        self.take(self.device.drain()[:most])
        if most is None:
            self.history.drained()
            self.draining = False

    def lose(self):
        assert self.history.usable
        self.device = self.make()
        self.history.lose()

    def step(self):
        """Gives one thing that is due again."""
        if self.history.drain_due:
            self.history.given()
            self.finish_drain()
            return
        octets, unit = self.history.octets_due(), self.history.due()
        self.history.given()
        self.take(self.device.give(octets, unit.number))

    def catch_up(self):
        while self.history.behind:
            self.step()


def plain(stream, times):
    """What comes without any loss."""
    player = Player(stream, times=times)
    for unit in stream:
        if unit.drain:
            player.take(player.device.drain())
        player.send(unit)
    player.take(player.device.drain())
    return player.delivered


def play(player, losses):
    """Plays it to its end; the losses say after which units, and how far what is due is given before the next."""
    for unit in player.stream:
        if unit.drain:
            drain(player, losses)
        player.send(unit)
        lose(player, losses.draw(BURSTS))
    drain(player, losses)
    return player.delivered


def drain(player, losses):
    player.drain()
    if burst := losses.draw(BURSTS):
        player.finish_drain(most=losses.draw(strategies.integers(0, 4)))
        lose(player, burst)
        assert not player.draining
    else:
        player.finish_drain()
    lose(player, losses.draw(BURSTS))


def lose(player, burst):
    for steps in burst:
        player.lose()
        for _ in range(steps):
            if player.history.behind:
                player.step()
    player.catch_up()


BURSTS = strategies.one_of(
    strategies.just([]), strategies.just([]), strategies.lists(strategies.integers(0, 9), max_size=3)
)
TIMES = {
    "shown": lambda unit: unit.shown,
    "absent": lambda _: None,
    "all the same": lambda _: 7,
    "decoding order": lambda unit: unit.index,
}


@given(streams(), strategies.sampled_from(sorted(TIMES)), strategies.booleans(), strategies.data())
def test_each_picture_comes_once_and_in_order(stream, times, skips, losses):
    player = Player(stream, times=TIMES[times], skips=skips)
    assert play(player, losses) == plain(stream, TIMES[times])


@given(streams(), strategies.booleans(), strategies.data())
def test_the_same_of_a_decoder_that_reorders_nothing(stream, skips, losses):
    player = Player(stream, times=TIMES["shown"], reorder=False, skips=skips)
    expected = sorted(plain(stream, TIMES["shown"]))
    assert sorted(play(player, losses)) == expected


def long_stream(groups=40, size=12):
    builder = Builder()
    for _ in range(groups):
        builder.group(2, [2] * (size // 3), drain=False, silent=False)
    return builder.units


def kept(history):
    """Units that a loss now would have given again."""
    history.lose()
    count = 0
    while history.behind:
        history.given()
        count += 1
    return count


def test_it_is_never_longer_than_two_groups():
    stream = long_stream()
    for times in TIMES.values():
        player = Player(stream, times=times)
        for unit in stream:
            player.send(unit)
        assert kept(player.history) < 2 * 15 + 6


def test_a_key_picture_whose_leading_ones_are_under_way_is_no_access_point():
    builder = Builder()
    builder.group(0, [0], drain=False, silent=False)
    builder.group(2, [0], drain=False, silent=False)
    history = History("vp9")
    for unit in builder.units:
        history.append(unit.packet(unit.shown))
    for number in (0, 1, 2):  # the key picture, before those that lead it
        history.picture(number, key=number in (0, 2))
    assert kept(history) == len(builder.units)


def test_a_key_picture_is_one_once_a_trailing_one_has_come():
    history = History("vp9")
    for number in range(4):
        history.append(Packet(b"unit", number))
    for number in range(3):
        history.picture(number, key=number == 1)
    assert kept(history) == 3


def test_a_key_picture_before_which_one_is_missing_is_no_access_point():
    history = History("vp9")
    for timestamp in (0, 10, 5, 6, 11, 12):
        history.append(Packet(b"unit", timestamp))
    for number in (0, 2, 3):
        history.picture(number, key=number == 2)
    assert kept(history) == 6


def test_one_that_was_refused_is_not_missing():
    history = History("vp9")
    for timestamp in (0, 10, 5, 6):
        unit = history.append(Packet(b"unit", timestamp))
        unit.refused = timestamp == 10
    for number in (0, 2, 3):
        history.picture(number, key=number == 2)
    assert kept(history) == 2


def test_the_discarded_is_not_delivered_now_or_again():
    history = History("vp9")
    history.append(Packet(b"unit", 5, discard=True))
    assert history.picture(0, key=True) is None
    history.lose()
    history.given()
    assert history.picture(0, key=True) is None


def test_a_unit_of_two_pictures():
    history = History("vp9")
    history.append(Packet(b"unit", 5))
    assert history.picture(0, key=True).timestamp == 5
    history.lose()
    history.given()
    assert history.picture(0, key=True) is None
    assert history.picture(0, key=False).timestamp == 5


def test_parameter_sets_go_before_the_first_unit_again():
    sets, key, other = b"\0\0\0\1\x67\1\0\0\0\1\x68\2", b"\0\0\0\1\x06\3\0\0\0\1\x41\4", b"\0\0\0\1\x41\5"
    history = History("h264")
    for number, data in enumerate((sets + b"\0\0\0\1\x65\0", key, other)):
        history.append(Packet(data, number))
        history.picture(number, key=number < 2)
    history.lose()
    assert history.due().number == 1
    assert history.octets_due().endswith(key)
    assert b"\x67\1" in history.octets_due()
    history.given()
    assert history.octets_due() == other


def test_a_flush_forgets_all():
    history = History("vp9")
    history.append(Packet(b"unit", 5))
    history.drain()
    history.clear()
    history.lose()
    assert not history.behind
    assert history.picture(0, key=True).timestamp == 5  # one that was on its way has its time


def test_a_device_that_is_lost_while_nothing_is_due_is_followed_by_one_that_is_told_the_parameter_sets():
    history, head, unit = History("mpeg2"), b"\0\0\1\xb3head", memoryview(b"\0\0\1\0unit")
    history.append(Packet(head + unit, 5))
    history.clear()
    assert history.octets_of(unit) == unit
    history.lose()
    assert history.octets_of(unit) == b"\0" + head + unit
    history.append(Packet(unit, 6))
    assert history.octets_of(unit) == unit
    history.clear()  # that one may have been flushed before it was read
    assert history.octets_of(unit) == b"\0" + head + unit
    number = history.append(Packet(unit, 7)).number
    history.picture(number, key=True)
    history.clear()
    assert history.octets_of(unit) == unit


def test_too_much_cannot_be_taken_up_again_until_the_next_access_point():
    history = History("vp9", octets_max=100)
    for number in range(6):
        history.append(Packet(bytes(30), number))
        history.picture(number, key=number in (0, 4))
        assert history.usable == (number in (0, 1, 2, 5))
    assert kept(history) == 2


def test_too_many_cannot_either():
    history = History("vp9", units_max=8)
    for number in range(100):
        history.append(Packet(b"unit", 1000 + number))
        assert history.usable == (number < 8)
    assert history.picture(99, key=False).timestamp == 1099
    assert history.picture(80, key=False).timestamp == 1080
    assert not history.usable


def test_a_device_that_does_not_say_which_unit_it_is():
    history = History("vp9")
    history.append(Packet(b"unit", 5))
    assert history.picture(-(1 << 63), key=True).timestamp is None
    assert not history.usable


def test_a_device_that_is_ahead_of_what_it_was_given():
    """It lies: a unit that is still due cannot have a picture."""
    history = History("vp9")
    for number in range(3):
        history.append(Packet(b"unit", number))
    history.lose()
    history.given()
    history.picture(2, key=True)
    assert not history.usable
    assert history.due().number == 1


def test_the_users_memory_is_not_referred_to():
    history, data = History("vp9"), bytearray(b"unit")
    history.append(Packet(data, 5))
    data[:] = b"mine"
    history.lose()
    assert history.octets_due() == b"unit"
