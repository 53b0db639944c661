"""System (models, tokens, host): the host's load, and whether Ollama answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text
from textual.widget import Widget

from immunos_tui.model.posture import Backend, Host, Snapshot
from immunos_tui.model.text import clean
from immunos_tui.model.when import size
from immunos_tui.screens.base import TabScreen
from immunos_tui.widgets.chrome import LineWidget, RuleLine
from immunos_tui.widgets.lines import LinesView
from immunos_tui.widgets.palette import Palette, gauge, spark


class SystemScreen(TabScreen):
    """The machine under the program."""

    TAB = "system"
    HELP = """
    System (models, tokens, host): CPU, memory and the disk that holds the data, sampled every 2 s, and whether Ollama answers.
    """
    HINTS = (("app.refresh", "refresh"), ("app.palette", "palette"), ("app.help", "help"))

    def compose_body(self) -> Iterable[Widget]:
        yield LineWidget(id="system-head")
        yield RuleLine(id="host-rule")
        yield LinesView(id="system")

    def begin(self) -> None:
        self.query_one("#system").focus()
        self.snapshot_changed(None, self.snapshot)

    def snapshot_changed(self, before: Snapshot | None, now: Snapshot) -> None:
        if before is not None and (before.host, before.ollama, before.egress_refused) == (
            now.host,
            now.ollama,
            now.egress_refused,
        ):
            return
        word = {"up": f"Ollama {now.ollama.version} up", "down": "Ollama down"}.get(
            now.ollama.state, "Ollama not asked yet"
        )
        self.query_one("#system-head", LineWidget).show(
            [(" System (models, tokens, host)", "title")], [(word + " ", "muted")]
        )
        self.query_one("#host-rule", RuleLine).set_title("Host")
        palette = self.app.palette
        lines = [
            *host_lines(now.host, palette),
            Text(""),
            *backend_lines(now.ollama, palette),
            Text(""),
            *egress_lines(now, self.app.settings.network.offline, palette),
        ]
        self.query_one("#system", LinesView).set_lines(lines)


def host_lines(host: Host, palette: Palette) -> Iterator[Text]:
    """CPU, memory and disk, each with a bar and the last minutes."""
    now = host.now
    if now is None:
        yield Text("Sampling the host …", style=palette.muted)
        return
    rows: tuple[tuple[str, float, tuple[float, ...], str], ...] = (
        ("cpu", now.cpu, host.cpu_history, f"load {now.load:.1f}"),
        ("mem", now.memory, host.memory_history, f"{size(now.memory_used)} of {size(now.memory_total)}"),
        ("disk", now.disk, (), f"{size(now.disk_free)} free of {size(now.disk_total)}"),
    )
    for name, share, history, words in rows:
        style = palette.critical if share >= 95 else palette.high if share >= 85 else palette.bar
        yield Text.assemble(
            (f"{name:<5}", palette.strong),
            (f"{share:3.0f} % ", palette.text),
            (gauge(share / 100, 16) + "  ", style),
            (spark(history, 24, 100.0) + "  ", palette.bar),
            (words, palette.muted),
        )


def backend_lines(ollama: Backend, palette: Palette) -> Iterator[Text]:
    """Whether the language model server answers; down never looks like empty."""
    word = {"up": "up", "down": "down", "unknown": "not asked yet"}[ollama.state]
    yield Text.assemble(
        ("Ollama  ", palette.strong),
        (word, palette.state(word)),
        (f"  {clean(ollama.url)}  {ollama.version}", palette.muted),
    )
    if ollama.reason:
        yield Text(f"        {clean(ollama.reason)}", style=palette.high)


def egress_lines(now: Snapshot, offline: bool, palette: Palette) -> Iterator[Text]:
    """How many connections have been refused."""
    words = (
        f"offline: {now.egress_refused} refused since the start" if offline else "online: connections are not guarded"
    )
    yield Text.assemble(("Egress  ", palette.strong), (words, palette.high if now.egress_refused else palette.ok))


TAB_SCREEN = SystemScreen
