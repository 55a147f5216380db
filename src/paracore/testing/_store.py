# SPDX-License-Identifier: Apache-2.0
"""What a xenstore has to do: ``check_xenstore(connect, base)``, for the real one and for the fake.

Each check works below a node of its own, which is gone when it is over, in whatever domain it runs.
"""

from __future__ import annotations

import asyncio
import errno
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore._errors import TransportClosed, XenStoreError
from paracore.transport.xen import Conflict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from paracore.transport.xen import Watch, Xenstore

__all__ = ["STORE_CHECKS", "Bench", "check_xenstore"]

_PATIENCE: Final = 10.0
_MANY: Final = 40


class Bench(NamedTuple):
    """Where a check works: two connections of one domain, and a node that is there."""

    store: Xenstore
    other: Xenstore
    base: str


async def check_what_is_written_is_read(bench: Bench) -> None:
    """Values come back, empty ones too; what is missing is None."""
    for value in ("1", "", "a b\tc", "ä", "x" * 1024):
        await bench.store.write(f"{bench.base}/node", value)
        _require(await bench.other.read(f"{bench.base}/node") == value, f"{value[:8]!r} is read again")
    _require(await bench.store.read(f"{bench.base}/missing") is None, "a missing node reads as None")


async def check_directories_are_listed(bench: Bench) -> None:
    """Names below a node, of what is made and of what is written."""
    await bench.store.make(f"{bench.base}/made")
    await bench.store.make(f"{bench.base}/made")
    await bench.store.write(f"{bench.base}/a/b/c", "1")
    _require(sorted(await bench.store.list(bench.base)) == ["a", "made"], "both are listed")
    _require(await bench.store.list(f"{bench.base}/a") == ["b"], "a node above a written one is made")
    _require(await bench.store.list(f"{bench.base}/missing") == [], "a missing one has none")
    _require(await bench.store.read(f"{bench.base}/made") == "", "a made one is empty")


async def check_long_directories_are_listed(bench: Bench) -> None:
    """More names than fit into a message."""
    names = [f"{number:03}-{'n' * 120}" for number in range(_MANY)]
    async with bench.store.transaction() as nodes:
        for name in names:
            await nodes.make(f"{bench.base}/long/{name}")
    _require(sorted(await bench.store.list(f"{bench.base}/long")) == names, "all are listed")


async def check_trees_are_removed(bench: Bench) -> None:
    """With all below; what is missing needs no removing."""
    await bench.store.write(f"{bench.base}/a/b/c", "1")
    await bench.store.remove(f"{bench.base}/a")
    await bench.store.remove(f"{bench.base}/a")
    await bench.store.remove(f"{bench.base}/never/was")
    _require(await bench.store.list(bench.base) == [], "nothing is left")


async def check_what_is_wrong_has_its_errno(bench: Bench) -> None:
    """Paths that cannot be, values that are too long."""
    for path in (f"{bench.base}//x", f"{bench.base}/x/", f"{bench.base}/x y", f"{bench.base}/\0", "/" + "x" * 3072):
        await _refused(bench.store.write(path, "1"), errno.EINVAL)
    await _refused(bench.store.write(f"{bench.base}/node", "x" * 4096), errno.E2BIG)
    _require(await bench.store.read(f"{bench.base}/node") is None, "nothing was written")


async def check_many_ask_at_once(bench: Bench) -> None:
    """Answers find whoever asked, also when somebody has gone meanwhile."""
    path = f"{bench.base}/node"
    await bench.store.write(path, "1")
    asked = [asyncio.ensure_future(bench.store.read(path if number % 2 else bench.base)) for number in range(_MANY)]
    await asyncio.sleep(0)
    asked[3].cancel()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    _require(isinstance(answers.pop(3), asyncio.CancelledError), "one has gone")
    _require(answers[0] == "" and answers[1] == "1" and len(set(answers)) == 2, "the others have theirs")


async def check_transactions_are_whole(bench: Bench) -> None:
    """Nobody sees half of one."""
    path = f"{bench.base}/node"
    async with bench.store.transaction() as nodes:
        await nodes.write(path, "1")
        _require(await nodes.read(path) == "1", "it sees what it did")
        _require(await bench.other.read(path) is None, "nobody else does")
    _require(await bench.other.read(path) == "1", "afterwards everybody does")


async def check_transactions_are_aborted(bench: Bench) -> None:
    """When its block raises, nothing was done."""
    path = f"{bench.base}/node"
    with suppress(XenStoreError):
        async with bench.store.transaction() as nodes:
            await nodes.write(path, "1")
            await nodes.write(f"{path}//", "1")
    _require(await bench.store.read(path) is None, "nothing was done")


async def check_transactions_conflict(bench: Bench) -> None:
    """When what was read has changed, even back to what it was; else not."""
    path = f"{bench.base}/node"
    await bench.store.write(path, "1")

    async def step() -> None:
        async with bench.store.transaction() as nodes:
            await nodes.read(path)
            await bench.other.write(path, "2")
            await bench.other.write(path, "1")
            await nodes.write(f"{bench.base}/result", "1")

    try:
        await step()
    except Conflict:
        pass
    else:
        raise AssertionError("it conflicts")
    _require(await bench.store.read(f"{bench.base}/result") is None, "nothing was done")
    async with bench.store.transaction() as nodes:
        await nodes.read(path)
        await nodes.write(f"{bench.base}/result", "2")
    _require(await bench.store.read(f"{bench.base}/result") == "2", "the next is done")


