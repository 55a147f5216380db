# SPDX-License-Identifier: Apache-2.0
"""The project's own tests where they have to hold: in dom0 and in a guest, on ARM64."""

import pytest

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("domain", ["dom0", "d1"])
def test_the_local_transport_on_arm64(run_tests, domain):
    run_tests(domain, "tests/unit/transport/test_local.py", "tests/unit/transport/test_link.py")


def test_the_kernels_codec_passes_the_suite_of_drivers(board, run_tests):
    board.run("dom0", "modprobe", "-a", "vicodec", "vim2m")
    assert "passed" in run_tests("dom0", "tests/conformance", "-k", "v4l2")


def test_a_guest_decodes_by_a_backend_of_its_own(board):
    """The whole of the main job on ARM64, without Xen: what is cross-built works."""
    said = board.run("d1", "paracore", "doctor", check=False, timeout=300).output
    assert "native modules     loaded" in said
