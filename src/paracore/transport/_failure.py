# SPDX-License-Identifier: Apache-2.0
"""Exceptions as values of the wire and back: the one place where the two meet."""

from __future__ import annotations

from paracore._errors import PermissionRefused, QuotaExceeded, StateError
from paracore.classes import link

__all__ = ["failure_of"]

_NO_MEMORY = frozenset({12, 23, 24})
"""ENOMEM, ENFILE, EMFILE: the host ran out of something, which is not the domain's fault."""


def failure_of(error: Exception) -> link.Failure:
    """The value that tells a peer of an exception; what is nobody's business becomes ``io``."""
    if isinstance(error, QuotaExceeded):
        return link.Failure(link.Error.NO_SPACE, link.Limit[error.limit.upper()], error.allowed)
    if isinstance(error, OSError):
        return link.Failure(_error_of(error.errno or 0), link.Limit.NONE, 0)
    return link.Failure(_BY_TYPE.get(type(error), link.Error.IO), link.Limit.NONE, 0)


_BY_TYPE: dict[type[Exception], link.Error] = {
    PermissionRefused: link.Error.PERMISSION,
    StateError: link.Error.BUSY,
    MemoryError: link.Error.NO_MEMORY,
}


def _error_of(code: int) -> link.Error:
    if code in _NO_MEMORY:
        return link.Error.NO_MEMORY
    try:
        return link.Error(code)
    except ValueError:
        return link.Error.IO
