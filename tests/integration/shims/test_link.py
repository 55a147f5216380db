# SPDX-License-Identifier: Apache-2.0
"""What a program's link gives to a backend whose worker dies, and what it takes back."""

from dataclasses import dataclass, field

import pytest

from paracore.classes import video
from tests.integration.native import fake_backend
from tests.integration.shims import liar
from tests.integration.shims.liar import Liar, dies_at
from tests.unit.native.test_builds import build, run

WHOLE, BARE = b"\0\0\1\x67\1\2\0\0\1\x68\3\0\0\1\x65\x09\x09", b"\0\0\1\x65\x08\x08"
"""As in link.c."""
SETS = b"\0\0\0\1\x67\1\2\0\0\0\1\x68\3"

pytestmark = pytest.mark.timeout(600)  # the first builds it


@pytest.fixture(scope="module")
def client():
    """The program, under the sanitizers."""
    folder = build("test-address", "-Db_sanitize=address,undefined", "-Db_lundef=false")
    return folder / "native/tests/test-link"


@dataclass
class Pages:
    """Counts those of each connection that the backend has, or has had."""

    had: list[int] = field(default_factory=list)
    has: list[int] = field(default_factory=list)

    def open(self, connection, header, payload):
        self.had.append(0)
        self.has.append(0)
        fake_backend.channel_open(connection, header, payload)

    def attach(self, connection, header, payload):
        self.had[-1] += 1
        self.has[-1] += 1
        liar.attach(connection, header, payload)

    def detach(self, connection, header, payload):
        self.has[-1] -= 1
        fake_backend.buffer_detach(connection, header, payload)

    @property
    def answers(self):
        return {"link_channel_open": self.open, "core_buffer_attach": self.attach, "core_buffer_detach": self.detach}


@pytest.fixture
def lost(client, tmp_path):
    """Runs the program, whose worker dies at such a request, to its end. Returns what became of the pages."""

    def launch(word, request, **answers):
        pages = Pages()
        with Liar(tmp_path, **(pages.answers | dies_at(request) | answers)) as backend:
            run(client, word, PARACORE_SOCKET=backend.address)
        return pages

    return launch


def test_a_session_that_is_closed_while_units_are_given_again_takes_their_pages_back(lost):
    pages = lost("close", "video_queue_input")
    assert pages.had == [1, 2]  # the program's; again, and those of its units
    assert pages.has[-1] == 0


def test_a_drain_behind_nothing_needs_no_pages(lost):
    assert lost("drain", "video_drain").had == [1, 1]


@pytest.mark.parametrize("request_", ["video_flush", "video_control_set"])
def test_a_device_that_is_lost_at_a_seek_is_followed_by_one_that_is_told_the_parameter_sets(request_, lost):
    """The stream says them once, and its new position is not where it does."""
    units = []

    def given(connection, header, payload):
        span = video.QueueInput.unpack(payload).span
        units.append(connection.backend.pages[span.buffer][span.offset : span.offset + span.length])
        liar.queued(connection, header, payload)

    pages = lost("seek", request_, video_queue_input=given)
    assert units[0] == WHOLE
    assert units[-1] == SETS + BARE
    assert pages.has[-1] == 0
