# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("user_program.py")


def test_a_users_program_is_well_typed(tmp_path):
    options = ["--strict", "--warn-unused-ignores", "--no-error-summary", "--cache-dir", str(tmp_path)]
    command = [sys.executable, "-m", "mypy", *options, str(PROGRAM)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PROGRAM.parents[2])
    assert done.returncode == 0, done.stdout + done.stderr
