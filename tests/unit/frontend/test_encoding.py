# SPDX-License-Identifier: Apache-2.0
import ctypes
import gc
from collections import deque

import numpy as np
import pytest

from paracore import LocalProtocolError, QuotaExceeded, RemoteProtocolError, StateError
from paracore.classes import video
from paracore.frontend._awaited import AWAITED_MAX, Awaited
from paracore.frontend._encoder import copy_planes, give_again
from paracore.frontend._encoding import HEADROOM, OUTPUT_COUNT, Encoding
from tests.unit.frontend.device import Device, picture_format

FLAG = video.OutputFlag


@pytest.fixture
def state():
    return Encoding(picture_format(buffers_min=2), ctypes.string_at)


@pytest.fixture
def device(state):
    device = Device(state)
    device.serve(waiting=True)
    return device


def send(state, device, **attributes):
    picture = state.picture()
    for name, value in attributes.items():
        setattr(picture, name, value)
    state.submit(picture)
    device.serve()


def test_it_begins_with_outputs_and_empty_pictures(state, device):
    assert len(device.outputs) == OUTPUT_COUNT
    assert len(state.returns) == 2 + HEADROOM


def test_a_picture_is_drawn_where_the_device_reads(state, device):
    picture = state.picture()
    picture.planes[0][...] = 7
    state.submit(picture)
    device.serve()
    span = device.inputs[0].span
    memory = ctypes.string_at(ctypes.addressof(device._keep[span.buffer - 1]) + span.offset, 64 * 48)
    assert memory == b"\7" * (64 * 48)


def test_pictures_are_counted_unless_told(state, device):
    send(state, device)
    send(state, device, timestamp=10, duration=3)
    send(state, device)
    assert [queued.timestamp for queued in device.inputs] == [0, 10, 13]


def test_a_key_frame_can_be_forced(state, device):
    send(state, device, key=True)
    send(state, device)
    assert [queued.flags for queued in device.inputs] == [video.InputFlag.KEY, 0]


def test_a_picture_is_sent_once(state, device):
    picture = state.picture()
    state.submit(picture)
    with pytest.raises(StateError, match="sent"):
        state.submit(picture)
    with pytest.raises(StateError, match="sent"):
        _ = picture.planes


def test_a_picture_comes_back_when_the_device_and_the_user_are_done(state, device):
    while (picture := state.picture()) is not None:
        last, view = picture, picture.planes[0]
        state.submit(picture)
    device.serve()
    for _ in range(len(device.inputs)):
        device.done()
    assert len(state.returns) == 1 + HEADROOM, "one is still looked at"
    del last, view, picture
    gc.collect()
    assert len(state.returns) == 2 + HEADROOM


def test_a_picture_that_is_never_sent_comes_back(state, device):
    picture = state.picture()
    assert len(state.returns) == 1 + HEADROOM
    del picture
    assert len(state.returns) == 2 + HEADROOM


def test_packets_are_copied_and_their_spans_lent_again(state, device):
    device.ready(b"access unit", flags=FLAG.KEY, timestamp=4)
    device.ready(b"x" * 11, timestamp=5)
    first, second = state.packets
    assert (first.data, first.key, first.timestamp, first.decode_timestamp) == (b"access unit", True, 4, 4)
    assert not second.key
    device.serve()
    assert len(device.outputs) == OUTPUT_COUNT


def test_an_end_without_data_is_no_packet(state, device):
    state.drain()
    device.ready(flags=FLAG.LAST | FLAG.EMPTY)
    device.event(video.Drained())
    assert not state.packets
    assert state.drained


def test_more_than_a_span_holds_is_the_peers_fault(device):
    with pytest.raises(RemoteProtocolError, match="octets in a span"):
        device.ready(b"", used=1 << 30)


def test_larger_access_units_get_larger_spans(state, device):
    for _ in range(OUTPUT_COUNT):
        device.ready(flags=FLAG.CANCELLED, used=80_000)
    assert state.changed
    device.serve()
    assert {output.span.length for output in device.outputs} == {80_000}
    assert len(device.outputs) == OUTPUT_COUNT


def test_an_access_unit_that_is_larger_still_while_memory_is_granted(state, device):
    device.ready(flags=FLAG.CANCELLED, used=80_000)
    request = state.memory_request(waiting=False)
    device.ready(flags=FLAG.CANCELLED, used=81_000)
    request.answer(lambda: device.grant(request.length))
    device.serve()
    assert [output.span.length for output in device.outputs[-2:]] == [80_000, 81_000]
    for output in device.outputs:
        assert output.span.offset + output.span.length <= device.granted[output.span.buffer - 1]
    assert not state.changed


def test_absurdly_large_access_units_are_the_peers_fault(device):
    with pytest.raises(RemoteProtocolError, match="access unit"):
        device.ready(flags=FLAG.CANCELLED, used=1 << 30)


