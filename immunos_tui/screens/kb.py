"""KB (knowledge base): the shipped pages and the operator's own, at a width that reads well."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events, on, work
from textual.binding import Binding
from textual.containers import Container
from textual.widget import Widget

from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.posture import Snapshot
from immunos_tui.model.text import clean
from immunos_tui.screens.base import TabScreen
from immunos_tui.services.kb import Page
from immunos_tui.widgets.chrome import LineWidget
from immunos_tui.widgets.lines import LinesView
from immunos_tui.widgets.markdown import markdown_lines
from immunos_tui.widgets.table import Column, RowTable

READING_WIDTH = 88


class KbScreen(TabScreen):
    """Contents on the left, the page on the right."""

    TAB = "kb"
    HELP = """
    KB (knowledge base): enter reads a page, esc goes back to the contents, t hides them.
    Your own pages are the .md files in the kb folder that `immunos-tui config paths` names.
    """
    HINTS = (("table.open", "read"), ("kb.contents", "contents"), ("app.palette", "palette"), ("app.help", "help"))
    BINDINGS = [
        Binding("t", "contents", "Contents", id="kb.contents", tooltip="Hide or show the contents."),
        Binding("escape", "back", "Back", id="kb.back", tooltip="Back to the contents."),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._pages: list[Page] = []
        self._shown: tuple[str, int] = ("", 0)

    def compose_body(self) -> Iterable[Widget]:
        yield LineWidget(id="kb-head")
        with Container(id="kb"):
            yield RowTable((Column("title", "Contents"),), empty="No pages.", markable=False, id="pages")
            yield LinesView(id="page", reading_width=READING_WIDTH)

    @property
    def table(self) -> RowTable:
        return self.query_one("#pages", RowTable)

    def begin(self) -> None:
        self.query_one("#kb-head", LineWidget).show([(" KB (knowledge base)", "title")])
        self.table.focus()

    @work(group="list", exclusive=True)
    async def load(self) -> None:
        try:
            self._pages = list(await self.read(lambda house: house.kb.pages()))
        except ImmunosError as error:
            return self.app.complain(error)
        self.table.set_keys(range(len(self._pages)))
        self.table.put(
            {
                number: ((clean(page.title), "strong" if page.own else "text"),)
                for number, page in enumerate(self._pages)
            }
        )
        await self._show_page()

    def snapshot_changed(self, before: Snapshot | None, now: Snapshot) -> None:
        if before is None:
            self._shown = ("", 0)
            self.load()

    @on(RowTable.Moved)
    def moved(self) -> None:
        self.show_page()

    @work(group="page", exclusive=True)
    async def show_page(self) -> None:
        await self._show_page()

    async def _show_page(self) -> None:
        number, view = self.table.key, self.query_one("#page", LinesView)
        width = min(READING_WIDTH, max(20, view.size.width - 2))
        if number is None or not view.size.width or self._shown == (self._pages[number].name, width):
            return
        page, palette = self._pages[number], self.app.palette
        try:
            lines = await self.read(lambda house: markdown_lines(house.kb.text(page.name), width, palette))
        except ImmunosError as error:
            return self.app.complain(error)
        same = self._shown[0] == page.name
        self._shown = (page.name, width)
        view.set_lines(lines, keep_scroll=same)

    def on_resize(self, _event: events.Resize) -> None:
        self.call_after_refresh(self.show_page)

    @on(RowTable.Opened)
    def read_page(self) -> None:
        self.query_one("#page").focus()

    def action_contents(self) -> None:
        hidden = self.toggle_class("-reading").has_class("-reading")
        (self.query_one("#page") if hidden else self.table).focus()
        self.call_after_refresh(self.show_page)

    def action_back(self) -> None:
        if self.has_class("-reading"):
            self.remove_class("-reading")
            self.call_after_refresh(self.show_page)
        self.table.focus()


TAB_SCREEN = KbScreen
