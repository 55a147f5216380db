# SPDX-License-Identifier: Apache-2.0
"""A backend that was taken over, as an application meets it: the worst is the end of what it uses of that backend."""

import time
from types import SimpleNamespace

import pytest

import paracore
from paracore import RemoteProtocolError
from paracore.classes import core, video
from paracore.frontend import _channel
from paracore.frontend._channel import Channel
from tests.integration.native.fake_backend import FakeBackend, device_query, reply


def device(connection, header, _payload):
    """One more device, always of the same name."""
    told = core.DeviceQueryReply("vpu0", "fake", core.DeviceClass.VIDEO, 1)
    connection.send(reply(header, told.pack()))


def endless_devices(connection, header, payload):
    name = f"vpu{core.DeviceQuery.unpack(payload).index}"
    told = core.DeviceQueryReply(name, "fake", core.DeviceClass.VIDEO, 1)
    connection.send(reply(header, told.pack()))


def one_device(capabilities):
    def answer(connection, header, payload):
        if core.DeviceQuery.unpack(payload).index:
            device_query(connection, header, payload)
        else:
            told = core.DeviceQueryReply("vpu0", "fake", core.DeviceClass.VIDEO, capabilities)
            connection.send(reply(header, told.pack()))

    return answer


def capability(connection, header, _payload):
    able = video.CapabilityQueryReply(
        video.Codec.H264, video.Direction.DECODE, video.CapabilityFlag(0), 64, 64, 1 << 1, 0
    )
    connection.send(reply(header, able.pack()))


def session(number):
    def opened(connection, header, _payload):
        connection.send(reply(header, video.OpenReply(number).pack()))

    return opened


def close(connection, header, _payload):
    connection.send(reply(header))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("answer", [device, endless_devices])
def test_devices_without_end(tmp_path, answer):
    with (
        FakeBackend(tmp_path, core_device_query=answer) as backend,
        pytest.raises(RemoteProtocolError),
        paracore.open(backend.address) as domain,
    ):
        _ = domain.devices


@pytest.mark.timeout(20)
def test_capabilities_without_end(tmp_path):
    answers = {"core_device_query": one_device(0xFFFFFFFF), "video_capability_query": capability}
    with (
        FakeBackend(tmp_path, **answers) as backend,
        pytest.raises(RemoteProtocolError),
        paracore.open(backend.address) as domain,
    ):
        _ = domain.devices["vpu0"].capabilities


@pytest.mark.parametrize("number", [0, 7])
def test_a_session_named_as_no_session_or_as_another_one(tmp_path, number):
    numbers = [7, number]

    def opened(connection, header, payload):
        session(numbers.pop(0))(connection, header, payload)

    answers = {"core_device_query": one_device(1), "video_open": opened, "video_close": close}
    with FakeBackend(tmp_path, **answers) as backend, paracore.open(backend.address) as domain:
        vpu = domain.devices["vpu0"]
        with vpu.decoder("h264"), pytest.raises(RemoteProtocolError):
            vpu.decoder("h264")


# --- floods of events ---------------------------------------------------------------------------------------


@pytest.fixture
def flooded(tmp_path, monkeypatch):
    """A channel whose next event is always there already; all are for one session."""

    def flooded(number):
        def next_event(_handle, event, _wait_ns):
            event.header.size = _channel._HEADER_SIZE
            event.header.opcode = video.Drained.OPCODE
            event.header.object = number
            return 1

        real = _channel.lib
        names = ("paracore_open", "paracore_domain", "paracore_close", "paracore_goodbye")
        kept = {name: getattr(real, name) for name in names}
        monkeypatch.setattr(_channel, "lib", SimpleNamespace(**kept, paracore_next_event=next_event))
        return Channel(backend.address)

    with FakeBackend(tmp_path) as backend:
        yield flooded
        monkeypatch.undo()


@pytest.mark.timeout(20)
def test_events_that_nobody_paid_for(flooded):
    """A session that does not look keeps a bounded number of them."""
    channel = flooded(7)
    mine, other = channel.line(8), channel.line(7)
    with pytest.raises(RemoteProtocolError):
        mine.wait(time.monotonic() + 10)
    assert len(other.inbox) <= _channel.INBOX_MAX
    channel.close_session = lambda _: None
    channel.close()


@pytest.mark.timeout(20)
def test_events_for_nobody_keep_nobody(flooded):
    channel = flooded(9)
    since = time.monotonic()
    assert not channel.line(8).wait(since + 0.2)
    assert time.monotonic() - since < 2.0
    channel.close_session = lambda _: None
    channel.close()
