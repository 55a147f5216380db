# SPDX-License-Identifier: Apache-2.0
"""Real Xen: one emulated board for the session, with the guests ``d1`` and ``d2``."""

import pytest

import testbed

GUESTS = ("d1", "d2")
PLACE = "/opt/paracore"
SUSPECT = pytest.StashKey[bool]()
BOOT_TIMEOUT = 900
"""Seconds for the first test, which also builds and boots the board on whatever else the host does."""


def pytest_collection_modifyitems(items):
    for item in items:
        if "board" in item.fixturenames and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(BOOT_TIMEOUT))


@pytest.fixture(scope="session")
def board(pytestconfig):
    """The board; guests that a test has ended are there again for the next one that asks for ``guests``."""
    name = pytestconfig.getoption("--board")
    if name:
        board = testbed.Board.attach(testbed.folder_of(name))
        for domain in ("dom0", *board.guests()):
            board.push(domain)
        yield board
        return
    with testbed.Board(guests=GUESTS) as board:
        yield board


def renew_suspect(config, board):
    """What a failed test left may hang all others: they get the board as it was at the start, which takes seconds."""
    if config.stash.get(SUSPECT, False) and not config.getoption("--board"):
        config.stash[SUSPECT] = False
        board.kill()
        board.boot()


@pytest.fixture(scope="module", autouse=True)
def module_board(request, pytestconfig):
    """Each module begins with a board that no failure has touched."""
    if SUSPECT in pytestconfig.stash:
        renew_suspect(pytestconfig, request.getfixturevalue("board"))


@pytest.fixture
def sound_board(board, pytestconfig):
    """The board for tests which keep nothing on it from one to the next: each begins with a sound one."""
    renew_suspect(pytestconfig, board)
    return board


@pytest.fixture
def guests(board):
    """The names of two guests that answer."""
    for guest in GUESTS:
        if guest not in board.guests():
            board.create_guest(guest)
    return GUESTS


@pytest.fixture(scope="session")
def run_tests(board):
    """Runs tests of this tree by pytest in a domain; what they say is this test's own when they fail."""

    def run(domain, *arguments, timeout=600):
        command = ("python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", str(timeout), *arguments)
        result = board.run(domain, *command, directory=PLACE, timeout=timeout, check=False)
        assert not result.status, f"in {domain}:\n{result.output}\n{result.errors.decode()}"
        return result.output

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails shows what the board said last."""
    report = yield
    board = item.funcargs.get("board") if hasattr(item, "funcargs") else None
    if report.failed and board:
        item.config.stash[SUSPECT] = True
        report.sections.append(("console of Xen and dom0", board.console()[-3000:]))
    return report
