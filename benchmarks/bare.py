"""The floor for anything on Textual: a header, a line of text and a footer; ``down`` changes the line."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Footer, Header, Static


class Bare(App[None]):
    """What the terminal benchmark compares with."""

    BINDINGS = [("down", "step", "Step"), ("ctrl+q", "quit", "Quit")]
    steps = 0

    def compose(self) -> ComposeResult:
        yield Header()
        yield Static("steps 0")
        yield Footer()

    def action_step(self) -> None:
        self.steps += 1
        self.query_one(Static).update(f"steps {self.steps}")


if __name__ == "__main__":
    Bare().run()