def test_more_pictures_when_the_user_fills_many_at_once(state, device):
    filling = []
    for _ in range(12):
        picture = state.picture()
        if picture is None:
            device.serve(waiting=True)
            picture = state.picture()
        filling.append(picture)
    assert len({id(picture) for picture in filling}) == 12


def test_it_makes_do_with_little_memory():
    state = Encoding(picture_format(buffers_min=2), ctypes.string_at)
    device = Device(state, octets=150_000)
    device.serve(waiting=True)
    assert 0 < len(device.outputs) < OUTPUT_COUNT
    assert len(state.returns) >= 2


def test_too_little_memory_is_told():
    state = Encoding(picture_format(buffers_min=2), ctypes.string_at)
    Device(state, octets=1000).serve(waiting=True)
    with pytest.raises(QuotaExceeded):
        state.check()


def test_an_impossible_layout_is_the_peers_fault():
    with pytest.raises(RemoteProtocolError):
        Encoding(picture_format(size=10), ctypes.string_at)


def test_a_source_change_of_an_encoder_is_the_peers_fault(device):
    with pytest.raises(RemoteProtocolError):
        device.change(picture_format())


def test_a_picture_that_the_device_refuses_is_told(state, device):
    send(state, device)
    device.done(video.Error.INVALID)
    with pytest.raises((RemoteProtocolError, LocalProtocolError), match="picture"):
        state.check()


def test_a_flush_forgets_packets(state, device):
    send(state, device)
    device.ready(b"unit")
    state.flushed()
    assert not state.packets


def test_planes_that_do_not_fit_are_refused(state, device):
    target = state.picture()
    with pytest.raises(ValueError, match="yuv420p planes of"):
        copy_planes([np.zeros((10, 10), np.uint8)], target)
    shapes = [plane.shape for plane in target.planes]
    with pytest.raises(ValueError, match="planes"):
        copy_planes([np.zeros(shape, np.uint16) for shape in shapes], target)


def test_planes_that_fit_are_copied(state, device):
    target = state.picture()
    copy_planes([np.full(plane.shape, 9, np.uint8) for plane in target.planes], target)
    assert all((plane == 9).all() for plane in target.planes)


def test_nothing_is_held_after_the_end(state, device):
    state.dispose()
    gc.collect()
    assert sorted(device.retired) == [1, 2]


# --- loss -------------------------------------------------------------------------------------------------


@pytest.fixture
def lasting():
    return Encoding(picture_format(buffers_min=2), ctypes.string_at, awaited=Awaited())


def begun(state, *, count=4):
    device = Device(state)
    for number in range(count):
        device.serve(waiting=True)
        picture = state.picture()
        picture.planes[0][...] = number
        state.submit(picture)
    device.serve()
    return device


def lose(state, **form):
    """Another device, which knows nothing; it has memory already."""
    assert state.lose()
    state.reopened(picture_format(buffers_min=2, **form))
    device = Device(state)
    device.serve(waiting=True)
    return device


def shade(device, queued):
    return ctypes.string_at(ctypes.addressof(device._keep[queued.span.buffer - 1]) + queued.span.offset, 1)[0]


def test_what_the_codec_still_had_is_given_again(lasting):
    begun(lasting)
    device = lose(lasting)
    give_again(lasting)
    device.serve()
    assert [(queued.timestamp, shade(device, queued)) for queued in device.inputs] == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert [bool(queued.flags & video.InputFlag.KEY) for queued in device.inputs] == [True, False, False, False]
    assert lasting.lost == 0


def test_what_the_codec_had_taken_is_lost_and_told(lasting):
    before = begun(lasting)
    before.done()
    before.done()
    before.ready(b"unit", timestamp=0)
    device = lose(lasting)
    give_again(lasting)
    device.serve()
    assert [queued.timestamp for queued in device.inputs] == [2, 3]
    device.ready(b"unit", timestamp=2)
    device.ready(b"unit", timestamp=3)
    told = [(packet.timestamp, packet.discontinuity, packet.lost) for packet in lasting.packets]
    assert told == [(0, False, 0), (2, True, 1), (3, False, 0)]
    assert lasting.lost == 1


def test_what_a_lost_device_had_said_of_pictures_that_are_here_no_more(lasting):
    before, inbox = begun(lasting), deque()
    before.done()
    before.done()
    before.event = lambda event: inbox.append((event.OPCODE, event.pack()))
    before.ready(b"zero", timestamp=0)
    before.done()
    before.ready(b"one", timestamp=1)
    before.ready(b"two", timestamp=2)
    before.ready(flags=FLAG.CANCELLED, used=80_000)
    lasting.salvage(inbox)
    assert [packet.data for packet in lasting.packets] == [b"zero", b"one"]
    device = lose(lasting)
    give_again(lasting)
    device.serve()
    assert [queued.timestamp for queued in device.inputs] == [2, 3]
    assert lasting.lost == 0


