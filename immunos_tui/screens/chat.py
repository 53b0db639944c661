"""Chat (ask): says what will be here, and what to use until then."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from textual.widget import Widget

from immunos_tui.model.posture import Snapshot
from immunos_tui.screens.base import TabScreen
from immunos_tui.widgets.chrome import LineWidget
from immunos_tui.widgets.lines import LinesView

SAYING = (
    "Here you will ask a local language model about issues and pages. It is not built yet; Spleen (3) and KB (6) are."
)


class ChatScreen(TabScreen):
    """One line, and nothing that is not true."""

    TAB = "chat"
    HINTS = (
        ("tab.spleen", "triage"),
        ("tab.thymus", "training"),
        ("tab.kb", "pages"),
        ("app.palette", "palette"),
        ("app.help", "help"),
    )

    def compose_body(self) -> Iterable[Widget]:
        yield LineWidget(id="chat-head")
        yield LinesView(id="system")

    def begin(self) -> None:
        self.query_one("#chat-head", LineWidget).show([(" Chat (ask)", "title")])
        self.query_one(LinesView).focus()

    def snapshot_changed(self, before: Snapshot | None, now: Snapshot) -> None:
        if before is None:
            self.query_one(LinesView).set_lines([Text(""), Text(SAYING, style=self.app.palette.muted)])


TAB_SCREEN = ChatScreen
