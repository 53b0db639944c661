"""Named styles for what the program shows: one accent, three severities, and grey.

A style never carries a meaning alone; whatever it marks also has a word or a letter.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

BARS = "▁▂▃▄▅▆▇█"

OWN_THEMES = (
    Theme(
        name="immunos-dark",
        primary="#5fb3b3",
        secondary="#81a1c1",
        accent="#5fb3b3",
        warning="#d9a75c",
        error="#e06c75",
        success="#8fbf7f",
        foreground="#c8ccd4",
        background="#14181d",
        surface="#1a1f26",
        panel="#222933",
        dark=True,
        variables={"block-cursor-text-style": "none"},
    ),
    Theme(
        name="immunos-light",
        primary="#0f6e6e",
        secondary="#3b5f8a",
        accent="#0f6e6e",
        warning="#8a5a00",
        error="#b3261e",
        success="#2e6b2e",
        foreground="#1d2329",
        background="#fafaf7",
        surface="#f1f1ec",
        panel="#e4e4dd",
        dark=False,
    ),
    Theme(
        name="immunos-contrast",
        primary="#00ffff",
        secondary="#ffffff",
        accent="#00ffff",
        warning="#ffff00",
        error="#ff6060",
        success="#60ff60",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#303030",
        dark=True,
    ),
)


@dataclass(frozen=True, eq=False, repr=False)
class Palette:
    """Rich styles by meaning, for widgets that draw their own lines."""

    text: Style
    muted: Style
    strong: Style
    accent: Style
    title: Style
    rule: Style
    critical: Style
    high: Style
    medium: Style
    ok: Style
    cursor: Style
    cursor_dim: Style
    mark: Style
    bar: Style

    def priority(self, name: str) -> Style:
        """The style of a priority's letter and word."""
        return {"critical": self.critical, "high": self.high, "medium": self.medium}.get(name, self.muted)

    def state(self, name: str) -> Style:
        """The style of a job's, agent's or back end's state."""
        good, bad, busy = (
            ("done", "up", "strong", "ok", "active"),
            ("failed", "interrupted", "down", "not usable"),
            ("running", "weak", "warn"),
        )
        return self.ok if name in good else self.critical if name in bad else self.high if name in busy else self.text


def make_palette(theme: Theme) -> Palette:
    """The styles of a theme; the terminal's own sixteen colours where it is an ANSI theme."""
    if theme.ansi:
        return _ansi_palette()
    foreground, background = Color.parse(theme.foreground or "#c8ccd4"), Color.parse(theme.background or "#101010")

    def ink(color: str | None, bold: bool = False) -> Style:
        return Style(color=Color.parse(color or "#888888").rich_color, bold=bold or None)

    grey = foreground.blend(background, 0.42).rich_color
    cursor = background.blend(Color.parse(theme.primary), 0.30).rich_color
    return Palette(
        text=Style(color=foreground.rich_color),
        muted=Style(color=grey),
        strong=Style(color=foreground.rich_color, bold=True),
        accent=ink(theme.primary),
        title=ink(theme.primary, bold=True),
        rule=Style(color=foreground.blend(background, 0.65).rich_color),
        critical=ink(theme.error, bold=True),
        high=ink(theme.warning),
        medium=ink(theme.secondary),
        ok=ink(theme.success),
        cursor=Style(bgcolor=cursor),
        cursor_dim=Style(bgcolor=background.blend(foreground, 0.10).rich_color),
        mark=ink(theme.warning, bold=True),
        bar=ink(theme.primary),
    )


def _ansi_palette() -> Palette:
    plain, bold = Style(), Style(bold=True)
    return Palette(
        text=plain,
        muted=Style(dim=True),
        strong=bold,
        accent=Style(color="cyan"),
        title=Style(color="cyan", bold=True),
        rule=Style(dim=True),
        critical=Style(color="red", bold=True),
        high=Style(color="yellow"),
        medium=Style(color="blue"),
        ok=Style(color="green"),
        cursor=Style(reverse=True),
        cursor_dim=Style(bold=True),
        mark=Style(color="yellow", bold=True),
        bar=Style(color="cyan"),
    )


def spark(values: tuple[float, ...] | tuple[int, ...], width: int, top: float = 0.0) -> str:
    """The newest ``width`` values as bars on a fixed scale from 0 to ``top``, or to the largest of them.

    Zero is the lowest bar, so that quiet and missing look different: missing is blank.
    """
    shown = values[-width:]
    high = top or max(shown, default=0) or 1
    bars = "".join(BARS[min(7, max(0, round(7 * value / high)))] for value in shown)
    return bars.rjust(width)


def gauge(fraction: float, width: int) -> str:
    """A bar of ``width`` cells, filled to ``fraction``."""
    filled = round(min(1.0, max(0.0, fraction)) * width)
    return "█" * filled + "░" * (width - filled)
