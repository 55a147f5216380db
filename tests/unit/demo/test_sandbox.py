# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

from paracore.demo._sandbox import SOCKET, Sandbox, _folders, _without_nested


def words(**arguments) -> list[str]:
    return Sandbox(61001, Path("/tmp/outside.sock"), **arguments).command("-c", "pass")


def test_a_domain_sees_its_files_read_only_and_nothing_writable():
    command = words(files=(Path("/srv/clip.mp4"),))
    assert "--bind" not in command
    assert "--dev" not in command
    position = command.index("/srv/clip.mp4")
    assert command[position - 1] == "--ro-bind"


def test_the_backends_socket_is_where_domains_expect_it():
    command = words()
    position = command.index("/tmp/outside.sock")
    assert command[position + 1] == str(SOCKET)


def test_the_interpreter_runs_as_the_domains_user():
    command = words()
    assert command[-3:] == [sys.executable, "-c", "pass"]
    assert command[command.index("--reuid") + 1] == "61001"


def test_folders_above_mount_points_can_be_entered_by_other_users():
    made = _folders([Path("/root/project/src")])
    assert made == ["--perms", "0755", "--dir", "/root", "--perms", "0755", "--dir", "/root/project"]


def test_a_folder_inside_of_a_mounted_one_is_not_mounted_twice():
    paths = [Path("/usr"), Path("/usr/local"), Path("/srv"), Path("/srv")]
    assert _without_nested(paths) == [Path("/usr"), Path("/srv")]
