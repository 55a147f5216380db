# SPDX-License-Identifier: Apache-2.0
"""Xenstore over the wire of xenstored: what the shipped suite leaves out, against the fake one."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from paracore import TransportBroken, XenStoreError
from paracore.testing import FakeXenstored, StoreQuotas
from paracore.transport.xen import Xenstore, store_address
from paracore.transport.xen._store_watch import PATHS_MAX, Watch
from paracore.transport.xen._store_wire import StoreMessage, StoreType, error_code


@pytest.fixture
def xenstored(tmp_path):
    with FakeXenstored(tmp_path) as xenstored:
        xenstored.introduce(3, "guest")
        xenstored.introduce(4, "other")
        yield xenstored


def run(step):
    asyncio.run(asyncio.wait_for(step, 20))


async def refused(step, code):
    with pytest.raises(XenStoreError) as caught:
        await step
    assert caught.value.errno == code
    return caught.value


def test_a_domain_may_write_what_it_owns_and_no_more(xenstored):
    async def steps():
        async with Xenstore.connect(xenstored.address(3)) as guest, Xenstore.connect(xenstored.address()) as toolstack:
            assert await guest.read("name") == "guest"
            await refused(guest.write("name", "dom0"), errno.EACCES)
            await refused(guest.make("device/paracore/0"), errno.EACCES)
            await refused(guest.read("/local/domain/4/name"), errno.EACCES)
            await refused(guest.read("/local/domain/4/nothing"), errno.EACCES)
            await refused(guest.write("/local/domain/4/data/x", "1"), errno.EACCES)
            await toolstack.make("/local/domain/3/device/paracore/0")
            await toolstack.permit("/local/domain/3/device/paracore/0", 3, read=[0])
            await guest.write("device/paracore/0/state", "1")
            assert await guest.permissions("device/paracore/0/state") == ("n3", "r0")
            error = await refused(guest.permit("name", 3), errno.EACCES)
            assert error.filename == "name"
            await refused(guest.permit("data", 4), errno.EPERM)
            await refused(guest.remove("/local/domain/4"), errno.EACCES)

    run(steps())


def test_what_is_read_and_written_by_leave(xenstored):
    async def steps():
        async with Xenstore.connect(xenstored.address(3)) as owner, Xenstore.connect(xenstored.address(4)) as other:
            path = "/local/domain/3/data/shared"
            await owner.write(path, "1")
            await refused(other.read(path), errno.EACCES)
            await owner.permit(path, 3, read=[4])
            assert await other.read(path) == "1"
            await refused(other.write(path, "2"), errno.EACCES)
            await refused(other.permit(path, 3), errno.EACCES)
            await owner.permit(path, 3, write=[4])
            await other.write(path, "2")
            await refused(other.permit(path, 3), errno.EACCES)
            assert await owner.read(path) == "2"

    run(steps())


def test_a_watch_tells_only_what_may_be_read(xenstored):
    async def steps():
        async with Xenstore.connect(xenstored.address(4)) as other, Xenstore.connect(xenstored.address()) as toolstack:
            watch = await other.watch("/local/domain")
            assert await watch.__anext__() == "/local/domain"
            await toolstack.write("/local/domain/3/data/secret", "1")
            await toolstack.write("/local/domain/4/data/open", "1")
            assert await watch.__anext__() == "/local/domain/4/data/open"

    run(steps())


def test_domains_that_come_and_go_are_told_of(xenstored):
    async def steps():
        async with Xenstore.connect(xenstored.address()) as toolstack, Xenstore.connect(xenstored.address(4)) as guest:
            watch = await toolstack.watch("@releaseDomain")
            assert await watch.__anext__() == "@releaseDomain"
            xenstored.release(4)
            assert await watch.__anext__() == "@releaseDomain"
            with pytest.raises(TransportBroken):
                await guest.read("name")
            assert await toolstack.read("/local/domain/4/name") == "other"

    run(steps())


def test_a_domain_has_quotas(tmp_path):
    async def steps(xenstored):
        async with Xenstore.connect(xenstored.address(3)) as guest:
            await refused(guest.write("data/x", "x" * 200), errno.ENOSPC)
            await guest.write("data/0", "")
            await guest.write("data/1", "")
            await refused(guest.write("data/2", ""), errno.ENOSPC)
            await refused(guest.write("data/0/1/2", ""), errno.ENOSPC)
            assert await guest.list("data/0") == []
            await refused(guest.permit("data", 3, read=[1, 2, 4]), errno.ENOSPC)
            await guest.watch("data")
            await refused(guest.watch("data"), errno.E2BIG)
            async with guest.transaction():
                await refused(guest.transaction().__aenter__(), errno.ENOSPC)

    quotas = StoreQuotas(nodes=3, octets=100, watches=1, transactions=1, permissions=2)
    with FakeXenstored(tmp_path, quotas) as xenstored:
        xenstored.introduce(3, "guest")
        run(steps(xenstored))


def test_a_broken_connection_is_told_to_all(xenstored):
    async def steps():
        store = Xenstore.connect(xenstored.address())
        watch = await store.watch("/local")
        assert await watch.__anext__() == "/local"
        waiting = asyncio.ensure_future(watch.__anext__())
        await asyncio.sleep(0)
        xenstored.disconnect()
        with pytest.raises(TransportBroken):
            await waiting
        with pytest.raises(TransportBroken):
            await store.read("/local")
        with pytest.raises(TransportBroken):
            await watch.__anext__()
        store.close()

    run(steps())


def test_a_transaction_that_nobody_wants_any_more_is_ended(tmp_path):
    async def steps(xenstored):
        async with Xenstore.connect(xenstored.address(3)) as guest:
            for _ in range(3):
                begun = asyncio.ensure_future(guest.transaction().__aenter__())
                await asyncio.sleep(0)
                begun.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await begun
                await guest.read("name")
            async with guest.transaction():
                pass

    with FakeXenstored(tmp_path, StoreQuotas(transactions=1)) as xenstored:
        xenstored.introduce(3, "guest")
        run(steps(xenstored))


def test_where_xenstore_is(monkeypatch, tmp_path):
    monkeypatch.setenv("XENSTORED_PATH", str(tmp_path / "socket"))
    assert store_address() == str(tmp_path / "socket")
    monkeypatch.delenv("XENSTORED_PATH")
    monkeypatch.setattr("paracore.transport.xen._store_line.ADDRESSES", ("/nowhere/at/all",))
    with pytest.raises(XenStoreError) as caught:
        store_address()
    assert caught.value.errno == errno.ENOENT
    assert "modprobe" in str(caught.value)

    async def steps():
        with pytest.raises(XenStoreError) as caught:
            Xenstore.connect(str(tmp_path / "socket"))
        assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(tmp_path / "socket"))

    run(steps())


class Impostor:
    """A daemon that answers as it is told."""

    def __init__(self, tmp_path, *answers):
        self.address = str(tmp_path / "impostor")
        self.answers = [*answers]
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.address)
        self.listener.listen()

    async def serve(self):
        loop = asyncio.get_running_loop()
        self.listener.settimeout(0)
        sock, _ = await loop.sock_accept(self.listener)
        with sock, self.listener:
            for answer in self.answers:
                await loop.sock_recv(sock, 4096)
                await loop.sock_sendall(sock, answer)
            await loop.sock_recv(sock, 4096)

    async def ask(self, step):
        serving = asyncio.ensure_future(self.serve())
        try:
            async with Xenstore.connect(self.address) as store:
                await step(store)
        finally:
            await serving


@pytest.mark.parametrize(
    "octets",
    [
        StoreMessage(StoreType.READ, 0, 0, b"").pack()[:12] + b"\xff\xff\0\0",
        StoreMessage(StoreType.WRITE, 1, 0, b"OK\0").pack(),
        StoreMessage(StoreType.READ, 1, 0, b"1").pack() * 2,
    ],
    ids=["too long", "of another kind", "unasked"],
)
def test_an_answer_that_cannot_be_ends_the_connection(tmp_path, octets):
    async def step(store):
        with pytest.raises(TransportBroken):  # noqa: PT012 - the unasked one comes after the asked
            await store.read("/x")
            await store.read("/x")

    run(Impostor(tmp_path, octets).ask(step))


def test_what_is_no_text_is_shown(tmp_path):
    async def step(store):
        assert await store.read("/x") == "\\xff\\xfe1"

    run(Impostor(tmp_path, StoreMessage(StoreType.READ, 1, 0, b"\xff\xfe1").pack()).ask(step))


def test_an_answer_in_pieces_between_events(tmp_path):
    event = StoreMessage(StoreType.WATCH_EVENT, 0, 0, b"/y\x0099\0").pack()

    async def step(store):
        assert await store.read("/x") == "1"

    run(Impostor(tmp_path, event + StoreMessage(StoreType.READ, 1, 0, b"1").pack() + event[:7]).ask(step))


@pytest.mark.parametrize(
    ("name", "code"),
    [(b"EACCES\0", errno.EACCES), (b"E\0", errno.EIO), (b"\xff", errno.EIO), (b"errorcode", errno.EIO)],
)
def test_names_of_errors(name, code):
    assert error_code(name) == code


def test_a_flood_of_changes_is_bounded():
    async def steps():
        watch = Watch("/base", lambda: None)
        for number in range(3 * PATHS_MAX):
            watch.changed(f"/base/{number}")
        paths = watch.take()
        assert len(paths) <= PATHS_MAX
        assert paths[0] == "/base"

    run(steps())
