# SPDX-License-Identifier: Apache-2.0
import gc

import numpy as np
import pytest

from paracore import DriverError, Packet, QuotaExceeded, RemoteProtocolError, StateError
from paracore.classes import video
from paracore.frontend._decoding import HEADROOM, Decoding
from paracore.frontend._history import History
from paracore.frontend._intake import BATCH, INPUT_DEPTH
from paracore.frontend._session import FRUITLESS_MAX
from tests.unit.frontend.device import LUMA, Device, picture_format

FLAG = video.OutputFlag


@pytest.fixture
def state():
    return Decoding()


@pytest.fixture
def device(state):
    return Device(state)


@pytest.fixture
def running(device):
    """A device that has met a format and was given spans for it."""
    device.change(picture_format())
    device.serve()
    return device


def submit(state, device, packet=Packet(b"unit", 7, 2)):  # noqa: B008 - immutable
    while (region := state.reserve(len(packet.data))) is None:
        request = state.arena_request(len(packet.data))
        request.answer(lambda request=request: device.grant(request.length))
    state.submit(region, packet)


def take(state):
    return state.pictures.popleft()


def hold_all(state, device):
    """Takes all pictures that the device can make; they stay in hand."""
    while device.outputs:
        device.ready()
    return [take(state) for _ in range(len(state.pictures))]


# --- inputs ---------------------------------------------------------------------------------------------


def test_an_access_unit_is_queued_with_its_time(state, device):
    submit(state, device)
    device.serve()
    (queued,) = device.inputs
    assert (queued.timestamp, queued.duration, queued.span.length, queued.flags) == (7, 2, 4, 0)


def test_no_timestamp_is_the_least_number(state, device):
    submit(state, device, Packet(b"unit"))
    device.serve()
    assert device.inputs[0].timestamp == -(1 << 63)


def test_it_is_full_until_a_batch_has_come_back(state, device):
    for _ in range(INPUT_DEPTH):
        assert not state._intake.full(state.busy)
        submit(state, device)
    device.serve()
    for _ in range(BATCH):
        assert state._intake.full(state.busy)
        assert state.reserve(1) is None
        device.done()
    assert not state._intake.full(state.busy)


def test_a_large_access_unit_gets_a_larger_arena(state, device):
    submit(state, device)
    first = state.reserve(1).memory
    submit(state, device, Packet(bytes(8 << 20)))
    assert state.reserve(1).memory is not first
    device.serve()
    device.done()
    device.done()
    assert state.busy == 0


def test_what_the_codec_refuses_is_counted(state, device):
    submit(state, device)
    device.serve()
    device.done(video.Error.INVALID)
    assert state.refused == 1


def test_an_input_that_was_not_given_is_the_peers_fault(device):
    with pytest.raises(RemoteProtocolError, match="was not given"):
        device.event(video.InputDone(99, 0))


# --- spans and pictures -----------------------------------------------------------------------------------


