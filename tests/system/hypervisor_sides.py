# SPDX-License-Identifier: Apache-2.0
"""The sides of ``check_hypervisor`` on the board; the test on the host carries their lines both ways.

    python3 -m tests.system.hypervisor_sides guest DOMID            in a guest: does what it is told
    python3 -m tests.system.hypervisor_sides backend GUEST OTHER    in dom0: runs the checks that it is told

A line is JSON. What the backend wants of a guest says of which (``to``); a guest's reply has a value or an error.
"""

import base64
import json
import sys

from paracore._errors import EventChannelError, GrantError
from paracore.testing import HYPERVISOR_CHECKS, Domains, Guest, LocalGuest, check_hypervisor
from paracore.transport.xen import XenHypervisor

KINDS = {"GrantError": GrantError, "EventChannelError": EventChannelError}


def packed(value):
    return {"octets": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def unpacked(value):
    return base64.b64decode(value["octets"]) if isinstance(value, dict) else value


def say(**words):
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def told():
    return map(json.loads, iter(sys.stdin.readline, ""))


def ask(domain, method, arguments):
    """Has a guest do something."""
    say(to=domain, method=method, arguments=[packed(argument) for argument in arguments])
    reply = next(told())
    if "error" in reply:
        raise KINDS[reply["error"]](reply["errno"], reply["text"])
    return unpacked(reply["value"])


def distant_guest(domain):
    """A ``Guest`` each of whose methods asks the real one."""

    def method(name):
        return lambda _, *arguments: ask(domain, name, arguments)

    return type(
        "DistantGuest", (Guest,), {"domain": domain} | {name: method(name) for name in Guest.__abstractmethods__}
    )()


def serve(guest):
    """Does what it is told, until its input ends."""
    for order in told():
        try:
            value = getattr(guest, order["method"])(*map(unpacked, order["arguments"]))
        except (GrantError, EventChannelError) as error:
            say(error=type(error).__name__, errno=error.errno, text=error.strerror)
        else:
            say(value=packed(value))


def run(domains):
    """Runs one check after the other."""
    checks = {check.__name__: check for check in HYPERVISOR_CHECKS}
    for order in told():
        try:
            check_hypervisor(domains, checks[order["check"]])
        except Exception as error:  # noqa: BLE001 - told to the test
            say(fault=f"{type(error).__name__}: {error}")
        else:
            say(fault="")


if __name__ == "__main__":
    role, *numbers = sys.argv[1:]
    if role == "guest":
        serve(LocalGuest(XenHypervisor(), int(numbers[0])))
    else:
        run(Domains(XenHypervisor(), 0, *(distant_guest(int(number)) for number in numbers)))
