# SPDX-License-Identifier: Apache-2.0
"""Attach, detach, list, against the fake xenstored and two ends that keep the table and share nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from paracore import ConfigError, XenStoreError
from paracore.protocol import (
    End,
    XenbusAction,
    XenbusState,
    backend_path,
    frontend_path,
    xenbus_start,
    xenbus_state,
    xenbus_step,
    xenbus_stop,
)
from paracore.testing import FakeXenstored
from paracore.toolstack import NotThere, attach, attached, detach, domains, find_domain, stay_attached
from paracore.transport.xen import Conflict, Xenstore

UUID = "5a5a5a5a-0000-1111-2222-333344445555"


@pytest.fixture
def xenstored(tmp_path):
    with FakeXenstored(tmp_path) as xenstored:
        xenstored.introduce(3, "guest", UUID)
        xenstored.introduce(5, "driver")
        xenstored.introduce(7, "twin")
        xenstored.introduce(8, "twin")
        yield xenstored


def run(xenstored, steps):
    async def connected():
        async with asyncio.timeout(30), Xenstore.connect(xenstored.address()) as store:
            await steps(store)

    asyncio.run(connected())


class Stub:
    """One end that moves by the table."""

    def __init__(self, xenstored, end, frontend, backend, *, error=None):
        self.end, self.error = end, error
        paths = {End.FRONTEND: frontend_path(frontend), End.BACKEND: backend_path(backend, frontend)}
        self.own = paths[end]
        self.other = paths[End.BACKEND if end is End.FRONTEND else End.FRONTEND]
        self.address = xenstored.address(frontend if end is End.FRONTEND else backend)
        self.actions = []

    async def live(self):
        async with Xenstore.connect(self.address) as store:
            watches = [await store.watch(self.own), await store.watch(self.other)]
            move = xenbus_start
            while True:
                with suppress(Conflict):
                    if await self.step(store, move) is XenbusAction.WAIT:
                        turns = [asyncio.ensure_future(anext(watch)) for watch in watches]
                        await asyncio.wait(turns, return_when=asyncio.FIRST_COMPLETED)
                        for turn in turns:
                            turn.cancel()
                        await asyncio.gather(*turns, return_exceptions=True)
                    move = None

    async def step(self, store, start):
        async with store.transaction() as nodes:
            own = xenbus_state(await nodes.read(f"{self.own}/state"))
            try:
                other = xenbus_state(await nodes.read(f"{self.other}/state"))
            except XenStoreError:  # what a guest is told of what is not there
                other = XenbusState.UNKNOWN
            move = start(self.end, own) if start else xenbus_step(self.end, own, other)
            if await nodes.read(f"{self.own}/online") == "0" and own is XenbusState.CONNECTED:
                move = xenbus_stop(self.end, own)
            if own is XenbusState.CLOSED or move.action is XenbusAction.FORGET:
                return XenbusAction.WAIT  # these do not come back
            if move.state is not own:
                await nodes.write(f"{self.own}/state", str(int(move.state)))
            if self.error and move.action is XenbusAction.PUBLISH:
                await nodes.write(f"{self.own}/error", self.error)
                await nodes.write(f"{self.own}/state", str(int(XenbusState.CLOSED)))
        self.actions.append(move.action)
        return move.action


@asynccontextmanager
async def living(*stubs):
    tasks = [asyncio.ensure_future(stub.live()) for stub in stubs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def ends(xenstored, frontend=3, backend=0):
    return [Stub(xenstored, end, frontend, backend) for end in End]


def test_domains_are_found(xenstored):
    async def steps(store):
        assert [each.number for each in await domains(store)] == [0, 3, 5, 7, 8]
        for text in ("3", "guest", UUID, " 3 "):
            assert (await find_domain(store, text)).number == 3
        assert (await find_domain(store, "Domain-0")).number == 0
        with pytest.raises(ConfigError, match=r"there are 0 Domain-0, 3 guest, 5 driver"):
            await find_domain(store, "gues")
        with pytest.raises(ConfigError, match="7, 8"):
            await find_domain(store, "twin")

    run(xenstored, steps)


def test_a_device_is_attached_and_detached(xenstored):
    async def steps(store):
        guest = await find_domain(store, "guest")
        async with living(*ends(xenstored)):
            device = await attach(store, guest, ["vpu0"], decided={"weight": 300, "max_sessions": 2})
            assert device.connected
            assert await attached(store) == [device]
            account = device.account()
            assert (account["domid"], account["devices"], account["weight"]) == (3, ["vpu0"], 300)
            assert (account["limits"]["sessions"], account["limits"]["channels"]) == (2, 64)
            assert account["frontend_state"] == account["backend_state"] == "connected"
            (gone,) = await detach(store, guest)
            assert gone.frontend == 3
        assert await attached(store) == []
        assert await store.read(frontend_path(3)) is None
        assert await store.list("/local/domain/0/backend/paracore") == []

    run(xenstored, steps)


def test_nodes_have_the_right_owners(xenstored):
    async def steps(store):
        guest = await find_domain(store, "3")
        await attach(store, guest, ["vpu0"], backend=5, timeout=0)
        for path in (frontend_path(3), f"{frontend_path(3)}/state"):
            assert await store.permissions(path) == ("n3", "r5")
        for path in (backend_path(5, 3), f"{backend_path(5, 3)}/max-bytes"):
            assert await store.permissions(path) == ("n5", "r3")
        async with Xenstore.connect(xenstored.address(3)) as inside, Xenstore.connect(xenstored.address(5)) as driver:
            await inside.write("device/paracore/0/ring-ref", "8")
            assert await inside.read(await inside.read("device/paracore/0/backend") + "/weight") == "100"
            with pytest.raises(OSError, match="Permission denied"):
                await inside.write(f"{backend_path(5, 3)}/weight", "10000")
            assert await driver.list("backend/paracore") == ["3"]
            assert await driver.read(f"{frontend_path(3)}/ring-ref") == "8"
        async with Xenstore.connect(xenstored.address(7)) as stranger:
            with pytest.raises(OSError, match="Permission denied"):
                await stranger.read(f"{backend_path(5, 3)}/state")

    run(xenstored, steps)


def test_it_is_said_who_is_missing(xenstored):
    _, back = ends(xenstored)

    async def steps(store):
        guest = await find_domain(store, "3")
        with pytest.raises(NotThere, match=r"domain 3 \(guest\).*domain 0: start `paracore serve --xen`") as caught:
            await attach(store, guest, ["vpu0"], timeout=0.1)
        assert caught.value.device.backend_state is XenbusState.INITIALISING
        await detach(store, guest, force=True)
        async with living(back):
            with pytest.raises(NotThere, match="domain 3: start `paracore frontend`"):
                await attach(store, guest, ["vpu0"], timeout=0.1)

    run(xenstored, steps)


def test_what_the_backend_says_is_passed_on(xenstored):
    async def steps(store):
        guest = await find_domain(store, "3")
        async with living(Stub(xenstored, End.BACKEND, 3, 0, error="there is no device vpu9")):
            with pytest.raises(NotThere, match="there is no device vpu9"):
                await attach(store, guest, ["vpu9"], timeout=0.2)

    run(xenstored, steps)


@pytest.mark.parametrize(
    ("devices", "decided", "match"),
    [
        (["vpu 0"], {}, "node devices"),
        ([], {}, "node devices"),
        (["vpu0"], {"weight": 0}, "node weight"),
        (["vpu0"], {"max_sessions": 513}, "node max-sessions"),
    ],
)
def test_what_cannot_be_is_not_attached(xenstored, devices, decided, match):
    async def steps(store):
        with pytest.raises(ConfigError, match=match):
            await attach(store, await find_domain(store, "3"), devices, decided=decided)
        assert await attached(store) == []

    run(xenstored, steps)


def test_who_cannot_have_one(xenstored):
    async def steps(store):
        guest = await find_domain(store, "3")
        with pytest.raises(ConfigError, match="local socket"):
            await attach(store, await find_domain(store, "0"), ["vpu0"])
        with pytest.raises(ConfigError, match="no domain 9"):
            await attach(store, guest, ["vpu0"], backend=9)
        with pytest.raises(ConfigError, match="no device attached"):
            await detach(store, guest)
        await attach(store, guest, ["vpu0"], timeout=0)
        with pytest.raises(ConfigError, match="paracore detach 3 first"):
            await attach(store, guest, ["vpu0"], timeout=0)

    run(xenstored, steps)


def test_who_does_not_let_go_is_named_and_forced(xenstored):
    front, back = ends(xenstored)

    async def steps(store):
        guest = await find_domain(store, "3")
        async with living(front, back):
            await attach(store, guest, ["vpu0"])
        with pytest.raises(NotThere, match=r"backend in domain 0 has not let go; .*--force"):
            await detach(store, guest, timeout=0.1)
        async with living(back):
            with pytest.raises(NotThere, match="has not let go"):
                await detach(store, guest, timeout=0.1)
        assert len(await attached(store)) == 1
        await detach(store, guest, force=True)
        assert await attached(store) == []

    run(xenstored, steps)


def test_a_guest_that_floods_its_nodes_keeps_nobody(xenstored):
    async def flood(address):
        async with Xenstore.connect(address) as inside:
            number = 0
            while True:
                number += 1
                with suppress(OSError):
                    await inside.write("device/paracore/0/state", str(number % 9))

    async def steps(store):
        guest = await find_domain(store, "3")
        await attach(store, guest, ["vpu0"], timeout=0)
        flooding = asyncio.ensure_future(flood(xenstored.address(3)))
        with pytest.raises(NotThere):
            await detach(store, guest, timeout=0.3)
        await detach(store, guest, force=True)
        flooding.cancel()
        assert await attached(store) == []
        assert await store.read(frontend_path(3)) is None

    run(xenstored, steps)


def test_nodes_that_somebody_has_spoilt_are_listed_all_the_same(xenstored):
    async def steps(store):
        await attach(store, await find_domain(store, "3"), ["vpu0"], timeout=0)
        await store.write(f"{backend_path(0, 3)}/max-bytes", "many")
        (device,) = await attached(store)
        assert device.attachment is None
        assert device.account()["devices"] == []

    run(xenstored, steps)


@pytest.mark.parametrize("name", ["Übung 1", "-x", "a" * 80, "", "日本"])
def test_any_name_of_a_guest_will_do(xenstored, name):
    async def steps(store):
        xenstored.introduce(9, name)
        device = await attach(store, await find_domain(store, "9"), ["vpu0"], timeout=0)
        assert device.attachment is not None
        assert device.name == name

    run(xenstored, steps)


def test_a_guest_that_is_rebooted_is_attached_again(xenstored):
    """Another domain of the same name, which comes before the old one has gone."""

    async def steps(store):
        told = asyncio.Queue()
        staying = asyncio.ensure_future(stay_attached(store, "guest", ["vpu0"], tell=told.put_nowait))
        assert (await told.get()).frontend == 3
        xenstored.introduce(9, "guest", UUID)
        assert (await told.get()).frontend == 9
        xenstored.introduce(10, "somebody else")
        xenstored.release(3)
        xenstored.introduce(11, "guest", UUID)
        assert (await told.get()).frontend == 11
        staying.cancel()

    run(xenstored, steps)


def test_what_is_attached_already_stays_so(xenstored):
    async def steps(store):
        await attach(store, await find_domain(store, UUID), ["vpu1"], timeout=0)
        told = asyncio.Queue()
        staying = asyncio.ensure_future(stay_attached(store, UUID, ["vpu0"], tell=told.put_nowait))
        xenstored.introduce(9, "guest", UUID)
        assert (await told.get()).frontend == 9
        found = [each.account() for each in await attached(store)]
        assert [(each["domid"], each["devices"]) for each in found] == [(3, ["vpu1"]), (9, ["vpu0"])]
        staying.cancel()

    run(xenstored, steps)


def test_a_number_is_nobodys_for_long(xenstored):
    async def steps(store):
        with pytest.raises(ConfigError, match="give its name or UUID"):
            await stay_attached(store, "3", ["vpu0"])

    run(xenstored, steps)
