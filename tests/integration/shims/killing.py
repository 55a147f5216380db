# SPDX-License-Identifier: Apache-2.0
"""Programs whose worker is killed while they are at it."""

import os
import signal
import subprocess
import time

PATIENCE = 40


def pictures_of(text):
    """Hashes and times out of ffmpeg's framemd5."""
    return [line.split(",") for line in text.splitlines() if not line.startswith("#")]


def expected(path):
    """What ffmpeg's own decoder makes of it."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-map", "0:v", "-f", "framemd5", "-"]
    return pictures_of(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def raw(path):
    """The same, as samples."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def played(backend):
    """Outputs of the sessions of the worker that there is now."""
    report = (backend.domain()["worker"] or {}).get("report") or {"channels": []}
    return sum(session["outputs_ready"] for channel in report["channels"] for session in channel["sessions"])


class Killed:
    """A program whose worker dies.

    Attributes:
        longest: seconds between two lines of what it prints.
    """

    def __init__(self, process, backend):
        self.process = process
        self.backend = backend
        self.longest = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def kill(self):
        """Its worker."""
        os.kill(self.backend.worker(), signal.SIGKILL)

    def read_and_kill(self, at, how=None):
        """All that it prints, a line for each picture; the worker is killed behind those. It must end well."""
        lines, count, since = [], 0, None
        for line in self.process.stdout:
            now = time.monotonic()
            if since is not None:
                self.longest = max(self.longest, now - since)
            lines.append(line)
            if line.startswith("#"):
                continue
            count += 1
            if count in at:
                (how or self.kill)()
            since = time.monotonic()
        assert self.process.wait(PATIENCE) == 0, self.process.stderr.read()[-2000:]
        return "".join(lines)

    def said(self):
        """What it has complained of since it was last asked."""
        descriptor = self.process.stderr.fileno()
        os.set_blocking(descriptor, False)
        try:
            return os.read(descriptor, 1 << 16).decode()
        except BlockingIOError:
            return ""

    def end(self):
        """It must end well."""
        _, said = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, said[-2000:]
