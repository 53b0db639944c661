"""A virtual view of styled lines: wraps to its width, scrolls by key, costs the same for a page or a megabyte."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from immunos_tui.widgets.paint import Painted

RULE = "\x00rule"
"""A line of this text is drawn as a rule over the whole width; text after it becomes its title."""


class LinesView(Painted, ScrollView, can_focus=True):
    """Shows lines of text; nothing in them is markup.

    Long lines wrap, with the indent of their first line, and never wider than ``reading_width``.
    """

    BINDINGS = [
        Binding("j,down", "scroll_lines(1)", "Down", show=False, id="view.down"),
        Binding("k,up", "scroll_lines(-1)", "Up", show=False, id="view.up"),
        Binding("pagedown,ctrl+d", "scroll_pages(1)", "Page down", show=False, id="view.page-down"),
        Binding("pageup,ctrl+u", "scroll_pages(-1)", "Page up", show=False, id="view.page-up"),
        Binding("g", "scroll_ends(0)", "Top", show=False, id="view.top"),
        Binding("G", "scroll_ends(1)", "End", show=False, id="view.end"),
    ]

    class WidthChanged(Message):
        """The view is wider or narrower than when its lines were made."""

        def __init__(self, view: LinesView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> LinesView:
            return self.view

    def __init__(self, *, reading_width: int = 0, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._reading_width = reading_width
        self._source: tuple[Text, ...] = ()
        self._strips: list[Strip] = []
        self._wrapped_to = self._made_for = 0

    @property
    def text(self) -> str:
        """What is shown, as plain text."""
        return "\n".join(line.plain for line in self._source)

    def set_lines(self, lines: Sequence[Text], *, keep_scroll: bool = True) -> None:
        """Show other lines. Nothing is repainted where they are the same."""
        fresh, self._made_for = tuple(lines), self.size.width
        if fresh == self._source and all(
            a.spans == b.spans and a.style == b.style for a, b in zip(fresh, self._source, strict=True)
        ):
            return
        self._source = fresh
        self._wrapped_to = 0
        self._wrap()
        if not keep_scroll:
            self.scroll_to(y=0, animate=False, force=True)
        self.refresh()

    def _wrap(self) -> None:
        width = self.size.width
        if not width or self._wrapped_to == width:
            return
        self._wrapped_to = width
        limit = min(width, self._reading_width) if self._reading_width else width
        self._strips = [strip for line in self._source for strip in wrap(line, max(8, limit), self.base_style)]
        self.virtual_size = Size(width, len(self._strips))

    def on_resize(self, event: events.Resize) -> None:
        self._wrapped_to = 0
        self._wrap()
        if self._source and self._made_for != event.size.width:
            self._made_for = event.size.width
            self.post_message(self.WidthChanged(self))

    def render_line(self, y: int) -> Strip:
        self._wrap()
        index = y + self.scroll_offset.y
        width = self.size.width
        if index >= len(self._strips):
            return Strip.blank(width, self.base_style)
        return self._strips[index].adjust_cell_length(width, self.base_style).apply_style(self.base_style)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        limit = min(width, self._reading_width) if self._reading_width else width
        return sum(len(wrap(line, max(8, limit), Style())) for line in self._source)

    def action_scroll_lines(self, by: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + by, animate=False, force=True)

    def action_scroll_pages(self, by: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + by * max(1, self.size.height - 1), animate=False, force=True)

    def action_scroll_ends(self, end: int) -> None:
        self.scroll_to(y=self.virtual_size.height if end else 0, animate=False, force=True)


def wrap(line: Text, width: int, base: Style) -> list[Strip]:
    """The strips of one line at a width; continuation lines keep its indent."""
    plain = line.plain
    if plain.startswith(RULE):
        return [_rule(plain[len(RULE) :], line, width)]
    indent = len(plain) - len(plain.lstrip(" ")) if plain.strip() else 0
    if line.cell_len <= width:
        return [_strip(line, base)]
    body = line[indent:] if indent else line
    first, rest = max(8, width - indent), max(8, width - indent - 2)
    pieces = body.divide(breaks(body.plain, first, rest))
    out = []
    for number, piece in enumerate(pieces):
        piece.rstrip()
        out.append(_strip(Text(" " * (indent + (2 if number else 0))) + piece, base))
    return out


_WORD = re.compile(r"\s*\S+")


def breaks(plain: str, first: int, rest: int) -> list[int]:
    """Where to break a text that is too long: before words, or inside of one that is longer than a line.

    Args:
        first: cells of the first line.
        rest: cells of every line after it.
    """
    offsets: list[int] = []
    room, used = first, 0
    for match in _WORD.finditer(plain):
        start, end = match.span()
        size = cell_len(match.group())
        if used and used + size > room:
            start += len(match.group()) - len(match.group().lstrip())
            offsets.append(start)
            size, room, used = cell_len(plain[start:end]), rest, 0
        while size > room - used:
            start = _fill(plain, start, end, room - used)
            offsets.append(start)
            size, room, used = cell_len(plain[start:end]), rest, 0
        used += size
    return offsets


def _fill(plain: str, start: int, end: int, room: int) -> int:
    """The end of the longest part of ``plain[start:end]`` that takes at most ``room`` cells, of at least one character."""
    if plain[start:end].isascii():
        return min(end, start + max(1, room))
    here, used = start, 0
    while here < end and used + cell_len(plain[here]) <= room:
        used += cell_len(plain[here])
        here += 1
    return max(here, start + 1)


def _rule(title: str, line: Text, width: int) -> Strip:
    style = line.style if isinstance(line.style, Style) else Style()
    if not title:
        return Strip([Segment("─" * width, style)])
    head = f"── {title} "
    return Strip([Segment(head, style), Segment("─" * max(0, width - len(head)), style)])


def _strip(line: Text, base: Style) -> Strip:
    """The segments of one short line."""
    if not line.spans:
        style = line.style if isinstance(line.style, Style) else Style()
        return Strip([Segment(line.plain, base + style)])
    spans = sorted((span for span in line.spans if isinstance(span.style, Style)), key=lambda span: span.start)
    edges = sorted({0, len(line.plain), *(s.start for s in spans), *(s.end for s in spans)})
    own = line.style if isinstance(line.style, Style) else Style()
    segments = []
    for start, end in pairwise(edges):
        style = base + own
        for span in spans:
            if span.start <= start and span.end >= end:
                style += span.style  # type: ignore[operator]
        segments.append(Segment(line.plain[start:end], style))
    return Strip(segments)
