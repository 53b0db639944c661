"""The frame of every screen: a line at the top, a line of keys at the bottom, and thin rules with a title."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from immunos_tui.model.posture import Posture
from immunos_tui.model.text import clean, cut
from immunos_tui.widgets.paint import Painted
from immunos_tui.widgets.palette import Palette

Piece = tuple[str, str]
"""Text and the name of its style in the palette."""


class LineWidget(Painted):
    """One line of styled pieces, repainted only when they change. ``right`` is aligned at the end."""

    DEFAULT_CSS = "LineWidget { height: 1; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.pieces: tuple[Piece, ...] = ()
        self.right: tuple[Piece, ...] = ()

    def show(self, pieces: Sequence[Piece], right: Sequence[Piece] = ()) -> None:
        """Show other pieces."""
        shown = (
            tuple((clean(text), style) for text, style in pieces),
            tuple((clean(text), style) for text, style in right),
        )
        if shown != (self.pieces, self.right):
            self.pieces, self.right = shown
            self.refresh()

    @property
    def text(self) -> str:
        """What is shown, as plain text."""
        return "".join(text for text, _ in (*self.pieces, *self.right))

    def render_line(self, y: int) -> Strip:
        palette: Palette = self.app.palette  # type: ignore[attr-defined]
        width, base = self.size.width, self.base_style
        right = [Segment(text, base + _ink(palette, name)) for text, name in self.right]
        taken = sum(cell_len(segment.text) for segment in right)
        if taken > width:
            right, taken = [], 0
        left = Strip([Segment(text, base + _ink(palette, name)) for text, name in self.pieces])
        left = left.adjust_cell_length(width - taken, base)
        return Strip([*left, *right])


def _ink(palette: Palette, name: str) -> Style:
    found = getattr(palette, name, None)
    return found if isinstance(found, Style) else palette.text


class HeadLine(LineWidget):
    """Host, tabs, connectivity, and what needs a human."""

    class TabClicked(Message):
        """A tab's name was clicked."""

        def __init__(self, tab: str) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self) -> None:
        super().__init__(id="head")
        self._spots: list[tuple[int, int, str]] = []

    def set_state(self, host: str, tabs: Sequence[tuple[str, str]], current: str, right: Sequence[Piece]) -> None:
        """Show the tabs as far as there is room: names, or only their numbers."""
        room = self.size.width or 80
        taken = sum(cell_len(text) for text, _ in right)
        for host_room, short in ((len(host), False), (8, False), (0, False), (0, True)):
            pieces = self._tab_pieces(cut(host, host_room) if host_room else "", tabs, current, short=short)
            if sum(cell_len(text) for text, _ in pieces) + taken <= room:
                break
        spots, x = [], 0
        for (text, _), tab in zip(pieces, ["", *(name for name, _ in tabs for _ in range(1))], strict=False):
            spots.append((x, x + cell_len(text), tab))
            x += cell_len(text)
        self._spots = spots
        self.show(pieces, right)

    @staticmethod
    def _tab_pieces(host: str, tabs: Sequence[tuple[str, str]], current: str, *, short: bool) -> list[Piece]:
        pieces: list[Piece] = [(f" {host} " if host else " ", "muted")]
        for number, (name, title) in enumerate(tabs, 1):
            label = f"{number}" if short and name != current else f"{number} {title}"
            pieces.append((f"▌{label}▐", "title") if name == current else (f" {label} ", "text"))
        return pieces

    def on_click(self, event: events.Click) -> None:
        for start, end, tab in self._spots:
            if tab and start <= event.x < end:
                self.post_message(self.TabClicked(tab))


class KeyLine(LineWidget):
    """The keys that matter now, most important first, as many as there is room for."""

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._hints: tuple[tuple[str, str], ...] = ()

    def set_keys(self, hints: Sequence[tuple[str, str]]) -> None:
        """Show (key, verb) pairs; the last two always fit."""
        self._hints = tuple(hints)
        room = (self.size.width or 80) - 1
        tail = list(hints[-2:])
        used = sum(_width(hint) for hint in tail)
        head = []
        for hint in hints[:-2]:
            if used + _width(hint) > room:
                break
            head.append(hint)
            used += _width(hint)
        pieces: list[Piece] = [(" ", "text")]
        for key, verb in [*head, *tail]:
            pieces += [(key, "accent"), (f" {verb}  ", "muted")]
        self.show(pieces)

    def on_resize(self) -> None:
        if self._hints:
            self.set_keys(self._hints)


def _width(hint: tuple[str, str]) -> int:
    return cell_len(hint[0]) + cell_len(hint[1]) + 3


class PostureLine(LineWidget):
    """All that is left of a tab where the terminal is too small for it: how many issues are open, by urgency."""

    def __init__(self) -> None:
        super().__init__(id="smallest")

    def set_posture(self, now: Posture) -> None:
        pieces: list[Piece] = [(f" {now.open} open ", "strong")]
        pieces += [
            (f"{count} {name} ", name) for name, count in (("critical", now.critical), ("high", now.high)) if count
        ]
        self.show([*pieces, (" enlarge the terminal to see more", "muted")])


class RuleLine(LineWidget):
    """A thin rule with a title; it separates panes without a box."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._titled = ("", "", "title")

    def set_title(self, title: str, note: str = "", style: str = "title") -> None:
        self._titled = (title, note, style)
        width, title = self.size.width or 80, clean(title)
        head: list[Piece] = [("── ", "rule")] if title else []
        shown = cut(title, max(4, width - 6))
        if title:
            head.append((shown + " ", style))
        tail = f" {note} " if note and cell_len(shown) + cell_len(note) + 12 < width else ""
        used = sum(cell_len(text) for text, _ in head) + cell_len(tail)
        self.show(
            [
                *head,
                ("─" * max(0, width - used - (2 if tail else 0)), "rule"),
                (tail, "muted"),
                ("──" if tail else "", "rule"),
            ]
        )

    def on_resize(self) -> None:
        self.set_title(*self._titled)
