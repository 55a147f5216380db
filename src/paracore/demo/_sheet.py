# SPDX-License-Identifier: Apache-2.0
"""The contact sheet: pictures that the domains decoded, a row per clip, drawn with Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from pathlib import Path

    from paracore.demo._report import ClipResult, DomainResult, Report, Thumbnail

__all__ = ["ACCENTS", "FAINT", "INK", "PAPER", "draw_sheet", "font"]

_MARGIN = 40
_GAP = 12
_TITLE = 92
_HEADING = 52
_LABEL = 34

PAPER = (18, 20, 26)
INK = (236, 238, 242)
FAINT = (150, 156, 168)
ACCENTS = ((86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167))
_BAD = (213, 94, 0)


def draw_sheet(report: Report, path: Path) -> None:
    """Writes the sheet as PNG."""
    widest = max(_row_width(clip) for domain in report.domains for clip in domain.clips)
    height = _TITLE + sum(_domain_height(domain) for domain in report.domains) + _MARGIN
    sheet = _Sheet(widest + 2 * _MARGIN, height)
    sheet.title("paracore", _headline(report), good=report.ok)
    for accent, domain in zip(ACCENTS * len(report.domains), report.domains, strict=False):
        sheet.domain(domain, accent)
    sheet.image.save(path, optimize=True)


def _headline(report: Report) -> str:
    domains = f"{len(report.domains)} domains at once on {report.device}"
    verdict = (
        "every one equal to plain libav's" if not report.different else f"{report.different} differ from plain libav's"
    )
    return f"{domains} · {report.pictures} pictures, {verdict} · {report.pixel_copies} pixel copies"


def _row_width(clip: ClipResult) -> int:
    return sum(thumbnail.width for thumbnail in clip.thumbnails) + _GAP * (len(clip.thumbnails) - 1)


def _row_height(clip: ClipResult) -> int:
    return max((thumbnail.height for thumbnail in clip.thumbnails), default=0)


def _domain_height(domain: DomainResult) -> int:
    return _HEADING + sum(_LABEL + _row_height(clip) + _GAP for clip in domain.clips)


class _Sheet:
    """A page that is filled from the top."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self.image)
        self._y = _MARGIN

    def title(self, title: str, line: str, *, good: bool) -> None:
        self._text(_MARGIN, 34, title, INK)
        self._draw.text((self.image.width - _MARGIN, self._y + 14), line, FAINT if good else _BAD, font(18), "ra")
        self._y += _TITLE - _MARGIN

    def domain(self, domain: DomainResult, accent: tuple[int, int, int]) -> None:
        top = self._y + 14
        self._draw.rounded_rectangle((_MARGIN, top, _MARGIN + 6, top + 24), 3, accent)
        self._draw.text((_MARGIN + 18, top - 2), f"domain {domain.name}", accent, font(22))
        who = " ".join(f"{what} {number}" for what, number in domain.who.items())
        note = f"{who} · {'confined' if all(domain.cell.values()) else 'NOT CONFINED'}"
        self._draw.text((self.image.width - _MARGIN, top + 2), note, FAINT, font(16), "ra")
        self._y += _HEADING
        for clip in domain.clips:
            self._clip(clip)

    def _clip(self, clip: ClipResult) -> None:
        facts = f"{clip.pictures} pictures · {clip.rate:.0f} frames/s · {clip.ratio:.2f} of plain libav"
        self._text(_MARGIN, 17, clip.clip, INK)
        left = _MARGIN + int(font(17).getlength(clip.clip)) + 16
        self._text(left, 17, facts, FAINT if not clip.different else _BAD)
        self._y += _LABEL - 6
        x = _MARGIN
        for thumbnail in clip.thumbnails:
            self._thumbnail(x, thumbnail)
            x += thumbnail.width + _GAP
        self._y += _row_height(clip) + _GAP + 6

    def _thumbnail(self, x: int, thumbnail: Thumbnail) -> None:
        size = (thumbnail.width, thumbnail.height)
        picture = Image.frombytes("RGB", size, thumbnail.rgb)
        shape = Image.new("L", size, 0)
        ImageDraw.Draw(shape).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), 6, 255)
        self.image.paste(picture, (x, self._y), shape)
        self._stamp(x + thumbnail.width - 8, self._y + thumbnail.height - 8, f"{thumbnail.seconds:.2f} s")

    def _stamp(self, right: int, bottom: int, text: str) -> None:
        box = self._draw.textbbox((right, bottom), text, font(13), "rd")
        self._draw.rounded_rectangle((box[0] - 5, box[1] - 3, box[2] + 5, box[3] + 3), 4, (0, 0, 0))
        self._draw.text((right, bottom), text, INK, font(13), "rd")

    def _text(self, x: int, size: int, text: str, color: tuple[int, int, int]) -> None:
        self._draw.text((x, self._y), text, color, font(size))


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow brings."""
    return ImageFont.load_default(size)
