"""The one-line text field of every dialog and of the filter: what is pasted into it is made harmless."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from immunos_tui.model.text import clean


class LineInput(Input):
    """An ``Input`` of one row with a still cursor; ctrl+c leaves it, as it leaves everything else that is open."""

    BINDINGS = [Binding("ctrl+c", "leave", "Leave", show=False)]

    class Left(Message):
        """ctrl+c was pressed in the field."""

    def __init__(self, value: str = "", **options: Any) -> None:
        super().__init__(value, compact=True, select_on_focus=False, **options)
        self.cursor_blink = False

    def on_paste(self, event: events.Paste) -> None:
        """Take all lines as one; escape sequences and invisible characters become visible text."""
        event.prevent_default()
        event.stop()
        text = clean(event.text.strip("\r\n").replace("\r\n", "\n"))
        if text:
            self.replace(text, *self.selection)

    def action_leave(self) -> None:
        self.post_message(self.Left())
