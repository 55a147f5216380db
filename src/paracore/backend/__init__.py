# SPDX-License-Identifier: Apache-2.0
"""The backend: a supervisor that trusts nobody, a warm parent, and one confined worker per domain.

===================  ===================================================================================
supervisor           ``_supervisor``, ``_connection``, ``_domain``, ``_worker_end``, ``_warm``, ``_status``,
                     ``_ledger``
its next image       ``_reload``, ``_handover``, ``_adoption``
warm parent          ``_zygote``, ``_devices``, ``_sandbox``, ``_seccomp``, ``_syscalls``
worker               ``_worker``, ``_channel``, ``_session``, ``_buffer``, ``_books``, ``_report``,
                     ``_report_rows``, ``_tally``
entries              ``serve``, ``PrivateBackend``, ``config_load``
===================  ===================================================================================

Loaded when they are first asked for: a worker needs none of the supervisor, nor a command-line program
most of either.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paracore.backend._config import Config, config_load, config_parse, config_private
    from paracore.backend._private import PrivateBackend
    from paracore.backend._sandbox import confinement
    from paracore.backend._serve import serve
    from paracore.backend._supervisor import Statistics

__all__ = [
    "Config",
    "PrivateBackend",
    "Statistics",
    "config_load",
    "config_parse",
    "config_private",
    "confinement",
    "serve",
]

_PLACES = {
    "Config": "_config",
    "PrivateBackend": "_private",
    "Statistics": "_supervisor",
    "config_load": "_config",
    "config_parse": "_config",
    "config_private": "_config",
    "confinement": "_sandbox",
    "serve": "_serve",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
