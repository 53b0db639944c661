"""A tab that is not built yet: it says what will be there, and nothing that is not true."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual.widget import Widget

from immunos_tui.model.posture import Snapshot
from immunos_tui.screens.base import TabScreen
from immunos_tui.widgets.chrome import LineWidget
from immunos_tui.widgets.lines import LinesView


class PlannedScreen(TabScreen):
    """One line about what will be here, and keys to what is there already."""

    NAME: ClassVar[str] = ""
    SAYING: ClassVar[str] = ""
    HINTS = (
        ("tab.spleen", "triage"),
        ("tab.thymus", "training"),
        ("tab.kb", "pages"),
        ("app.palette", "palette"),
        ("app.help", "help"),
    )

    def compose_body(self) -> Iterable[Widget]:
        yield LineWidget(id="planned-head")
        yield LinesView(id="system")

    def begin(self) -> None:
        self.query_one("#planned-head", LineWidget).show([(f" {self.NAME}", "title")])
        self.query_one(LinesView).focus()

    def snapshot_changed(self, before: Snapshot | None, now: Snapshot) -> None:
        if before is None:
            self.query_one(LinesView).set_lines([Text(""), Text(self.SAYING, style=self.app.palette.muted)])
