# SPDX-License-Identifier: Apache-2.0
"""The real xenstored: the shipped suite in dom0 and in a guest, and who may do what with an attached device's nodes."""

import pytest

pytestmark = pytest.mark.timeout(900)

ATTACH = """
import asyncio
from paracore.toolstack import attach, attached, detach, find_domain
from paracore.transport.xen import Xenstore

async def main():
    async with Xenstore.connect() as store:
        guest = await find_domain(store, "d1")
        if "{verb}" == "attach":
            await attach(store, guest, ["vpu0"], timeout=0)
        else:
            await detach(store, guest, force=True)
        print(len(await attached(store)))

asyncio.run(main())
"""


@pytest.mark.parametrize("domain", ["dom0", "d1"])
def test_the_suite_of_xenstores(run_tests, domain):
    assert "passed" in run_tests(domain, "tests/conformance/test_xenstore.py", "-k", "real")


@pytest.fixture
def attached(board, guests):
    """The directories of a device of d1 that nobody has taken up."""

    def toolstack(verb):
        return board.run("dom0", "python3", "-c", ATTACH.format(verb=verb), timeout=200).output.strip()

    assert toolstack("attach") == "1"
    number = board.domid(guests[0])
    yield f"/local/domain/{number}/device/paracore/0", f"/local/domain/0/backend/paracore/{number}/0"
    assert toolstack("detach") == "0"
    assert board.run("dom0", "xenstore-ls", "/local/domain/0/backend/paracore").output.strip() == ""


def test_who_may_do_what(board, attached):
    frontend, backend = attached

    def may(domain, verb, *words):
        return not board.run(domain, f"xenstore-{verb}", *words, check=False, timeout=60).status

    assert may("d1", "read", f"{backend}/max-sessions")
    assert not may("d1", "write", f"{backend}/max-sessions", "512")
    assert not may("d1", "rm", backend)
    assert may("d1", "write", "device/paracore/0/ring-ref", "8")
    assert may("dom0", "read", f"{frontend}/ring-ref")
    assert not may("d1", "write", "device/paracore/1/state", "1")
    for path in (frontend, backend):
        assert not may("d2", "read", f"{path}/state")
        assert not may("d2", "write", f"{path}/state", "6")