def test_a_new_format_gets_its_spans_at_once(running):
    assert len(running.outputs) == 3 + HEADROOM
    assert {output.span.length for output in running.outputs} == {LUMA * 3 // 2}
    assert all(output.span.offset % 64 == 0 for output in running.outputs)


def test_a_picture_shows_what_was_written(state, running):
    running.ready(bytes(range(64)) * 48, timestamp=9)
    picture = take(state)
    luma, *chroma = picture.planes
    assert luma.shape == (48, 64)
    assert [plane.shape for plane in chroma] == [(24, 32), (24, 32)]
    assert (luma[17] == np.arange(64)).all()
    assert (picture.timestamp, picture.duration, picture.pixel_format) == (9, 1, "yuv420p")


def test_views_are_read_only(state, running):
    running.ready()
    plane = take(state).planes[0]
    with pytest.raises(ValueError, match="read-only"):
        plane[0, 0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        plane.flags.writeable = True


def test_a_released_picture_has_no_planes(state, running):
    running.ready()
    picture = take(state)
    picture.release()
    picture.release()
    with pytest.raises(StateError, match="released"):
        _ = picture.planes


def test_a_span_comes_back_when_the_last_view_has_gone(state, running):
    running.ready()
    picture = take(state)
    row = picture.planes[0][3, 5:9]
    picture.release()
    del picture
    assert not state.returns
    del row
    assert len(state.returns) == 1


def test_spans_are_lent_again_in_batches(state, running):
    for _ in range(BATCH - 1):
        running.ready()
        take(state)
    running.serve()
    assert len(state.returns) == BATCH - 1
    running.ready()
    take(state)
    running.serve()
    assert not state.returns
    assert len(running.outputs) == 3 + HEADROOM


def test_the_last_spans_are_lent_again_at_once(state, running):
    kept = []
    for _ in range(HEADROOM - 1):
        running.ready()
        kept.append(take(state))
    running.serve()
    assert len(running.outputs) == 4
    kept.pop().release()
    running.serve()
    assert len(running.outputs) == 5


def test_hoarding_makes_more_spans(state, running):
    kept = []
    for _ in range(50):
        running.ready()
        kept.append(take(state))
        running.serve(waiting=True)
        assert len(running.outputs) >= 3
    assert len({id(picture.planes[0].base) for picture in kept}) == 50


def test_hoarding_beyond_a_limit_is_told():
    state = Decoding()
    device = Device(state, octets=70_000)
    device.change(picture_format())
    device.serve()
    kept = []
    while device.outputs:
        device.ready()
        kept.append(take(state))
        device.serve(waiting=True)
        if state.starvation:
            break
    with pytest.raises(QuotaExceeded, match="70000 on bytes"):
        state.starve()
    kept.clear()
    device.serve(waiting=True)
    assert state.starvation is None
    assert len(device.outputs) >= 3


def test_what_came_back_meanwhile_ends_the_starvation():
    state = Decoding()
    device = Device(state, octets=70_000)
    device.change(picture_format())
    device.serve()
    kept = []
    while not state.starvation:
        device.ready()
        kept.append(take(state))
        device.serve(waiting=True)
    kept.clear()
    state.starve()


def test_too_little_for_a_format_is_told(state):
    device = Device(state, octets=1000)
    device.change(picture_format())
    request = state.memory_request(waiting=False)
    while request is not None:
        request.answer(lambda request=request: device.grant(request.length))
        request = state.memory_request(waiting=False)
    with pytest.raises(QuotaExceeded, match="bytes"):
        state.check()


def test_the_limit_on_outstanding_spans_is_kept():
    state = Decoding(40)
    device = Device(state)
    device.change(picture_format(buffers_min=26))
    device.serve()
    assert len(device.outputs) == 26


def test_a_limit_on_outstanding_spans_below_the_devices_need_is_told():
    state = Decoding(40)
    device = Device(state)
    device.change(picture_format(buffers_min=35))
    device.serve()
    assert not device.outputs
    with pytest.raises(QuotaExceeded, match="40 on outstanding"):
        state.check()


def test_pictures_that_nobody_takes_block(state, running):
    assert not state.blocked
    for _ in range(HEADROOM + 1):
        running.ready()
    running.serve(waiting=True)
    assert state.blocked
    assert len(running.granted) == 1, "pictures that wait are no reason for more spans"


def test_an_output_that_was_not_lent_is_the_peers_fault(running):
    fields = (0, 0, 0, 1, 0, video.PictureType.INTRA, 0, 0, 64, 48)
    with pytest.raises(RemoteProtocolError, match="was not given"):
        running.event(video.OutputReady(999, FLAG(0), *fields))


def test_a_picture_of_an_unknown_format_is_the_peers_fault(running):
    with pytest.raises(RemoteProtocolError, match="generation 5"):
        running.ready(generation=5)


def test_a_picture_outside_of_its_frame_is_the_peers_fault(state, running):
    running.ready(width=65)
    with pytest.raises(RemoteProtocolError, match="visible part"):
        _ = take(state).planes


@pytest.mark.parametrize("flags", [FLAG.CANCELLED, FLAG.EMPTY | FLAG.LAST])
def test_spans_without_a_picture_are_no_pictures(state, running, flags):
    running.ready(flags=flags)
    assert not state.pictures
    assert len(state.returns) == 1


def test_flags_of_a_picture(state, running):
    running.ready(flags=FLAG.KEY | FLAG.ERROR | FLAG.INTERLACED | FLAG.TOP_FIRST)
    picture = take(state)
    assert picture.key
    assert picture.damaged
    assert picture.interlaced
    assert picture.top_field_first
    assert picture.picture_type == "intra"
    assert picture.color.chroma_location == 1
    assert str(picture.format.aspect) == "4/3"


def test_what_shall_not_be_shown_is_not(state, running):
    submit(state, running, Packet(b"unit", 5, discard=True))
    running.serve()
    running.ready(timestamp=5)
    assert not state.pictures
    running.ready(timestamp=6)
    assert len(state.pictures) == 1


# --- a new format -----------------------------------------------------------------------------------------


def test_a_new_format_brings_a_new_series(state, running):
    kept_view = None
    running.ready(b"old")
    kept_view = take(state).planes[0]
    running.change(picture_format(width=128, height=96), generation=2)
    running.serve()
    while running.outputs[0].span.length < LUMA:
        running.ready()
    old = [output for output in running.outputs if output.span.length == LUMA * 3 // 2]
    for _ in old:
        running.ready(flags=FLAG.CANCELLED)
    running.serve(waiting=True)
    gc.collect()
    assert {output.span.length for output in running.outputs} == {128 * 96 * 3 // 2}
    assert running.retired == []
    assert bytes(kept_view[0, :3]) == b"old"
    state.pictures.clear()
    del kept_view
    running.serve(waiting=True)
    for _ in range(BATCH):  # flushes the returns
        running.ready(generation=2, width=128, height=96)
        take(state)
    running.serve(waiting=True)
    assert running.retired == [1]


@pytest.mark.parametrize(
    ("changes", "form"),
    [
        (video.ChangeFlag.BUFFERS, picture_format(width=128, height=96)),
        (video.ChangeFlag.COUNT, picture_format(buffers_min=20)),
    ],
)
def test_a_format_that_comes_while_memory_is_granted(state, running, changes, form):
    held = hold_all(state, running)
    request = state.memory_request(waiting=True)
    running.change(form, generation=2, changes=changes)
    request.answer(lambda: running.grant(request.length))
    running.serve()
    assert {output.span.length for output in running.outputs} == {form.size}
    held_of_it = len(held) if changes == video.ChangeFlag.COUNT else 0
    assert len(running.outputs) + held_of_it == form.buffers_min + HEADROOM
    for output in running.outputs:
        assert output.span.offset + output.span.length <= running.granted[output.span.buffer - 1]


def test_a_format_that_comes_while_memory_is_refused(state, running):
    held = hold_all(state, running)
    request = state.memory_request(waiting=True)
    running.change(picture_format(width=32), generation=2)
    request.refuse(QuotaExceeded("bytes", 1))
    running.serve()
    assert state.starvation is None
    assert len(running.outputs) == len(held) == 3 + HEADROOM


def test_a_change_of_colour_needs_no_spans(state, running):
    running.change(picture_format(color_range=2), generation=2, changes=video.ChangeFlag.COLOR)
    running.serve()
    assert len(running.granted) == 1
    running.ready(generation=2)
    assert take(state).color.range == 2


def test_more_spans_when_the_count_changes(running):
    running.change(picture_format(buffers_min=9), generation=2, changes=video.ChangeFlag.COUNT)
    running.serve()
    assert len(running.outputs) == 9 + HEADROOM


@pytest.mark.parametrize(
    "changes",
    [
        {"plane_count": 2},
        {"plane_offset": (0, 64 * 48, 64 * 60 + 1, 0)},
        {"plane_stride": (63, 32, 32, 0)},
        {"plane_stride": (64, 32, 1 << 31, 0)},
        {"width": 65},
        {"width": 0},
        {"crop_top": 1},
        {"pixel_format": video.PixelFormat.NONE},
        {"pixel_format": video.PixelFormat.YUV420P10LE},
        {"size": 100},
    ],
)
def test_an_impossible_format_is_the_peers_fault(device, changes):
    with pytest.raises(RemoteProtocolError):
        device.change(picture_format(**changes))


# --- order, ends and failures -----------------------------------------------------------------------------


def test_a_drain_is_complete_when_the_backend_says_so(state, running):
    state.drain()
    running.serve()
    assert len(running.drains) == 1
    assert not state.drained
    running.event(video.Drained())
    assert state.drained
    submit(state, running)
    assert not state.drained


def test_only_one_drain_at_a_time(state, running):
    state.drain()
    with pytest.raises(StateError, match="draining"):
        state.drain()


def test_a_drain_that_nobody_asked_for_is_the_peers_fault(running):
    with pytest.raises(RemoteProtocolError):
        running.event(video.Drained())


def test_a_flush_forgets_pictures(state, running):
    running.ready()
    state.drain()
    state.flushed()
    assert not state.pictures
    assert len(state.returns) == 1
    state.drain()


def test_a_failed_session_stays_failed(state, running):
    running.event(video.SessionFailed(video.Error.IO, video.Limit.NONE, 0))
    for _ in range(2):
        with pytest.raises(DriverError, match="the device failed"):
            state.check()


def test_a_failed_post_gives_its_span_back(state, running):
    lent = len(state._lent)
    running.fail(1, video.Error.NO_SPACE, video.Limit.OUTSTANDING)
    assert len(state._lent) == lent - 1
    with pytest.raises(QuotaExceeded, match="outstanding"):
        state.check()
    state.check()


def test_a_failed_input_is_free_again(state, running):
    submit(state, running)
    running.serve()
    running.fail(running.serial, opcode=video.QueueInput.OPCODE)
    assert state.busy == 0
    with pytest.raises(StateError):
        state.check()


def test_a_failed_drain_is_told(state, running):
    state.drain()
    running.serve()
    running.fail(running.drains[0], opcode=video.Drain.OPCODE)
    with pytest.raises(StateError):
        state.check()


def test_a_failed_post_of_another_session_is_not_ours(state, running):
    running.fail(12345)
    state.check()


def test_unknown_events_are_the_peers_fault(state):
    with pytest.raises(RemoteProtocolError, match="unknown opcode"):
        state.receive(0x01FF, b"")


def test_nothing_is_held_after_the_end(state, running):
    submit(state, running)
    running.ready(b"kept")
    view = take(state).planes[0]
    state.dispose()
    with pytest.raises(StateError, match="closed"):
        state.check()
    gc.collect()
    assert sorted(running.retired) == [2], "the arena goes, the pictures' memory stays"
    assert bytes(view[0, :4]) == b"kept"
    del view
    state.returns.clear()
    assert sorted(running.retired) == [1, 2]


# --- a backend that wants too much -----------------------------------------------------------------------------


def test_a_format_that_asks_for_spans_without_end(device):
    with pytest.raises(RemoteProtocolError):
        device.change(picture_format(buffers_min=1 << 20))


def test_formats_without_end(device, state):
    """A backend that keeps all spans and names ever new formats: there is an end to what it is given."""
    with pytest.raises(QuotaExceeded):  # noqa: PT012
        for generation in range(1, 1000):
            device.change(picture_format(buffers_min=1000), generation)
            device.serve()
            state.check()


# --- loss -------------------------------------------------------------------------------------------------


@pytest.fixture
def lasting():
    return Decoding(history=History("vp9"))


def lose(state):
    """Another device, which knows nothing."""
    assert state.lose()
    state.reopened(None)
    return Device(state)


def give_again(state, device):
    """What a session's skin does when its device is behind."""
    while (octets := state.octets_due()) is not None:
        while (region := state.reserve(len(octets))) is None:
            request = state.arena_request(len(octets))
            request.answer(lambda request=request: device.grant(request.length))
        region.fill(octets)
        state.submit_again(region)
    device.serve()


def begun(state, timestamps=(70, 50, 60)):
    device = Device(state)
    for timestamp in timestamps:
        submit(state, device, Packet(b"unit", timestamp, 2))
    device.change(picture_format())
    device.serve()
    return device


def test_units_are_numbered_and_pictures_have_the_users_time(lasting):
    device = begun(lasting)
    assert [each.timestamp for each in device.inputs] == [0, 1, 2]
    device.ready(timestamp=1)
    assert take(lasting).timestamp == 50


def test_another_device_is_given_all_and_its_pictures_come_once(lasting):
    begun(lasting).ready(timestamp=1)
    held = take(lasting)
    device = lose(lasting)
    assert lasting.behind
    give_again(lasting, device)
    assert not lasting.behind
    assert [each.timestamp for each in device.inputs] == [0, 1, 2]
    device.change(picture_format())
    device.serve()
    for number in (1, 2, 0):
        device.ready(timestamp=number)
    assert [take(lasting).timestamp for _ in range(2)] == [60, 70]
    assert lasting.recoveries == 1
    assert held.timestamp == 50


def test_what_the_user_holds_is_lent_to_no_other_device(lasting):
    begun(lasting).ready(timestamp=1)
    held = take(lasting)
    before = len(lasting.returns)
    device = lose(lasting)
    held.release()
    assert len(lasting.returns) == before == 0
    device.change(picture_format())
    device.serve()
    assert len(device.outputs) == 3 + HEADROOM


def test_the_format_is_known_all_the_while(lasting):
    begun(lasting)
    device = lose(lasting)
    assert lasting.seen == picture_format()
    assert lasting.form is None
    assert not lasting.blocked
    device.change(picture_format(width=32))
    assert lasting.seen.width == 32


def test_a_refused_unit_counts_once(lasting):
    begun(lasting).done(video.Error.INVALID)
    device = lose(lasting)
    give_again(lasting, device)
    device.done(video.Error.INVALID)
    assert lasting.refused == 1


def test_a_drain_waits_for_what_is_due(lasting):
    begun(lasting)
    device = lose(lasting)
    lasting.drain()
    with pytest.raises(StateError):
        lasting.drain()
    device.serve()
    assert device.drains == []
    give_again(lasting, device)
    assert len(device.drains) == 1
    assert not lasting.drained
    device.event(video.Drained())
    assert lasting.drained


def test_a_drain_under_way_is_asked_for_again(lasting):
    begun(lasting)
    lasting.drain()
    device = lose(lasting)
    give_again(lasting, device)
    assert len(device.drains) == 1


def test_a_drain_that_a_fault_was_told_instead_of_is_still_due(lasting):
    begun(lasting)
    lasting.drain()
    device = lose(lasting)
    lasting._fault = QuotaExceeded("bytes", 1)
    with pytest.raises(QuotaExceeded):
        give_again(lasting, device)
    give_again(lasting, device)
    assert len(device.drains) == 1


def test_nothing_is_due_after_a_flush(lasting):
    begun(lasting)
    device = lose(lasting)
    lasting.forget()
    lasting.flushed()
    assert not lasting.behind
    submit(lasting, device, Packet(b"unit", 5))
    device.serve()
    assert [each.timestamp for each in device.inputs] == [3]


def test_losses_that_bring_nothing_come_to_an_end(lasting):
    begun(lasting)
    for _ in range(FRUITLESS_MAX):
        lose(lasting)
    assert not lasting.lose()


def test_a_picture_is_hope(lasting):
    device = begun(lasting)
    for number in range(5):
        device.change(picture_format())
        device.serve()
        if number < 3:
            for again in range(number):
                device.ready(timestamp=again)
            device.ready(timestamp=number)
        device = lose(lasting)
        give_again(lasting, device)
    assert lasting.recoveries == 5


@pytest.mark.parametrize("history", [None, History("vp9", octets_max=3)])
def test_no_other_device_is_wanted_when_the_stream_is_not_here(history):
    state = Decoding(history=history)
    begun(state)
    assert not state.lose()


def test_no_other_device_is_wanted_for_a_session_that_failed(lasting):
    begun(lasting).event(video.SessionFailed(video.Error.IO, video.Limit.NONE, 0))
    assert not lasting.lose()
