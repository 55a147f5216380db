# SPDX-License-Identifier: Apache-2.0
"""Who has reserved how much of the devices: samples a second, against what a device can do.

Sans-I/O, in the supervisor: it alone knows of all domains. Trusts no worker: a domain has at most as many
reservations as it may have sessions, so that no worker fills the books, and its reservations go with its worker. What
is counted is what a session declares; it is a promise to those that declare, and no wall against those that do not,
which is what rates and device time are for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from paracore.classes import video
from paracore.protocol import DIMENSION_MAX

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from paracore.classes.video import PictureFormat

__all__ = ["DECLARATIONS", "Admission", "Bounds", "bounded_rate", "bounded_samples", "declared_rate", "stream_rate"]

DECLARATIONS: Final = frozenset({video.Control.RATE, video.Control.SAMPLES})
"""Controls of which no driver hears."""

_RATE_MAX: Final = 1_000_000
"""Pictures in a thousand seconds that a session may declare: a thousand a second is beyond any screen."""

_ENDLESS: Final = (1 << 63) - 1


class Bounds(NamedTuple):
    """What one domain may reserve at most, so that none takes a device from all others by declaring much.

    Attributes:
        sessions: so many reservations of a device.
        rate: samples a second of all devices together, also of those without a budget; 0: no bound.
    """

    sessions: int
    rate: int


def declared_rate(picture_format: PictureFormat) -> int:
    """Samples a second of a format that is wished for, rounded up; 0 without a frame rate: nobody knows then.

    The wish may say anything. Of its sizes only the visible one counts (``video.format_set``).
    """
    if not picture_format.rate_den:
        return 0
    samples = picture_format.width * picture_format.height * picture_format.rate_num
    return min(-(-samples // picture_format.rate_den), _ENDLESS)


def stream_rate(samples: int, rate: int) -> int:
    """The same of a stream of pictures of so many samples, `rate` of which are to be shown in a thousand seconds."""
    return min(-(-samples * rate // 1000), _ENDLESS)


def bounded_rate(rate: int) -> int:
    """Pictures in a thousand seconds, of whatever a session declares."""
    return max(0, min(rate, _RATE_MAX))


def bounded_samples(samples: int) -> int:
    """Of a picture, of whatever a decoder's user expects."""
    return max(0, min(samples, DIMENSION_MAX**2))


class Admission:
    """See the module.

    Args:
        budgets: samples a second by device; 0: nobody knows, and nothing but their own bound keeps domains out.
    """

    def __init__(self, budgets: Mapping[str, int]) -> None:
        self.budgets = dict(budgets)
        self._reserved: dict[Hashable, dict[str, dict[int, int]]] = {}  # domain, device, session

    def reserve(self, domain: Hashable, device: str, session: int, rate: int, bounds: Bounds) -> int | None:
        """So much for a session from now on, instead of what it had; less than it had always fits.

        Returns:
            The budget or bound that is in the way: then nothing has changed. None: there was none.
        """
        held = self._reserved.setdefault(domain, {}).setdefault(device, {})
        more = rate - held.get(session, 0)
        if rate and session not in held and len(held) >= bounds.sessions:
            return bounds.sessions
        for reserved, most in (
            (self.reserved(device), self.budgets[device]),
            (sum(self.account(domain).values()), bounds.rate),
        ):
            if more > 0 and most and reserved + more > most:
                return most
        held[session] = rate
        if not rate:
            del held[session]
        return None

    def change(self, device: str, budget: int) -> None:
        """A device can do so much from now on. Who has been let in stays, though it may be more than that."""
        self.budgets[device] = budget

    def hand_over(self, domain: Hashable) -> dict[str, dict[int, int]]:
        """What a domain's sessions have, by device."""
        return self._reserved.get(domain, {})

    def adopt(self, domain: Hashable, reserved: dict[str, dict[int, int]]) -> None:
        """It has that from before: nobody is asked again."""
        self._reserved[domain] = reserved

    def leave(self, domain: Hashable) -> None:
        """Its worker has gone, with all its sessions."""
        self._reserved.pop(domain, None)

    def reserved(self, device: str) -> int:
        """Of a device, by all domains."""
        return sum(self.account(domain).get(device, 0) for domain in self._reserved)

    def account(self, domain: Hashable) -> dict[str, int]:
        """Of a domain, by device."""
        return {device: sum(held.values()) for device, held in self._reserved.get(domain, {}).items() if held}
