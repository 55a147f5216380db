# SPDX-License-Identifier: Apache-2.0
"""How the command line ends: exit codes, and the one line that says why.

Results go to standard output, everything else to standard error. A fault of the user's surroundings is
one line with its remedy, never a traceback; a traceback is a fault of paracore.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from enum import IntEnum
from typing import TYPE_CHECKING

from paracore._errors import (
    ConfigError,
    DriverError,
    Error,
    MediaError,
    PermissionRefused,
    ProtocolError,
    QuotaExceeded,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

__all__ = ["ExitCode", "OutputError", "UsageError", "complain", "explain", "output_errors"]


class ExitCode(IntEnum):
    """What ``paracore`` returns to the shell; the help prints this table."""

    meaning: str

    def __new__(cls, number: int, meaning: str) -> Self:
        """A member from its number and its meaning."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.meaning = meaning
        return member

    OK = 0, "all of it was done"
    FAULT = 1, "a fault in paracore itself, please report it"
    USAGE = 2, "the command line is wrong"
    INPUT = 3, "the input cannot be used: missing, empty, no video, or of a codec that the device lacks"
    DAMAGED = 4, "the input is cut short or damaged; what could be made of it has been written"
    BACKEND = 5, "there is no backend, it has gone, or its device failed"
    REFUSED = 6, "the backend's policy or one of its limits does not allow it"
    OUTPUT = 7, "the output cannot be written: no space, no permission, no such folder"
    CONFIG = 8, "the backend's configuration is wrong"
    INTERRUPTED = 130, "Ctrl-C"
    CLOSED_PIPE = 141, "whoever read standard output has gone"


class UsageError(Error):
    """The command line asks for something that makes no sense."""


class OutputError(Error):
    """The output cannot be written."""


#: The first that fits counts.
_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
    (BrokenPipeError, ExitCode.CLOSED_PIPE),
    (UsageError, ExitCode.USAGE),
    (OutputError, ExitCode.OUTPUT),
    (MediaError, ExitCode.INPUT),
    (ConfigError, ExitCode.CONFIG),
    (QuotaExceeded, ExitCode.REFUSED),
    (PermissionRefused, ExitCode.REFUSED),
    (DriverError, ExitCode.BACKEND),
    (TransportError, ExitCode.BACKEND),
    (ProtocolError, ExitCode.BACKEND),
    (OSError, ExitCode.INPUT),
)

#: Nothing needs to be said about these.
_QUIET = (ExitCode.INTERRUPTED, ExitCode.CLOSED_PIPE)


def explain(error: BaseException) -> ExitCode | None:
    """Says in one line what went wrong.

    Returns:
        The exit code, or None for a fault in paracore, which deserves its traceback.
    """
    code = next((code for kind, code in _CODES if isinstance(error, kind)), None)
    if code is not None and code not in _QUIET:
        complain(_system_words(error) if isinstance(error, OSError) else str(error))
    return code


def complain(text: str) -> None:
    """Prints one line to standard error."""
    line = " ".join(text.split())
    with suppress(OSError):  # nobody may be left to hear it
        print(f"paracore: {line}", file=sys.stderr, flush=True)


def _system_words(error: OSError) -> str:
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what


@contextmanager
def output_errors(name: str) -> Iterator[None]:
    """What the system says about an output becomes ``OutputError``; a closed pipe stays what it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"{name}: cannot be written ({os.strerror(error.errno) if error.errno else error})"
        ) from error
