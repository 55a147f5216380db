# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a board.

TestbedError
├── DomainLost      the domain, or the whole board, went away under a command
└── CommandTimeout  a command was still running at its deadline; it has been ended
"""

__all__ = ["CommandTimeout", "DomainLost", "TestbedError"]


class TestbedError(Exception):
    """A tool is missing, a download or a build failed, or a board does not come up."""

    __test__ = False  # no class of tests, whatever its name


class DomainLost(TestbedError):  # noqa: N818 - says what happened
    """The domain, or the whole board, went away under a command."""


class CommandTimeout(TestbedError):  # noqa: N818 - as above
    """A command was still running at its deadline; it has been ended."""
