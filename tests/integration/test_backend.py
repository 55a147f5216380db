# SPDX-License-Identifier: Apache-2.0
"""The backend as its users meet it: who is served, with what, how far, and how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from paracore import StateError, TransportBroken, TransportError
from paracore.classes import core, link, video
from paracore.testing import HostileDomain
from paracore.transport import CallRefused, Refused
from tests.integration.backends import (
    BETA,
    PATIENCE,
    STRANGER,
    WRITABLE,
    Guest,
    Stream,
    alive,
    limits_of,
    needs_root,
    wait_until,
)


def refusal(step):
    with pytest.raises(CallRefused) as caught:
        step()
    return caught.value.failure


def call(channel, request, of=0):
    return channel.call(request.OPCODE, of, request.pack())


OPEN = video.Open(0, video.Codec.VP9, video.Direction.DECODE, video.OpenFlag(0))


def test_a_domain_is_known_and_served(steady):
    with steady.connect() as channel:
        assert channel.domain == "alpha"
        device = core.DeviceQueryReply.unpack(call(channel, core.DeviceQuery(0)))
        assert (device.name, device.driver, device.device_class) == ("vpu0", "null", core.DeviceClass.VIDEO)
        assert refusal(lambda: call(channel, core.DeviceQuery(1))).error is video.Error.NO_ENTRY
        can = video.CapabilityQueryReply.unpack(call(channel, video.CapabilityQuery(0, 0)))
        assert can.codec in video.Codec
        past = video.CapabilityQuery(0, device.capability_count)
        assert refusal(lambda: call(channel, past)).error is video.Error.NO_ENTRY


def test_pictures_come_through(steady):
    with steady.connect() as channel:
        stream = Stream(channel)
        stream.play(300)
        stream.close()


def test_sessions_of_one_channel_are_apart(steady):
    with steady.connect() as channel:
        one, other = Stream(channel), Stream(channel)
        one.feed(7)
        assert one.wait_picture() == 7
        call(channel, video.Close(), other.session)
        assert refusal(lambda: call(channel, video.FormatGet(), other.session)).error is video.Error.NO_ENTRY
        one.play(3, start=8)


@needs_root
def test_domains_are_told_apart_by_user(steady):
    def look(_):
        with steady.connect() as channel:
            return channel.domain

    assert Guest(BETA, look).result() == "beta"
    with steady.connect() as channel:
        assert channel.domain == "alpha"
        assert Guest(BETA, look).result() == "beta"
        assert steady.worker("alpha") != steady.worker("beta")


@needs_root
def test_a_stranger_is_refused(backend):
    def knock(_):
        try:
            with backend.connect():
                return "served"
        except Refused as refused:
            return refused.reason.name

    assert Guest(STRANGER, knock).result() == "UNKNOWN_PEER"
    assert backend.statistics()["refused"] == 1
    assert "unknown_peer" in backend.log.read_text()


@needs_root
def test_the_status_is_for_the_administrator(steady):
    def ask(_):
        asker = HostileDomain(steady.transport, steady.address)
        asker.hello()
        return link.Failure.unpack(asker.link_call(link.Status.OPCODE, b"")[0]).error.name

    assert Guest(BETA, ask).result() == "PERMISSION"


def test_no_version_in_common(steady):
    asker = HostileDomain(steady.transport, steady.address)
    with pytest.raises(TransportBroken):
        asker.hello(2, 9)
    assert asker.wait_end() is link.Refusal.VERSION
    asker.close()


# --- limits -------------------------------------------------------------------------------------------


def test_limits_are_told(make_backend):
    backend = make_backend(limits="channels = 3\nsessions = 4\nbuffers = 5\nbytes = 8192\noutstanding = 7")
    with backend.connect() as channel:
        assert limits_of(channel) == core.LimitsQueryReply(3, 4, 5, 7, 8192)


def test_channels_beyond_the_limit(make_backend):
    backend = make_backend(limits="channels = 2")
    with backend.connect(), backend.connect():
        assert refusal(lambda: backend.connect().__enter__()).error is video.Error.NO_SPACE
    wait_until(lambda: not backend.domain()["held"]["channels"], "channels are given back")
    with backend.connect():
        pass


def test_sessions_beyond_the_limit(make_backend):
    backend = make_backend(limits="sessions = 2")
    with backend.connect() as one, backend.connect() as other:
        first = video.OpenReply.unpack(call(one, OPEN)).session
        call(other, OPEN)
        assert refusal(lambda: call(other, OPEN)) == (video.Error.NO_SPACE, video.Limit.SESSIONS, 2)
        call(one, video.Close(), first)
        call(other, OPEN)


def test_buffers_beyond_the_limit(make_backend):
    backend = make_backend(limits="buffers = 2")
    with backend.connect() as channel:
        kept = [channel.buffer(4096, WRITABLE) for _ in range(2)]
        assert refusal(lambda: channel.buffer(4096, WRITABLE)).error is video.Error.NO_SPACE
        kept.pop().close()
        channel.buffer(4096, WRITABLE)


def test_bytes_beyond_the_limit(make_backend):
    backend = make_backend(limits="bytes = 65536")
    with backend.connect() as channel:
        kept = channel.buffer(65536, WRITABLE)
        assert refusal(lambda: channel.buffer(4096, WRITABLE)).error is video.Error.NO_SPACE
        kept.close()
        channel.buffer(4096, WRITABLE)


def test_outstanding_beyond_the_limit(make_backend):
    backend = make_backend(limits="outstanding = 3")
    with backend.connect() as channel:
        stream = Stream(channel, pages=3)
        stream.post(video.QueueOutput(video.Span(stream.outputs.id, 4096, 0), 99))
        channel.flush()
        failed = core.PostFailed.unpack(channel.next_event(PATIENCE).payload)
        assert (failed.opcode, failed.error, failed.limit) == (
            video.QueueOutput.OPCODE,
            video.Error.NO_SPACE,
            video.Limit.OUTSTANDING,
        )
        call(channel, video.Close(), stream.session)
        Stream(channel, pages=3)


def test_a_limit_names_itself(make_backend):
    backend = make_backend(limits="buffers = 1")
    domain = HostileDomain(backend.transport, backend.address)
    domain.open()
    domain.grant(4096)
    reply, _ = domain.link_call(link.Grant.OPCODE, link.Grant(4096, WRITABLE).pack())
    assert link.Failure.unpack(reply) == (link.Error.NO_SPACE, link.Limit.BUFFERS, 1)
    domain.close()


def test_devices_of_a_domain(make_backend):
    backend = make_backend()
    backend.stop()
    text = backend.file.read_text().replace('name = "alpha"', 'name = "alpha"\ndevices = ["vpu1"]')
    backend.file.write_text(text + '\n[[device]]\nname = "vpu1"\ndriver = "null"\n')
    backend.start()
    with backend.connect() as channel:
        assert core.DeviceQueryReply.unpack(call(channel, core.DeviceQuery(0))).name == "vpu1"
        assert refusal(lambda: call(channel, core.DeviceQuery(1))).error is video.Error.NO_ENTRY


# --- buffers and spans --------------------------------------------------------------------------------


def queue_failure(channel, session, request):
    channel.post(request.OPCODE, session, request.pack())
    channel.flush()
    event = channel.next_event(PATIENCE)
    assert event.opcode == core.PostFailed.OPCODE
    return core.PostFailed.unpack(event.payload).error


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 4097), (4096, 1), (2**64 - 1, 1), (2**64 - 4096, 4096), (1, 4096), (2**32, 8)],
)
def test_a_span_stays_in_its_buffer(steady, offset, length):
    with steady.connect() as channel:
        buffer = channel.buffer(4096, WRITABLE)
        session = video.OpenReply.unpack(call(channel, OPEN)).session
        lent = video.QueueOutput(video.Span(buffer.id, length, offset), 1)
        assert queue_failure(channel, session, lent) is video.Error.INVALID


def test_outputs_are_not_written_into_read_only_buffers(steady):
    with steady.connect() as channel:
        buffer = channel.buffer(4096, link.BufferFlag.READ_ONLY)
        session = video.OpenReply.unpack(call(channel, OPEN)).session
        lent = video.QueueOutput(video.Span(buffer.id, 4096, 0), 1)
        assert queue_failure(channel, session, lent) is video.Error.INVALID


def test_a_lent_buffer_is_not_detached(steady):
    with steady.connect() as channel:
        stream = Stream(channel, pages=1)
        with pytest.raises(StateError):
            stream.outputs.close()
        stream.close()


def test_buffers_are_of_one_channel(steady):
    with steady.connect() as one, steady.connect() as other:
        buffer = one.buffer(4096, WRITABLE)
        detach = core.BufferDetach(buffer.id)
        assert refusal(lambda: call(other, detach)).error is video.Error.NO_ENTRY
        attach = core.BufferAttach(buffer.grant, WRITABLE, 4096)
        assert refusal(lambda: call(other, attach)).error is video.Error.NO_ENTRY


def test_a_cookie_is_lent_once(steady):
    with steady.connect() as channel:
        stream = Stream(channel, pages=2)
        span = video.Span(stream.outputs.id, 4096, 4096)
        assert queue_failure(channel, stream.session, video.QueueOutput(span, 0)) is video.Error.BUSY


# --- beginning and end --------------------------------------------------------------------------------


def test_it_ends_with_a_goodbye(backend):
    pids = backend.processes()
    with backend.connect() as channel:
        limits_of(channel)
        pids = backend.processes()
        assert len(pids) == 3
        assert backend.stop() == 0
        with pytest.raises(TransportBroken):
            channel.next_event(PATIENCE)
        assert channel.goodbye() is link.Refusal.SHUTDOWN
    wait_until(lambda: not any(map(alive, pids)), "all processes end")
    assert not Path(backend.address).exists()


def test_one_socket_has_one_backend(backend):
    command = [sys.executable, "-c", "import sys; from paracore.backend import *; serve(config_load(sys.argv[1]))"]
    other = subprocess.run([*command, str(backend.file)], capture_output=True, text=True, timeout=30, check=False)
    assert other.returncode
    assert "served by another backend" in other.stderr
    with backend.connect():
        pass


def test_a_file_in_the_way_stays(backend):
    backend.stop()
    Path(backend.address).write_text("precious")
    with pytest.raises(AssertionError):
        backend.start()
    assert "not a socket" in backend.log.read_text() or "File exists" in backend.log.read_text()
    assert Path(backend.address).read_text() == "precious"
    Path(backend.address).unlink()
    backend.process.wait()
    backend.process.stdout.close()
    backend.process = None


def test_an_unknown_driver_is_told(make_backend):
    backend = make_backend(driver="nothing")
    assert backend.process.wait(PATIENCE) == 1
    assert "ConfigError: device.vpu0.driver: the driver nothing cannot be loaded" in backend.log.read_text()


def test_an_idle_worker_is_dismissed(make_backend):
    backend = make_backend(linger=0.1)
    with backend.connect() as channel:
        limits_of(channel)
        worker = backend.worker()
    wait_until(lambda: not alive(worker), "the worker ends")
    wait_until(lambda: backend.statistics()["workers"] == 0, "and is counted")
    with backend.connect() as channel:
        limits_of(channel)
        assert backend.statistics()["workers_lost"] == 0


def test_a_worker_is_kept_for_the_next_channel(backend):
    with backend.connect() as channel:
        limits_of(channel)
        worker = backend.worker()
    with backend.connect() as channel:
        limits_of(channel)
        assert backend.worker() == worker


def test_the_status_tells_all(backend):
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(5)
        status = backend.status()
    assert status["devices"][0]["name"] == "vpu0"
    assert {"codec": "h264", "direction": "decode"}.items() <= status["devices"][0]["codecs"][0].items()
    domain = status["domains"][0]
    assert (domain["name"], domain["held"]["channels"], domain["held"]["buffers"]) == ("alpha", 1, 2)
    assert domain["held"]["bytes"] == 4096 * 17
    report = domain["worker"]["report"]
    (session,) = report["channels"][0]["sessions"]
    assert (session["codec"], session["state"], session["outputs_ready"]) == ("h264", "running", 5)
    assert report["counts"]["copies"] == 0
    assert status["sandbox"]["seccomp"]


def test_nobody_serves(tmp_path, steady):
    with pytest.raises(TransportError, match="no backend"):
        steady.transport.connect(str(tmp_path / "nothing"))
