# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.integration.xen.machine import Machine


@pytest.fixture
def machine():
    made = Machine()
    yield made
    made.close()
