# SPDX-License-Identifier: Apache-2.0
"""The whole daemon with xenstore and a backend that moves by the table, without Xen."""

import asyncio
import errno
from functools import wraps

import pytest

from paracore import GrantError
from paracore.classes import bridge, link
from paracore.frontend._daemon import _device
from paracore.protocol import XenbusState
from tests.unit.frontend.daemon.guest import HELLO, until
from tests.unit.frontend.daemon.machine import BACKEND, CONNECTED, FRONTEND, Machine


@pytest.fixture
def on_machine(tmp_path):
    """Runs a coroutine function with a machine, which must end with nothing granted."""

    def run(test):
        async def inside():
            machine = Machine(tmp_path)
            try:
                async with asyncio.timeout(30):
                    await test(machine)
            finally:
                await machine.close()
            assert len(machine.xen) == 0

        asyncio.run(inside())

    return run


def machine_test(test):
    @wraps(test)
    def run(on_machine):
        on_machine(test)

    del run.__wrapped__
    return run


@machine_test
async def test_from_an_attached_device_to_a_channel(machine):
    await machine.attach()
    machine.backend()
    machine.start()
    _, (_, payload, descriptors) = await machine.served()
    assert link.ChannelOpenReply.unpack(payload).channel == 17
    assert len(descriptors) == 3
    await machine.until_states(*CONNECTED)


@machine_test
async def test_the_daemon_may_be_there_first(machine):
    machine.start()
    program = machine.program()
    program.ask(HELLO)
    assert (await program.goodbye()).reason is link.Refusal.NO_BACKEND
    await machine.attach()
    machine.backend()
    await machine.served()


@machine_test
async def test_a_graceful_end(machine):
    await machine.attach()
    backend = machine.backend()
    machine.start()
    program, _ = await machine.served()
    await machine.stop()
    assert (await program.goodbye()).reason is link.Refusal.SHUTDOWN
    assert await program.goodbye() is None
    assert await machine.states() == (XenbusState.CLOSED, XenbusState.CLOSED)
    assert backend.scripted is None
    machine.start()
    await machine.served()


@machine_test
async def test_a_backend_that_stops_and_starts(machine):
    await machine.attach()
    backend = machine.backend()
    machine.start()
    program, _ = await machine.served()
    await backend.leave()
    assert (await program.goodbye()).reason is link.Refusal.SHUTDOWN
    await machine.until_states(XenbusState.CLOSED, XenbusState.CLOSED)
    backend.kill()
    machine.backend()
    await machine.served()
    await machine.until_states(*CONNECTED)


@machine_test
async def test_a_backend_that_is_killed_and_started_at_once(machine):
    await machine.attach()
    machine.backend()
    machine.start()
    program, _ = await machine.served()
    machine.backends[0].kill()
    machine.backend()
    assert (await program.goodbye()).reason is link.Refusal.SHUTDOWN
    await machine.served()


@machine_test
async def test_a_backend_that_is_killed_is_missed(machine):
    await machine.attach()
    machine.backend()
    machine.start()
    program, _ = await machine.served()
    machine.backends[0].kill()
    assert (await program.goodbye()).reason is link.Refusal.SHUTDOWN
    await machine.until_states(XenbusState.RECONFIGURING, XenbusState.CONNECTED)
    machine.backend()
    await machine.served()


@machine_test
async def test_a_daemon_that_is_killed(machine):
    await machine.attach()
    backend = machine.backend()
    machine.start()
    program, _ = await machine.served()
    await machine.kill()
    assert await program.goodbye() is None
    machine.start()
    await machine.served()
    assert backend.scripted.told(bridge.Connect)


@machine_test
async def test_a_device_that_is_taken_away_and_given_again(machine):
    await machine.attach()
    machine.backend()
    machine.start()
    program, _ = await machine.served()
    await machine.take_away()
    assert (await program.goodbye()).reason is link.Refusal.DETACHED
    await until(lambda: machine.backends[0].scripted is None)
    assert machine.hypervisor.statistics().granted == machine.hypervisor.statistics().revoked
    await machine.attach()
    await machine.served()


@machine_test
async def test_a_version_that_is_not_spoken(machine):
    await machine.attach()
    backend = machine.backend(versions=(99,))
    machine.start()
    await machine.until_states(XenbusState.INITIALISING, XenbusState.INIT_WAIT)
    backend.kill()
    machine.backend()
    await machine.served()


@machine_test
async def test_limits_are_the_toolstacks(machine):
    await machine.attach(max_bytes=8192)
    machine.backend()
    machine.start()
    program, _ = await machine.served()
    failure = await program.refused(link.Grant(3 * 4096, link.BufferFlag(0)))
    assert failure == link.Failure(link.Error.NO_SPACE, link.Limit.BYTES, 8192)


@machine_test
async def test_too_many_processes(machine):
    await machine.attach(max_channels=1)
    machine.backend()
    machine.start()
    await machine.served()
    for _ in range(8):
        await machine.program().call(HELLO)
    program = machine.program()
    program.ask(HELLO)
    assert await program.goodbye() == (link.Refusal.LIMIT, link.Limit.CHANNELS)


@machine_test
async def test_too_many_that_say_nothing(machine):
    machine.start()
    for _ in range(64):
        machine.program()
    assert await machine.program().goodbye() is None


@machine_test
async def test_the_backends_node_is_rewritten(machine):
    await machine.attach()
    machine.backend()
    machine.start()
    program, _ = await machine.served()
    for value in ("9", "", "connected", "3"):
        await machine.store.write(f"{BACKEND}/state", value)
    await program.goodbye()
    await machine.served()


@machine_test
async def test_the_daemons_own_node_is_rewritten(machine):
    await machine.attach()
    machine.backend()
    machine.start()
    program, _ = await machine.served()
    await machine.store.write(f"{FRONTEND}/state", "1")
    await program.goodbye()
    await machine.served()


@machine_test
async def test_a_guest_that_can_share_nothing_tries_again(machine):
    await machine.attach()
    machine.backend()
    machine.start()
    allocate, machine.hypervisor.allocate = machine.hypervisor.allocate, refuse
    _device._LACKING, lacking = 0.05, _device._LACKING
    try:
        await machine.until_states(XenbusState.INITIALISING, XenbusState.INIT_WAIT)
        await asyncio.sleep(0.2)
        machine.hypervisor.allocate = allocate
        await machine.served()
    finally:
        _device._LACKING = lacking


def refuse(*_, **__):
    raise GrantError(errno.ENOSPC, "raise the limit")
