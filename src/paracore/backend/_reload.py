# SPDX-License-Identifier: Apache-2.0
"""The supervisor becomes its next program image, and nobody notices: for a new version, or another configuration.

1. *Rehearsal.* The same command is started as a child, with a copy of the state: whether the configuration is right,
   the devices can be made and the new version understands the state is known before anything is given up. If not,
   the reload is refused, and all goes on as it was.
2. *Drain.* Nobody is listened to any more, and what was being answered is answered. Workers work on. A guest whose device
   is just being connected or left is not waited for longer than five seconds: it begins anew.
3. *Exec.* The state goes into sealed memory, the descriptors stay open, the process becomes the same command anew. Its
   number stays, and with it the children, the sockets and their locks.

Signals that come in between wait until the next image obeys them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from paracore._errors import ConfigError, DeviceLost
from paracore.backend import _handover
from paracore.transport._rate import printable

if TYPE_CHECKING:
    from paracore.backend._config import Config
    from paracore.backend._supervisor import Supervisor

__all__ = ["SIGNALS", "Reload"]

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What a backend obeys. They are blocked from one image to the next."""
_REHEARSAL: Final = 30.0
"""Seconds that the rehearsal may take: drivers are loaded in it."""
_COMPLAINT_MAX: Final = 4000
"""Octets of the rehearsal's last words that are looked at."""


class Reload:
    """See the module.

    Args:
        supervisor: whose image is to be followed.
        file: the configuration as it was read.
    """

    def __init__(self, supervisor: Supervisor, file: Config) -> None:
        self._supervisor = supervisor
        self._file = file
        self._task: asyncio.Task[None] | None = None
        supervisor.reload_complaint = ""

    def begin(self) -> None:
        """Reloads, unless that is under way."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._rehearse()
        except ConfigError as error:
            self._supervisor.refuse_reload(str(error))
            return
        await self._supervisor.pause()
        if not self._supervisor.stopping:
            self._become()

    async def _rehearse(self) -> None:
        memory = _handover.enclose(self._supervisor.hand_over(self._file))
        words = os.memfd_create("paracore-rehearsal", os.MFD_CLOEXEC)
        try:
            child = subprocess.Popen(  # noqa: ASYNC220 - its start is not worth a thread
                _command(),
                env=_environment(f"{memory}:{_handover.REHEARSAL}"),
                pass_fds=(memory,),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
            )
            if await _ended(child):
                raise ConfigError("reload", _last_line(words))
        except OSError as error:
            raise ConfigError("reload", f"the program cannot be started: {error.strerror}") from error
        finally:
            os.close(memory)
            os.close(words)

    def _become(self) -> None:
        """Returns only if there is no next image: then this one ends as when it is told to."""
        self._supervisor.workers.leave()
        state = self._supervisor.hand_over(self._file)
        memory = _handover.enclose(state)
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        _handover.set_inheritable([memory, *state.descriptors()], inheritable=True)
        command = _command()
        try:
            os.execve(command[0], command, _environment(str(memory)))  # noqa: S606 - that is the point
        except OSError as error:
            _handover.set_inheritable(state.descriptors(), inheritable=False)
            os.close(memory)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._supervisor.give_up(
                DeviceLost("paracore", error.errno or 0, f"{command[0]} cannot be started any more")
            )


def _command() -> list[str]:
    """How this program was started."""
    return [sys.executable, *sys.orig_argv[1:]]


def _environment(handover: str) -> dict[str, str]:
    return {**os.environ, _handover.VARIABLE: handover}


async def _ended(child: subprocess.Popen[bytes]) -> int:
    """Its exit code; one that takes too long is ended."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    pidfd = os.pidfd_open(child.pid)
    loop.add_reader(pidfd, ended.cancel)
    try:
        await asyncio.wait([ended], timeout=_REHEARSAL)
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        child.kill()
        code = child.wait()
    return code


def _last_line(words: int) -> str:
    """Where the reason stands, as every program tells it."""
    length = os.fstat(words).st_size
    text = os.pread(words, _COMPLAINT_MAX, max(0, length - _COMPLAINT_MAX)).decode(errors="replace")
    lines = text.strip().splitlines() or [f"the rehearsal has ended without a word, or lasted more than {_REHEARSAL} s"]
    return printable(lines[-1].removeprefix("paracore: "))