def test_a_picture_that_was_overtaken_is_lost(lasting):
    begun(lasting).ready(b"unit", timestamp=2)
    device = lose(lasting)
    give_again(lasting)
    device.serve()
    assert [queued.timestamp for queued in device.inputs] == [3]
    assert lasting.lost == 2


def test_what_is_lost_again_is_counted_once(lasting):
    begun(lasting).done()
    lose(lasting)
    device = lose(lasting)
    give_again(lasting)
    device.serve()
    assert [queued.timestamp for queued in device.inputs] == [1, 2, 3]
    device.ready(b"unit", timestamp=1)
    assert (lasting.lost, lasting.packets[0].lost, lasting.recoveries) == (1, 1, 2)


def test_another_device_may_lay_pictures_out_otherwise(lasting):
    begun(lasting, count=1)
    device = lose(lasting, plane_stride=(128, 64, 64, 0), plane_offset=(0, 6144, 7680, 0), size=9216)
    give_again(lasting)
    device.serve()
    (queued,) = device.inputs
    assert (queued.span.length, shade(device, queued)) == (9216, 0)


def test_another_device_may_not_want_pictures_of_another_size(lasting):
    begun(lasting)
    assert lasting.lose()
    with pytest.raises(RemoteProtocolError, match="another format or size"):
        lasting.reopened(picture_format(buffers_min=2, width=32))


def test_a_picture_of_a_lost_device_is_copied(lasting):
    begun(lasting, count=0).serve(waiting=True)
    picture = lasting.picture()
    picture.planes[0][...] = 9
    picture.timestamp, picture.key = 5, True
    assert not lasting.is_stale(picture)
    device = lose(lasting)
    assert lasting.is_stale(picture)
    target = lasting.picture()
    copy_planes(picture, target)
    with pytest.raises(StateError):
        picture.take()
    lasting.submit(target)
    device.serve()
    (queued,) = device.inputs
    assert (queued.timestamp, queued.flags, shade(device, queued)) == (5, video.InputFlag.KEY, 9)


def test_a_picture_that_is_put_away_does_not_come_back_to_another_device(lasting):
    begun(lasting, count=0).serve(waiting=True)
    picture = lasting.picture()
    lose(lasting)
    count = len(lasting.returns)
    del picture
    gc.collect()
    assert len(lasting.returns) == count


def test_a_drain_stands_where_it_stood(lasting):
    begun(lasting, count=2)
    lasting.drain()
    picture = lasting.picture()
    lasting.submit(picture)
    device = lose(lasting)
    lasting.take_posts()
    give_again(lasting)
    posts = [post.opcode for post in lasting.take_posts()]
    names = {video.QueueInput.OPCODE: "picture", video.Drain.OPCODE: "drain", video.QueueOutput.OPCODE: "span"}
    assert [names[each] for each in posts if names[each] != "span"] == ["picture", "picture", "drain", "picture"]
    assert device.inputs == []


def test_a_drain_waits_for_what_is_due(lasting):
    begun(lasting, count=2)
    device = lose(lasting)
    lasting.drain()
    with pytest.raises(StateError):
        lasting.drain()
    give_again(lasting)
    device.serve()
    assert len(device.drains) == 1
    device.event(video.Drained())
    assert lasting.drained
    assert not lasting.behind


def test_a_drain_that_a_fault_was_told_instead_of_is_still_due(lasting):
    begun(lasting, count=2)
    lasting.drain()
    device = lose(lasting)
    lasting._fault = QuotaExceeded("bytes", 1)
    with pytest.raises(QuotaExceeded):
        give_again(lasting)
    give_again(lasting)
    device.serve()
    assert len(device.drains) == 1


def test_what_a_drain_left_out_is_not_lost_later(lasting):
    """A codec may leave pictures out, to keep to its bit rate."""
    device = begun(lasting, count=2)
    lasting.drain()
    device.serve()
    device.event(video.Drained())
    lose(lasting)
    assert lasting.lost == 0
    assert not lasting.behind


def test_a_flush_wants_nothing_again(lasting):
    begun(lasting)
    lose(lasting)
    lasting.forget()
    lasting.flushed()
    assert not lasting.behind


def test_what_came_of_before_a_flush_overtakes_nothing_of_behind_it(lasting):
    """Its times may go back; the last of before may be read between the flush and its end."""
    device = begun(lasting, count=0)
    device.serve(waiting=True)
    send(lasting, device, timestamp=100)
    lasting.forget()
    device.ready(b"unit", timestamp=100)
    lasting.flushed()
    send(lasting, device, timestamp=0)
    lose(lasting)
    assert lasting.behind
    assert lasting.lost == 0


def test_no_more_is_remembered_than_any_codec_looks_ahead(lasting):
    device = begun(lasting, count=0)
    device.serve(waiting=True)
    for number in range(AWAITED_MAX + 5):
        send(lasting, device, timestamp=number)
        device.done()
    lose(lasting)
    assert lasting.lost == AWAITED_MAX


def test_without_the_wish_it_ends(state):
    begun(state)
    assert not state.lose()
