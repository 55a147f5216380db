# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.integration.backends import Backend, Elsewhere


@pytest.fixture
def make_backend(pytestconfig):
    """Starts backends with settings of their own; all end with the test. With ``--socket`` it is the one there."""
    made = []

    def make(**settings):
        if address := pytestconfig.getoption("--socket"):
            return Elsewhere(address, **settings)
        made.append(Backend(**settings))
        return made[-1].start()

    yield make
    for backend in made:
        backend.remove()


@pytest.fixture
def backend(make_backend):
    return make_backend()


@pytest.fixture(scope="module")
def steady():
    """A backend that the tests of a module share: for those that neither end it nor count."""
    started = Backend().start()
    yield started
    started.remove()