async def check_watches_tell(bench: Bench) -> None:
    """Of itself at first, then of what is written, made or removed at or below it."""
    await bench.other.write(f"{bench.base}/a/b", "0")
    watch = await bench.store.watch(f"{bench.base}/a")
    _require(await _next(watch) == f"{bench.base}/a", "it tells of itself at first")
    await bench.other.write(f"{bench.base}/a/b", "1")
    _require(await _next(watch) == f"{bench.base}/a/b", "it tells of what is below")
    await bench.other.remove(f"{bench.base}/a")
    _require(await _next(watch) in {f"{bench.base}/a", f"{bench.base}/a/b"}, "it tells of what has gone")
    watch.close()


async def check_watches_tell_of_transactions(bench: Bench) -> None:
    """When they are committed, and not before."""
    path = f"{bench.base}/node"
    await bench.store.make(path)
    watch = await bench.store.watch(path)
    await _next(watch)
    async with bench.other.transaction() as nodes:
        await nodes.write(path, "1")
        await bench.store.read(path)
        _require(watch.take() == (), "it does not tell before")
    _require(await _next(watch) == path, "it tells afterwards")
    watch.close()


async def check_watches_merge(bench: Bench) -> None:
    """A node that has changed often since somebody looked has changed; a closed watch tells nothing."""
    path = f"{bench.base}/node"
    watch, closed = await bench.store.watch(path), await bench.store.watch(path)
    await _next(watch)
    closed.close()
    for number in range(_MANY):
        await bench.other.write(path, str(number))
    _require(await _next(watch) == path, "it tells")
    _require(await bench.store.read(path) == str(_MANY - 1), "the last is what is read")
    _require([each async for each in closed] == [], "a closed one ends")
    watch.close()


async def check_permissions_are_kept(bench: Bench) -> None:
    """As they were given."""
    path = f"{bench.base}/node"
    await bench.store.write(path, "1")
    owner = int((await bench.store.permissions(path))[0][1:])
    await bench.store.permit(path, owner, read=(11, 12), write=(13,))
    _require(await bench.other.permissions(path) == (f"n{owner}", "r11", "r12", "b13"), "they are read again")


async def check_domains_have_a_path(bench: Bench) -> None:
    """Whose relative paths begin there."""
    _require(await bench.store.domain_path(7) == "/local/domain/7", "it is where it always was")


async def check_a_closed_one_says_so(bench: Bench) -> None:
    """Requests and watches of a closed connection end."""
    watch = await bench.other.watch(bench.base)
    await _next(watch)
    waiting = asyncio.ensure_future(watch.__anext__())
    await asyncio.sleep(0)
    bench.other.close()
    for step in (bench.other.read(bench.base), waiting):
        try:
            await step
        except TransportClosed:
            continue
        raise AssertionError("it says that it has been closed")


STORE_CHECKS: Final[tuple[Callable[[Bench], Awaitable[None]], ...]] = (
    check_what_is_written_is_read,
    check_directories_are_listed,
    check_long_directories_are_listed,
    check_trees_are_removed,
    check_what_is_wrong_has_its_errno,
    check_many_ask_at_once,
    check_transactions_are_whole,
    check_transactions_are_aborted,
    check_transactions_conflict,
    check_watches_tell,
    check_watches_tell_of_transactions,
    check_watches_merge,
    check_permissions_are_kept,
    check_domains_have_a_path,
    check_a_closed_one_says_so,
)


def check_xenstore(connect: Callable[[], Xenstore], base: str, *checks: Callable[[Bench], Awaitable[None]]) -> None:
    """Runs all checks, or those that are named.

    Args:
        connect: makes a connection within a running loop; always of one domain.
        base: a node that this domain may make, and below which it may do what it likes.
        *checks: of ``STORE_CHECKS``; all when there are none.

    Raises:
        AssertionError: it does not do what it has to; says what.
    """
    for check in checks or STORE_CHECKS:
        asyncio.run(_checked(connect, base, check))


async def _checked(connect: Callable[[], Xenstore], base: str, check: Callable[[Bench], Awaitable[None]]) -> None:
    async with _bench(connect, base) as bench, asyncio.timeout(_PATIENCE * 3):
        await check(bench)


@asynccontextmanager
async def _bench(connect: Callable[[], Xenstore], base: str) -> AsyncIterator[Bench]:
    async with connect() as store, connect() as other:
        await store.remove(base)
        await store.make(base)
        yield Bench(store, other, base)
        await store.remove(base)


async def _next(watch: Watch) -> str:
    async with asyncio.timeout(_PATIENCE):
        return await watch.__anext__()


async def _refused(step: Awaitable[object], code: int) -> None:
    try:
        await step
    except XenStoreError as error:
        _require(error.errno == code, f"it is refused with {code}, not {error.errno}")
    else:
        raise AssertionError("it is refused")


def _require(holds: object, what: str) -> None:
    if not holds:
        raise AssertionError(f"it does not hold that {what}")
