# SPDX-License-Identifier: Apache-2.0
"""``paracore run``: an unmodified program, which finds the devices as ``/dev/videoN`` and as an OpenMAX IL core."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import paracore
from paracore.cli._backend import nobody_there
from paracore.cli._environment import (
    add_api_option,
    add_wish_options,
    cache_folder,
    chosen_apis,
    environment_for,
    static_runner,
    wishes_of,
)
from paracore.cli._exit import UsageError, complain
from paracore.cli._options import add_backend_options, add_file, add_trace_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paracore.backend import PrivateBackend

NAME = "run"
SUMMARY = "run an unmodified program that finds the devices as /dev/videoN and in OpenMAX IL"
EXAMPLES = """
  paracore run -- v4l2-ctl --list-devices
  paracore run -- ffmpeg -c:v h264_v4l2m2m -i in.mp4 -f null -
  paracore run -- gst-launch-1.0 filesrc location=in.mp4 ! qtdemux ! h264parse ! v4l2h264dec ! autovideosink
  paracore run --api omx -- gst-launch-1.0 filesrc location=in.h264 ! h264parse ! omxh264dec ! fakesink
  paracore run --static -- ./ffmpeg-static -c:v h264_v4l2m2m -i in.mp4 -f null -
  sudo paracore run --domain web -- ffmpeg ...     as a domain of the running backend
  paracore run --rate 30 -- mpv film.mp4           before what declares no rate, on a device with policy deadline
  paracore run --trace trace.json -- ffmpeg ...    with a timeline of each unit, for ui.perfetto.dev
