# SPDX-License-Identifier: Apache-2.0
"""``paracore completion``: a script that teaches a shell the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

NAME = "completion"
SUMMARY = "print a completion script for a shell"
EXAMPLES = """
  paracore completion bash > /etc/bash_completion.d/paracore
  paracore completion zsh > "${fpath[1]}/_paracore"
"""


#: Those of shtab, which is loaded only when it has something to do.
SHELLS = ("bash", "zsh", "tcsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    parser.add_argument("shell", choices=SHELLS, help="which shell")


def run(arguments: argparse.Namespace) -> None:
    """Prints the script."""
    import shtab  # noqa: PLC0415 - see SHELLS

    from paracore.cli._parser import make_parser  # noqa: PLC0415 - it imports this module

    print(shtab.complete(make_parser(), arguments.shell))
