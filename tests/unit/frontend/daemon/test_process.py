# SPDX-License-Identifier: Apache-2.0
"""One process of the guest and its backend, on a fake hypervisor."""

import asyncio
import errno
import mmap
import os
from contextlib import suppress
from functools import wraps

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paracore import QuotaExceeded, TransportBroken
from paracore.classes import bridge, link
from paracore.protocol import FAILURE, MAGIC, PAGE_SIZE, PROTOCOL_VERSION, REPLY, REQUEST, mapping_size, message
from paracore.transport import Refused
from paracore.transport.xen import read_directory
from tests.unit.frontend.daemon.guest import GUEST, HELLO, PATIENCE, WRITABLE, Guest, fake_page, until


def with_guest(test=None, **options):
    """Runs a test with a guest, which must hold nothing when all its processes have gone."""
    if test is None:
        return lambda test: with_guest(test, **options)

    @wraps(test)
    def run():
        async def inside():
            guest = Guest(**options)
            try:
                await test(guest)
                await guest.finished()
                assert guest.held() == (0, 0)
                assert (guest.quota.channels, guest.quota.buffers, guest.quota.bytes) == (0, 0, 0)
            finally:
                guest.close()

        asyncio.run(inside())

    del run.__wrapped__  # its argument is no fixture
    return run


@with_guest
async def test_a_hello_is_passed_on(guest):
    program = guest.process()
    flags, payload, _ = await program.call(HELLO)
    assert flags == REPLY
    assert link.HelloReply.unpack(payload) == (PROTOCOL_VERSION, "guest")
    assert guest.backend.heard == [(1, bridge.Connect(PROTOCOL_VERSION, PROTOCOL_VERSION, 4711, 1000))]
    program.close()


@with_guest
async def test_a_channel_is_allocated_here_and_named_there(guest):
    program, (flags, payload, descriptors) = await guest.open()
    assert flags == REPLY
    assert link.ChannelOpenReply.unpack(payload) == (17, 2, 0)
    (said,) = guest.backend.told(bridge.ChannelOpen)
    with mmap.mmap(descriptors[0], mapping_size(2)) as pages:
        assert fake_page(pages) == (MAGIC, PROTOCOL_VERSION, 2)
    events = guest.backend.hypervisor.interdomain(GUEST, said.port)
    events.drain()
    os.eventfd_write(descriptors[1], 1)
    assert os.eventfd_read(events.descriptor_in) == 1
    events.notify()
    assert os.eventfd_read(descriptors[2]) == 1
    events.close()
    for descriptor in descriptors:
        os.close(descriptor)
    program.close()