"""

#: Those that somebody sends to end or to tell a program something; this one passes them on.
_PASSED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
#: Python ignores these, and a program would inherit that.
_IGNORED_HERE = (signal.SIGPIPE, signal.SIGXFSZ)
_FROM_SOMEBODY = 0
"""sigaction(2), si_code: SI_USER and below. What the terminal sends, the program gets by itself."""
#: Of an ELF file's header: magic and class; where the program headers are, how large, how many.
_ELF = struct.Struct("<5s27xQ14xHH")
_PT_INTERP = 3
#: Tells paracore-static which program executes itself by /proc/self/exe, as busybox does.
_STATIC = "PARACORE_STATIC"
_KILLED = 128
"""What shells add to a signal's number."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    add_api_option(parser)
    add_wish_options(parser)
    parser.add_argument(
        "--domain", metavar="NAME", help="as this domain of the running backend: as its user (needs root)"
    )
    parser.add_argument(
        "--static", action="store_true", help="for a statically linked program, which ignores what is preloaded"
    )
    add_trace_option(parser)
    add_backend_options(parser)
    add_file(
        parser,
        "program",
        nargs=argparse.REMAINDER,
        metavar="PROGRAM",
        help="the program and its arguments, after --",
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the program; returns its exit code, or does not return where the program takes this process's place."""
    words = _words(arguments)
    apis = () if arguments.static else chosen_apis(arguments.api)
    inherited = os.environ | ({_STATIC: os.path.abspath(words[1])} if arguments.static else {})  # noqa: PTH100 - links stay
    address = None if arguments.private else _running(arguments)
    changes = _become(arguments.domain, address) if arguments.domain and address else {}
    if address is None or arguments.trace:
        return _run_beside(arguments, apis, words, inherited | changes, address)
    return _execute(words, _environment(apis, address, inherited | changes, wishes_of(arguments)))


def _words(arguments: argparse.Namespace) -> list[str]:
    """The program, with what runs it; complains of what makes no sense."""
    words: list[str] = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    if not words:
        raise UsageError("say which program: paracore run -- PROGRAM ARGUMENT...")
    if arguments.domain and arguments.private:
        raise UsageError("a private backend has no domains; leave --domain or --private out")
    if arguments.static and arguments.api not in (None, "v4l2"):
        raise UsageError("a statically linked program loads no OpenMAX IL core; leave --api out")
    path = shutil.which(words[0])
    if path is None:
        raise UsageError(f"there is no program {words[0]}; install it, or give its path")
    if arguments.static:
        return [static_runner(), path, *words[1:]]
    if _is_static(path):
        complain(f"{words[0]} is statically linked and will not see the devices; run it with --static")
    return words


def _is_static(path: str) -> bool:
    """Whether it is a program for this machine's Linux that names no interpreter (elf(5))."""
    try:
        with Path(path).open("rb") as file:
            header = file.read(_ELF.size)
            magic, offset, size, count = _ELF.unpack(header)
            file.seek(offset)
            kinds = [int.from_bytes(file.read(size)[:4], "little") for _ in range(count)]
    except (OSError, struct.error):
        return False
    return magic == b"\x7fELF\x02" and _PT_INTERP not in kinds and bool(kinds)


def _running(arguments: argparse.Namespace) -> str | None:
    """The socket of the backend that was named or that runs; None when one has to be started."""
    from paracore.frontend import default_address  # noqa: PLC0415 - needs the native library

    address = str(arguments.address or default_address())
    try:
        paracore.open(address).close()
    except paracore.PermissionRefused:
        if not arguments.domain:
            raise
    except paracore.TransportError as error:
        named = arguments.address or arguments.domain or os.environ.get("PARACORE_SOCKET")
        if named or not nobody_there(error):
            raise
        return None
    return os.path.abspath(address)  # noqa: PTH100 - the program may be in another folder, links stay


def _environment(
    apis: Sequence[str], address: str, inherited: Mapping[str, str], wishes: Mapping[str, str]
) -> dict[str, str]:
    folder = cache_folder()
    if "omx" not in apis:
        return environment_for(apis, address, folder, {}, wishes).over(inherited)
    with paracore.open(address) as domain:
        return environment_for(apis, address, folder, domain.devices, wishes).over(inherited)


# --- in place of this process, or beside it -------------------------------------------------------------------


def _execute(words: list[str], environment: Mapping[str, str]) -> NoReturn:
    for number in _IGNORED_HERE:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606 - no shell is wanted
    except OSError as error:
        raise UsageError(f"{words[0]} cannot be started: {error.strerror}") from error


def _run_beside(
    arguments: argparse.Namespace,
    apis: Sequence[str],
    words: list[str],
    inherited: dict[str, str],
    address: str | None,
) -> int:
    """With something to be done afterwards: a backend of its own to be ended, a trace to be written."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_PASSED, signal.SIGCHLD})
    try:
        with ExitStack() as stack:
            at = address or stack.enter_context(_private()).address
            recorded = _record(stack, at, arguments.trace) if arguments.trace else {}
            environment = _environment(apis, at, inherited | recorded, wishes_of(arguments))
            return _wait(_spawn(words, environment, before))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _private() -> PrivateBackend:
    from paracore.backend import PrivateBackend  # noqa: PLC0415 - not needed when one runs

    return PrivateBackend()


def _record(stack: ExitStack, address: str, output: str) -> dict[str, str]:
    """Traces the program from now on; returns what changes in its environment."""
    from paracore.cli._recording import recording  # noqa: PLC0415 - seldom needed

    trace = stack.enter_context(recording(output))
    with paracore.open(address) as domain:
        devices = list(domain.devices)
    trace.follow(address, devices)
    return trace.variables


def _spawn(words: list[str], environment: Mapping[str, str], mask: Any) -> int:
    try:
        return os.posix_spawnp(words[0], words, environment, setsigmask=mask, setsigdef=_IGNORED_HERE)
    except OSError as error:
        raise UsageError(f"{words[0]} cannot be started: {error.strerror}") from error


def _wait(pid: int) -> int:
    """Passes signals on until the program has ended; returns its exit code as a shell would."""
    while True:
        told = signal.sigwaitinfo({*_PASSED, signal.SIGCHLD})
        if told.si_signo != signal.SIGCHLD:
            if told.si_code <= _FROM_SOMEBODY:
                os.kill(pid, told.si_signo)
            continue
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else _KILLED - code


# --- as a domain ----------------------------------------------------------------------------------------------


def _become(name: str, address: str) -> dict[str, str]:
    """Becomes the user, or joins the group, that the backend knows the domain by.

    Returns:
        What changes in the environment.

    Raises:
        PermissionRefused: this process may not.
        UsageError: the backend has no such domain.
    """
    from paracore.frontend import backend_status  # noqa: PLC0415 - needs the native library

    if _own_domain(address) == name:
        return {}
    if os.geteuid() != 0:
        own = _own_domain(address)
        raise paracore.PermissionRefused(
            f"only root may run a program as domain {name}: sudo paracore run --domain {name}; "
            + (f"this user is domain {own}" if own else "this user is no domain")
        )
    domains = {domain["name"]: domain.get("identities", []) for domain in backend_status(address)["domains"]}
    if name not in domains:
        raise UsageError(f"the backend has no domain {name}; it has {', '.join(domains) or 'none'}")
    changes = _change_identity(name, domains[name])
    if (became := _own_domain(address)) != name:
        raise paracore.PermissionRefused(f"the backend takes {', '.join(domains[name])} for {became or 'no domain'}")
    return changes


def _own_domain(address: str) -> str | None:
    try:
        with paracore.open(address) as domain:
            return domain.name
    except paracore.PermissionRefused:
        return None


def _change_identity(name: str, identities: Sequence[str]) -> dict[str, str]:
    known = dict(identity.split(":", 1) for identity in identities)
    if "uid" in known:
        return _change_user(int(known["uid"]))
    if "gid" in known:
        os.setgroups([int(known["gid"])])
        os.setresgid(*[int(known["gid"])] * 3)
        return {}
    raise UsageError(f"domain {name} is a guest ({', '.join(identities)}); run the program there")


def _change_user(user: int) -> dict[str, str]:
    """As su does, also for a number that has no name."""
    import pwd  # noqa: PLC0415 - only root needs it

    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        return {"HOME": "/"}
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setresgid(*[entry.pw_gid] * 3)
    os.setresuid(user, user, user)
    return {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}
