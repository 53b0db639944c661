"""A virtual table: any number of rows by key, of which only those on the screen are ever drawn or fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from immunos_tui.model.text import cut_middle
from immunos_tui.widgets.paint import Painted
from immunos_tui.widgets.palette import Palette

AHEAD = 60
"""Rows beyond the screen that are asked for together with those on it."""

STEPS = {"j": 1, "down": 1, "k": -1, "up": -1}
"""The keys of the bindings ``table.down`` and ``table.up``, while nobody has given them others."""

MOST_STRIPS = 400
"""Lines that are kept as they were drawn, so that scrolling draws only the one that comes in."""


@dataclass(frozen=True, eq=False, repr=False)
class Column:
    """One column. ``width`` 0 takes what is left; it appears from a table of ``from_width`` cells on."""

    name: str
    title: str
    width: int = 0
    right: bool = False
    from_width: int = 0
    middle: bool = False


Cell = tuple[str, str]
"""A cell's clean text and the name of its style in the palette."""


class RowTable(Painted, ScrollView, can_focus=True):
    """Rows by integer key; cells come by ``put`` for the keys that ``Wanted`` asks for."""

    BINDINGS = [
        Binding("j,down", "move(1)", "Down", show=False, id="table.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="table.up"),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", show=False, id="table.page-down"),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False, id="table.page-up"),
        Binding("g", "ends(0)", "First", show=False, id="table.first"),
        Binding("G", "ends(1)", "Last", show=False, id="table.last"),
        Binding("enter", "open", "Open", show=False, id="table.open"),
        Binding("space", "mark", "Mark", show=False, id="table.mark"),
        Binding("v", "mark_range", "Mark a range", show=False, id="table.mark-range"),
        Binding("V", "mark_all", "Mark all in the filter", show=False, id="table.mark-all"),
    ]

    @dataclass(eq=False, repr=False)
    class Moved(Message):
        """The cursor is on another row, or on none."""

        table: RowTable
        key: int | None

        @property
        def control(self) -> RowTable:
            return self.table

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, RowTable.Moved) and message.table is self.table

    @dataclass(eq=False, repr=False)
    class Opened(Message):
        """Enter was pressed on a row."""

        table: RowTable
        key: int

        @property
        def control(self) -> RowTable:
            return self.table

    @dataclass(eq=False, repr=False)
    class Wanted(Message):
        """The cells of these rows are about to be shown and are not here yet."""

        table: RowTable
        keys: tuple[int, ...]

        @property
        def control(self) -> RowTable:
            return self.table

    @dataclass(eq=False, repr=False)
    class Marked(Message):
        """The set of marked rows has changed."""

        table: RowTable

        @property
        def control(self) -> RowTable:
            return self.table

    def __init__(
        self, columns: Sequence[Column], *, empty: str = "", markable: bool = True, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._empty = empty
        self.keys: tuple[int, ...] = ()
        self.cursor = 0
        self.marks: frozenset[int] = frozenset()
        self._markable = markable
        self._anchor: int | None = None
        self._cells: dict[int, tuple[Cell, ...]] = {}
        self._strips: dict[tuple[object, ...], Strip] = {}
        self._asked: frozenset[int] = frozenset()

    # What it holds ------------------------------------------------------------------------

    @property
    def empty_text(self) -> str:
        """What stands in the place of rows where there are none."""
        return self._empty

    @empty_text.setter
    def empty_text(self, text: str) -> None:
        if text != self._empty:
            self._empty = text
            self.refresh()

    @property
    def key(self) -> int | None:
        """The key under the cursor."""
        return self.keys[self.cursor] if self.keys else None

    def set_keys(self, keys: Sequence[int], *, follow: bool = True) -> None:
        """Show these rows in this order; the cursor stays on its key where that is still there.

        Cells that were put before are kept until newer ones come, so that nothing flickers.
        """
        fresh = tuple(keys)
        if fresh == self.keys:
            return
        here = self.key
        self.keys = fresh
        if len(self._cells) > 4 * AHEAD + 400:
            self._cells = {}
        self.marks = self.marks & frozenset(fresh) if self.marks else self.marks
        place = self.cursor
        if follow and here is not None:
            place = fresh.index(here) if here in fresh else place
        self.cursor = max(0, min(place, len(fresh) - 1))
        self.virtual_size = Size(self.size.width, len(fresh) + 1)
        self._show_cursor()
        self.refresh()
        self.ask()
        if self.key != here:
            self.post_message(self.Moved(self, self.key))

    def put(self, rows: Mapping[int, tuple[Cell, ...]]) -> None:
        """New cells of rows; only lines that differ are repainted."""
        changed = [key for key, cells in rows.items() if self._cells.get(key) != cells]
        self._cells.update(rows)
        self._asked = frozenset()
        if changed:
            shown = {key: index for index, key in self._visible()}
            for key in changed:
                if key in shown:
                    self._refresh_row(shown[key])

    def stale(self) -> tuple[int, ...]:
        """The keys whose cells should be fetched again: those on the screen and a little more."""
        top = self.scroll_offset.y
        return self.keys[max(0, top - AHEAD) : top + self.size.height + AHEAD]

    def ask(self) -> None:
        """Ask for the cells of rows on the screen that are not here."""
        if any(key not in self._cells and key not in self._asked for _, key in self._visible()):
            wanted = tuple(key for key in self.stale() if key not in self._cells)
            self._asked = frozenset(wanted)
            self.post_message(self.Wanted(self, wanted))

    def chosen(self) -> tuple[int, ...]:
        """The marked rows in list order, else the one under the cursor."""
        if self.marks:
            return tuple(key for key in self.keys if key in self.marks)
        return (self.key,) if self.key is not None else ()

    def clear_marks(self) -> bool:
        """Take all marks away; False where there were none."""
        had = bool(self.marks) or self._anchor is not None
        self.marks, self._anchor = frozenset(), None
        if had:
            self.refresh()
            self.post_message(self.Marked(self))
        return had

    def _visible(self) -> list[tuple[int, int]]:
        top = self.scroll_offset.y
        return list(enumerate(self.keys[top : top + max(0, self.size.height - 1)], top))

    # Moving -------------------------------------------------------------------------------

    def move_to(self, index: int) -> None:
        """Put the cursor on a row by its place in the list."""
        if not self.keys:
            return
        index = max(0, min(index, len(self.keys) - 1))
        if index == self.cursor:
            return
        before, self.cursor = self.cursor, index
        if self._anchor is not None:
            self._mark_span()
        if not self._show_cursor():
            self._refresh_row(before)
            self._refresh_row(index)
        self.ask()
        self.post_message(self.Moved(self, self.key))

    def _show_cursor(self) -> bool:
        """Scroll so that the cursor is on the screen; True where that moved the list."""
        top, page = self.scroll_offset.y, max(1, self.size.height - 1)
        place = min(max(top, self.cursor - page + 1), self.cursor)
        if place == top:
            return False
        self.scroll_to(y=place, animate=False, force=True)
        self.refresh()
        return True

    def on_key(self, event: events.Key) -> None:
        """A step at once: the way of a key through every ancestor to the bindings costs more than the step itself."""
        by = STEPS.get(event.key)
        if by is not None and not self.app.key_changes:  # type: ignore[attr-defined]
            event.stop()
            event.prevent_default()
            self.move_to(self.cursor + by)

    def action_move(self, by: int) -> None:
        self.move_to(self.cursor + by)

    def action_page(self, by: int) -> None:
        self.move_to(self.cursor + by * max(1, self.size.height - 2))

    def action_ends(self, end: int) -> None:
        self.move_to(len(self.keys) - 1 if end else 0)

    def action_open(self) -> None:
        if self.key is not None:
            self.post_message(self.Opened(self, self.key))

    def action_mark(self) -> None:
        if self._markable and self.key is not None:
            self.marks = self.marks ^ {self.key}
            self._refresh_row(self.cursor)
            self.post_message(self.Marked(self))
            self.move_to(self.cursor + 1)

    def action_mark_range(self) -> None:
        if not self._markable or not self.keys:
            return
        if self._anchor is None:
            self._anchor = self.key
            self._mark_span()
        else:
            self._anchor = None

    def _mark_span(self) -> None:
        start = self.keys.index(self._anchor) if self._anchor in self.keys else self.cursor
        low, high = sorted((start, self.cursor))
        self.marks = self.marks | frozenset(self.keys[low : high + 1])
        self.refresh()
        self.post_message(self.Marked(self))

    def action_mark_all(self) -> None:
        if self._markable and self.keys:
            self.marks = frozenset() if self.marks == frozenset(self.keys) else frozenset(self.keys)
            self.refresh()
            self.post_message(self.Marked(self))

    def on_click(self, event: events.Click) -> None:
        if event.y:
            self.move_to(self.scroll_offset.y + event.y - 1)

    # Drawing ------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.keys) + 1)
        self._show_cursor()
        self.ask()

    def on_focus(self) -> None:
        self._refresh_row(self.cursor)

    def on_blur(self) -> None:
        self._refresh_row(self.cursor)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.ask()

    def _refresh_row(self, index: int) -> None:
        y = index + 1 - self.scroll_offset.y
        if 1 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _layout(self) -> list[tuple[int, Column, int]]:
        """(index, column, width) of the columns that have room."""
        width = self.size.width
        shown = [(index, column) for index, column in enumerate(self.columns) if width >= column.from_width]
        fixed = sum(column.width + 1 for _, column in shown if column.width)
        rest = max(4, width - fixed - 2)
        return [(index, column, column.width or rest) for index, column in shown]

    def render_line(self, y: int) -> Strip:
        palette: Palette = self.app.palette  # type: ignore[attr-defined]
        width, base = self.size.width, self.base_style
        if y == 0:
            return self._line([(column.title, "muted") for column in self.columns], "  ", base, palette, header=True)
        index = y - 1 + self.scroll_offset.y
        if index >= len(self.keys):
            if not self.keys and y - 1 < len(self.empty_text.split("\n")):
                return Strip(
                    [Segment("  " + self.empty_text.split("\n")[y - 1], base + palette.muted)]
                ).adjust_cell_length(width, base)
            return Strip.blank(width, base)
        key = self.keys[index]
        cells = self._cells.get(key) or tuple(
            ("·" if number == 0 else "", "muted") for number in range(len(self.columns))
        )
        here = index == self.cursor
        style = base + (palette.cursor if self.has_focus else palette.cursor_dim) if here else base
        lead = ("▌" if here else " ") + ("*" if key in self.marks else " ")
        drawn = (cells, lead, style, width, id(palette))
        if drawn not in self._strips:
            if len(self._strips) > MOST_STRIPS:
                self._strips.clear()
            self._strips[drawn] = self._line(list(cells), lead, style, palette)
        return self._strips[drawn]

    def _line(self, cells: list[Cell], lead: str, style: Style, palette: Palette, *, header: bool = False) -> Strip:
        segments = [Segment(lead[0], style + palette.accent), Segment(lead[1], style + palette.mark)]
        for index, column, width in self._layout():
            text, name = cells[index]
            ink = (
                palette.muted
                if header
                else palette.priority(name)
                if name in ("critical", "high")
                else getattr(palette, name, palette.text)
            )
            segments.append(Segment(fit(text, width, column) + " ", style + ink))
        return Strip(segments).adjust_cell_length(self.size.width, style)


def fit(text: str, width: int, column: Column) -> str:
    """A cell's text at exactly ``width`` cells."""
    if cell_len(text) > width:
        if column.middle and text.isascii():
            return cut_middle(text, width)
        return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, width)
    room = " " * (width - cell_len(text))
    return room + text if column.right else text + room