@with_guest
async def test_a_grant_is_allocated_here_and_named_there(guest):
    program, _ = await guest.open()
    read = []

    def answer(header, request):
        if isinstance(request, bridge.Grant):
            read.append(read_directory(guest.backend.hypervisor, GUEST, request.directory, request.length // PAGE_SIZE))
        guest.backend.reply(header)

    guest.backend._answer = answer
    _, payload, (descriptor,) = await program.call(link.Grant(3 * PAGE_SIZE, link.BufferFlag.READ_ONLY))
    assert link.GrantReply.unpack(payload).grant == 1
    (said,) = guest.backend.told(bridge.Grant)
    assert said[:3] == (1, link.BufferFlag.READ_ONLY, 3 * PAGE_SIZE)
    assert len(set(read[0])) == 3
    with mmap.mmap(descriptor, 3 * PAGE_SIZE) as pages:
        pages[0] = 1  # writable here
    os.close(descriptor)
    program.close()


@with_guest
async def test_a_revoked_grant_is_given_back(guest):
    program, _ = await guest.open()
    before = guest.held()
    await program.call(link.Grant(PAGE_SIZE, WRITABLE))
    flags, _, _ = await program.call(link.Revoke(1))
    assert flags == REPLY
    assert guest.held() == before
    assert (await program.refused(link.Revoke(1))).error == link.Error.NO_ENTRY
    assert len(guest.backend.told(bridge.Revoke)) == 1
    program.close()


@with_guest
async def test_a_grant_that_the_backend_still_uses_is_kept(guest):
    program, _ = await guest.open()
    await program.call(link.Grant(PAGE_SIZE, WRITABLE))
    before = guest.held()
    guest.backend.refuse[bridge.Revoke] = link.Failure(link.Error.BUSY, link.Limit.NONE, 0)
    assert (await program.refused(link.Revoke(1))).error == link.Error.BUSY
    assert guest.held() == before
    program.close()


@with_guest
async def test_what_the_backend_refuses_is_given_back_and_told(guest):
    program = await guest.greeted()
    refusal = link.Failure(link.Error.NO_SPACE, link.Limit.CHANNELS, 4)
    guest.backend.refuse[bridge.ChannelOpen] = refusal
    assert await program.refused(link.ChannelOpen(2)) == refusal
    assert guest.held() == (0, 0)
    guest.backend.refuse.clear()
    flags, _, _ = await program.call(link.ChannelOpen(2))
    assert flags == REPLY
    program.close()


@with_guest
async def test_limits_hold_before_anything_is_allocated(guest):
    program, _ = await guest.open()
    before = guest.held()
    too_much = link.Failure(link.Error.NO_SPACE, link.Limit.BYTES, 1 << 20)
    assert await program.refused(link.Grant((1 << 20) + PAGE_SIZE, WRITABLE)) == too_much
    assert guest.held() == before
    assert not guest.backend.told(bridge.Grant)
    program.close()


@with_guest
async def test_the_guests_own_limit_is_named(guest):
    program, _ = await guest.open()

    def none_left(*_, **__):
        raise guest_limit

    from paracore import GrantError

    guest_limit = GrantError(errno.ENOSPC, "raise the limit")
    guest.hypervisor.allocate, allocate = none_left, guest.hypervisor.allocate
    failure = await program.refused(link.Grant(PAGE_SIZE, WRITABLE))
    assert (failure.error, failure.limit) == (link.Error.NO_SPACE, link.Limit.GRANTS)
    assert "xen_gntalloc" in str(QuotaExceeded("grants"))
    guest.hypervisor.allocate = allocate
    program.close()


@with_guest
async def test_a_dead_process_holds_its_pages_until_the_backend_has_let_go(guest):
    program, (_, _, descriptors) = await guest.open()
    await program.call(link.Grant(PAGE_SIZE, WRITABLE))
    for descriptor in descriptors:
        os.close(descriptor)
    guest.backend.silent.add(bridge.Disconnect)
    program.close()
    await until(lambda: guest.backend.held)
    assert guest.held() != (0, 0)
    assert guest.quota.channels == 1
    guest.backend.reply(guest.backend.held.pop())


@with_guest
async def test_numbers_are_used_again_only_when_the_backend_has_let_go(guest):
    first = await guest.greeted()
    guest.backend.silent.add(bridge.Disconnect)
    first.close()
    await until(lambda: guest.backend.held)
    second = await guest.greeted()
    guest.backend.silent.clear()
    guest.backend.reply(guest.backend.held.pop())
    await asyncio.wait([guest.tasks[0]])
    third = await guest.greeted()
    assert [connection for connection, said in guest.backend.heard if isinstance(said, bridge.Connect)] == [1, 2, 1]
    second.close()
    third.close()


@with_guest
async def test_a_goodbye_that_crosses_the_disconnect(guest):
    """What the connection held is the backend's until it answers, though its worker has been lost meanwhile."""
    program, _ = await guest.open()
    guest.backend.silent.add(bridge.Disconnect)
    program.close()
    await until(lambda: guest.backend.held)
    guest.backend.goodbye(1, link.Refusal.WORKER_LOST)
    guest.backend.goodbye(1, link.Refusal.WORKER_LOST)
    second = await guest.greeted()
    assert [connection for connection, said in guest.backend.heard if isinstance(said, bridge.Connect)] == [1, 2]
    assert guest.held() != (0, 0)
    guest.backend.silent.clear()
    guest.backend.reply(guest.backend.held.pop())
    await asyncio.wait([guest.tasks[0]])
    assert guest.held() == (0, 0)
    second.close()
    await guest.finished()
    assert not guest.bridge.lost.done()


@with_guest
async def test_a_backend_that_goes_before_it_has_answered_the_disconnect(guest):
    program, _ = await guest.open()
    guest.backend.silent.add(bridge.Disconnect)
    program.close()
    await until(lambda: guest.backend.held)
    guest.backend.goodbye(1, link.Refusal.SHUTDOWN)
    guest.bridge.close(link.Refusal.SHUTDOWN, "it closed")
    await guest.finished()
    assert guest.held() == (0, 0)


@with_guest
async def test_a_disconnect_that_is_cancelled(guest):
    """As when the daemon is ended: the number stays taken, and the answer is for nobody."""
    line = guest.bridge.line(lambda: None)
    await line.call(bridge.Connect(PROTOCOL_VERSION, PROTOCOL_VERSION, 1, 1), bridge.ConnectReply)
    guest.backend.silent.add(bridge.Disconnect)
    leaving = asyncio.create_task(line.disconnect())
    await until(lambda: guest.backend.held)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert guest.bridge.line(lambda: None).number == 2
    guest.backend.reply(guest.backend.held.pop())
    guest.bridge.close(bridge.Refusal.SHUTDOWN, "it closes")
    assert guest.bridge.lost.result() == "it closes"


@with_guest
async def test_a_goodbye_of_the_backend_is_passed_on(guest):
    program, _ = await guest.open()
    guest.backend.goodbye(1, link.Refusal.WORKER_LOST)
    assert await program.goodbye() == (link.Refusal.WORKER_LOST, link.Limit.NONE)
    program.close()
    await guest.finished()
    assert guest.backend.told(bridge.Disconnect)


@with_guest
async def test_a_goodbye_instead_of_an_answer(guest):
    program = guest.process()
    guest.backend.silent.add(bridge.Connect)
    program.ask(HELLO)
    await until(lambda: guest.backend.held)
    guest.backend.goodbye(1, link.Refusal.LIMIT, link.Limit.CHANNELS)
    guest.backend.reply(guest.backend.held.pop())  # late, and of no consequence
    assert await program.goodbye() == (link.Refusal.LIMIT, link.Limit.CHANNELS)
    program.close()
    await guest.finished()
    assert not guest.bridge.lost.done()


@with_guest
async def test_a_backend_that_goes_is_told_to_all(guest):
    first, _ = await guest.open()
    second = await guest.greeted()
    guest.bridge.close(link.Refusal.SHUTDOWN, "it closed")
    for program in (first, second):
        assert await program.goodbye() == (link.Refusal.SHUTDOWN, link.Limit.NONE)
        program.close()


@with_guest
async def test_no_backend(guest):
    guest.refusal = Refused(link.Refusal.NO_BACKEND)
    program = guest.process()
    program.ask(HELLO)
    assert await program.goodbye() == (link.Refusal.NO_BACKEND, link.Limit.NONE)
    assert await program.goodbye() is None
    program.close()


@with_guest
async def test_a_version_that_is_not_spoken(guest):
    program = guest.process()
    program.ask(link.Hello(PROTOCOL_VERSION + 1, PROTOCOL_VERSION + 2))
    assert (await program.goodbye()).reason is link.Refusal.VERSION
    program.close()


@pytest.mark.parametrize(
    "octets",
    [
        b"?",
        message(link.ChannelOpen.OPCODE, REQUEST, 0, 1, link.ChannelOpen(2).pack()),
        message(link.Hello.OPCODE, REPLY, 0, 1, HELLO.pack()),
        message(link.Hello.OPCODE, REQUEST, 7, 1, HELLO.pack()),
        bytes(5000),
    ],
)
def test_a_process_that_breaks_the_protocol(octets):
    @with_guest
    async def run(guest):
        program = guest.process()
        program.say(octets)
        assert (await program.goodbye()).reason is link.Refusal.PROTOCOL
        assert len(guest.complaints) == 1
        program.close()

    run()


@with_guest
async def test_the_status_is_not_the_guests(guest):
    program = await guest.greeted()
    assert (await program.refused(link.Status())).error == link.Error.PERMISSION
    assert (await program.refused(link.Configure(b"{}"))).error == link.Error.PERMISSION
    assert (await program.refused(link.Trace(""))).error == link.Error.NOT_SUPPORTED
    program.close()


@with_guest
async def test_one_call_at_a_time(guest):
    program, _ = await guest.open()
    guest.backend.silent.add(bridge.Grant)
    for serial in (1, 2):
        program.ask(link.Grant(PAGE_SIZE, WRITABLE), serial)
    for _ in range(2):
        await until(lambda: guest.backend.held)
        assert len(guest.backend.held) == 1
        guest.backend.reply(guest.backend.held.pop())
    assert len(guest.backend.told(bridge.Grant)) == 2
    program.close()


@with_guest(patience=0.2)
async def test_a_silent_backend_is_as_good_as_gone(guest):
    guest.backend.silent.add(bridge.Ping)
    program, _ = await guest.open()
    assert (await program.goodbye()).reason is link.Refusal.SHUTDOWN
    assert guest.bridge.lost.done()
    program.close()


@with_guest(patience=0.2)
async def test_a_backend_that_answers_pings_stays(guest):
    program, _ = await guest.open()
    await until(lambda: len(guest.backend.told(bridge.Ping)) == 4)
    assert not guest.bridge.lost.done()
    program.close()


class Clock:
    """That of the running loop, which can be set on as if nothing here had run meanwhile."""

    def __init__(self):
        loop = asyncio.get_running_loop()
        self.ahead, time = 0.0, loop.time
        loop.time = lambda: time() + self.ahead

    def stand_still(self, seconds):
        self.ahead += seconds


@with_guest(patience=0.2)
async def test_a_daemon_that_stood_still_does_not_blame_the_backend(guest):
    """A guest that was paused for an hour, with a ping on its way: the answer is due from then on."""
    clock = Clock()
    guest.backend.silent.add(bridge.Ping)
    program, _ = await guest.open()
    for _ in range(3):
        await until(lambda: guest.backend.held)
        look = guest.bridge._check
        clock.stand_still(3600)
        await until(lambda: guest.bridge._check is not look)  # noqa: B023 - it is waited for here
        assert not guest.bridge.lost.done()
        guest.backend.reply(guest.backend.held.pop())
    assert (await program.goodbye()).reason is link.Refusal.SHUTDOWN  # the next ping is not answered at all
    program.close()


@pytest.mark.parametrize(
    "say",
    [
        lambda backend: backend.goodbye(9, link.Refusal.SHUTDOWN),
        lambda backend: backend.goodbye(0, link.Refusal.SHUTDOWN),
        lambda backend: backend.say(bridge.Grant.OPCODE, REPLY, 1, 99, b""),
        lambda backend: backend.say(bridge.Grant.OPCODE, FAILURE, 0, 0, b""),
        lambda backend: backend.say(bridge.Connect.OPCODE, REQUEST, 1, 1, bytes(16)),
    ],
)
def test_a_backend_that_breaks_the_protocol_is_as_good_as_gone(say):
    @with_guest
    async def run(guest):
        program, _ = await guest.open()
        say(guest.backend)
        assert (await program.goodbye()).reason is link.Refusal.SHUTDOWN
        assert "broke the protocol" in guest.bridge.lost.result()
        program.close()

    run()


@with_guest
async def test_a_process_that_goes_in_the_middle_of_a_call(guest):
    program, _ = await guest.open()
    guest.backend.silent.add(bridge.Grant)
    program.ask(link.Grant(PAGE_SIZE, WRITABLE))
    await until(lambda: guest.backend.held)
    program.close()
    guest.backend.reply(guest.backend.held.pop())
    await guest.finished()
    assert not guest.complaints


@with_guest
async def test_a_process_that_does_not_read(guest):
    program, _ = await guest.open()
    guest.backend.refuse[bridge.Revoke] = link.Failure(link.Error.BUSY, link.Limit.NONE, 0)
    await program.call(link.Grant(PAGE_SIZE, WRITABLE))
    until_full = asyncio.get_running_loop().time() + PATIENCE
    while not guest.complaints and asyncio.get_running_loop().time() < until_full:
        with suppress(TransportBroken):
            program.ask(link.Revoke(1))
        await asyncio.sleep(0)
    assert guest.complaints == ["it does not read its replies"]
    program.close()


@given(
    st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=64),
            st.sampled_from(
                [HELLO, link.ChannelOpen(2), link.Grant(PAGE_SIZE, WRITABLE), link.Revoke(1), link.Status()]
            ),
        ),
        max_size=8,
    )
)
@settings(max_examples=30)
def test_any_octets_of_a_process(said):
    @with_guest
    async def run(guest):
        program = guest.process()
        for each in said:
            with suppress(TransportBroken):
                program.say(each) if isinstance(each, bytes) else program.ask(each)
        await asyncio.sleep(0)
        program.close()
        await guest.finished()
        assert not guest.bridge.lost.done()

    run()
