"""Spleen (triage): the posture, the list of issues, what is known of the one under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textual import events, on, work
from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from immunos_tui.model.errors import ImmunosError, UsageError
from immunos_tui.model.issue import IssueList
from immunos_tui.model.posture import Posture, Snapshot
from immunos_tui.model.query import SORTS
from immunos_tui.model.when import ago, now_ms
from immunos_tui.screens.base import TabScreen
from immunos_tui.widgets.chrome import LineWidget, Piece, RuleLine
from immunos_tui.widgets.field import LineInput
from immunos_tui.widgets.issue_detail import detail_lines, detail_title, seen_note
from immunos_tui.widgets.issue_rows import ISSUE_COLUMNS, issue_cells
from immunos_tui.widgets.lines import LinesView
from immunos_tui.widgets.palette import spark
from immunos_tui.widgets.table import RowTable

if TYPE_CHECKING:
    from immunos_tui.screens.triage import Triage

FILTER_PAUSE = 0.15
"""Seconds without a key until the filter that is being written is tried."""

DETAIL_PAUSE = 0.15
"""Seconds that the cursor rests on a row until its detail is fetched."""

PRIORITIES = ("critical", "high", "medium", "low")

EMPTY = (
    "No issues yet. Scan a file with F, or make an issue with i.\n"
    "`immunos-tui tour` shows the whole loop on a bundled sample in a minute."
)
NOTHING = "Nothing matches the filter. / changes it, esc clears it."


class SpleenScreen(TabScreen):
    """Triage by single keys."""

    TAB = "spleen"
    HELP = """
    Spleen (triage): work the list from the top. d says what an issue was; u takes back any step.
    Filter: is:open prio:>=high owner:me -domain:logs agent:net-1 verdict:none tag:x age:<2d count:>10 "some words"
    """
    HINTS = (
        ("spleen.ack", "ack"),
        ("spleen.verdict", "verdict"),
        ("spleen.assign", "assign"),
        ("spleen.resolve", "resolve"),
        ("spleen.comment", "comment"),
        ("spleen.undo", "undo"),
        ("spleen.scan", "scan"),
        ("spleen.new", "new"),
        ("spleen.filter", "filter"),
        ("app.help", "help"),
    )
    BINDINGS = [
        Binding("o", "step('ack')", "Acknowledge", id="spleen.ack", tooltip="Say that you have seen it."),
        Binding("a", "ask('assign')", "Assign", id="spleen.assign", tooltip="Hand it to somebody."),
        Binding("A", "step('mine')", "Assign to me", id="spleen.mine", tooltip="Take it yourself."),
        Binding(
            "d",
            "ask('verdict')",
            "Verdict",
            id="spleen.verdict",
            tooltip="Say what it was: threat, false positive, benign, duplicate.",
        ),
        Binding(
            "x",
            "ask('resolve')",
            "Resolve",
            id="spleen.resolve",
            tooltip="Close it; asks for a verdict where one is needed.",
        ),
        Binding("X", "step('reopen')", "Reopen", id="spleen.reopen", tooltip="Open a resolved issue again."),
        Binding("c", "ask('comment')", "Comment", id="spleen.comment", tooltip="Add a line for others."),
        Binding("l", "ask('label')", "Label", id="spleen.label", tooltip="Add a label, or take it away."),
        Binding("i", "ask('new_issue')", "New issue", id="spleen.new", tooltip="Make an issue by hand."),
        Binding("plus", "step('up')", "More urgent", id="spleen.up", tooltip="One priority up."),
        Binding("minus", "step('down')", "Less urgent", id="spleen.down", tooltip="One priority down."),
        Binding("exclamation_mark", "step('escalate')", "Escalate", id="spleen.escalate", tooltip="Make it critical."),
        Binding(
            "u", "undo('undo')", "Undo", id="spleen.undo", tooltip="Take back your latest step, also after a restart."
        ),
        Binding("U", "undo('redo')", "Redo", id="spleen.redo", tooltip="Bring back what undo took away."),
        Binding("slash", "filter", "Filter", id="spleen.filter", tooltip="Change what the list shows."),
        Binding("s", "sort", "Sort", id="spleen.sort", tooltip="The next order of the list."),
        Binding("S", "reverse", "Reverse", id="spleen.reverse", tooltip="Turn the order around."),
        Binding("F", "scan", "Scan a file", id="spleen.scan", tooltip="Queue the scan of a file with an agent."),
        Binding("z", "zoom", "Zoom", id="spleen.zoom", tooltip="The detail alone, and back."),
        Binding("y", "copy", "Copy", id="spleen.copy", tooltip="Copy the detail's text."),
        Binding("escape", "back", "Back", id="spleen.back", tooltip="Leaves field, marks, filter or detail."),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._list = IssueList((), 0, "", "urgency")
        self._query = ""
        self._sort, self._reversed = "urgency", False
        self._wanted: int | None = None
        self._pause: Timer | None = None
        self._detail_pause: Timer | None = None
        self._problem = ""

    def compose_body(self) -> Iterable[Widget]:
        yield LineWidget(id="posture")
        with Horizontal(id="filter-row"):
            yield LineInput(id="filter-input")
            yield LineWidget(id="filter-line")
        yield LineWidget(id="filter-problem")
        with Container(id="triage"):
            yield RowTable(ISSUE_COLUMNS, id="issues")
            with Vertical(id="side"):
                yield RuleLine(id="detail-rule")
                yield LinesView(id="detail")

    @cached_property
    def triage(self) -> Triage:
        """The steps and their dialogs; loaded with the first key that needs them, not before the first frame."""
        from immunos_tui.screens.triage import Triage  # noqa: PLC0415

        return Triage(self)

    @property
    def table(self) -> RowTable:
        return self.query_one("#issues", RowTable)

    def begin(self) -> None:
        self._query = self.app.settings.spleen.filter
        self.set_class(self.app.size.width >= 110, "-wide")
        self.table.focus()
        self.call_after_refresh(self.load)  # SQLite is loaded for it, which the first frame does not wait for

    # Looking ------------------------------------------------------------------------------

    def snapshot_changed(self, before: Snapshot | None, now: Snapshot) -> None:
        self._show_posture()
        if before is None or before.changes != now.changes:
            self.load()
        elif before.posture != now.posture:
            self.show_rows()

    @work(group="list", exclusive=True)
    async def load(self) -> None:
        """Look at the list again, then at the rows on the screen and the detail."""
        query, sort, turned = self._query, self._sort, self._reversed
        last, problem = self._list.query, ""
        try:
            try:
                self._list = await self.read(lambda house: house.spleen.list(query, sort, turned))
            except UsageError as error:
                problem = str(error)  # the filter that held last stays in force
                self._list = await self.read(lambda house: house.spleen.list(last, sort, turned))
        except ImmunosError as error:
            return self.app.complain(error)
        self._problem = problem
        table = self.table
        table.empty_text = NOTHING if self._list.total else EMPTY
        table.set_keys(self._list.ids)
        if not self._list.ids and self.has_class("-zoom"):
            self.action_zoom()
        if self._wanted in self._list.ids:
            table.move_to(self._list.ids.index(self._wanted))
            self._wanted = None
        self._show_filter()
        await self._fetch(table.stale())
        await self._fetch_detail()

    @work(group="rows", exclusive=True)
    async def show_rows(self) -> None:
        """Ages have stepped: draw the rows on the screen again."""
        await self._fetch(self.table.stale())

    @on(RowTable.Wanted)
    def fetch_wanted(self, event: RowTable.Wanted) -> None:
        self.run_worker(self._fetch(event.keys), group="wanted")

    async def _fetch(self, ids: tuple[int, ...]) -> None:
        try:
            found = await self.read(lambda house: house.spleen.many(ids))
        except ImmunosError:
            return  # the monitor shows what is wrong with the database
        now = now_ms()
        self.table.put({number: issue_cells(issue, now) for number, issue in found.items()})

    @on(RowTable.Moved)
    def cursor_moved(self) -> None:
        if self._detail_pause:
            self._detail_pause.stop()
        self._detail_pause = self.set_timer(DETAIL_PAUSE, self.load_detail)

    @work(group="detail", exclusive=True)
    async def load_detail(self) -> None:
        await self._fetch_detail()

    async def _fetch_detail(self) -> None:
        number = self.table.key
        view, rule = self.query_one("#detail", LinesView), self.query_one("#detail-rule", RuleLine)
        if number is None:
            rule.set_title("")
            return view.set_lines([], keep_scroll=False)
        try:
            found = await self.read(lambda house: house.spleen.detail(number))
        except ImmunosError:
            return None  # it was withdrawn meanwhile; the list is about to say so
        if self.table.key != number:
            return None
        issue = found.issue
        rule.set_title(detail_title(issue), seen_note(issue))
        storm = self.app.settings.spleen.storm_per_minute
        parts = (issue, found.evidence, found.comments, found.activity, found.minutes)
        lines = detail_lines(*parts, storm, now_ms(), self.app.palette, view.size.width or 80)
        return view.set_lines(lines, keep_scroll=view.text.startswith(lines[0].plain))

    def _show_posture(self) -> None:
        """Open issues by priority, flagged detections a minute, the last scan; what has no room is left out."""
        posture: Posture = self.snapshot.posture
        room, last = self.app.size.width, self._last_scan()
        pieces: list[Piece] = [(" Spleen (triage)  ", "title"), (f"open {posture.open}  ", "strong")]
        for name in PRIORITIES:
            if count := getattr(posture, name):
                pieces.append((f"{name if room >= 100 else name[0].upper()} {count}  ", name))
        used = sum(len(text) for text, _ in pieces) + len(last)
        width = min(len(posture.minutes), room - used - 11)
        if any(posture.minutes) and width >= 6:
            pieces += [(spark(posture.minutes, width), "bar"), (f" {sum(posture.minutes[-5:]) / 5:.0f}/min  ", "muted")]
            used += width + 11
        if room - used >= 16:
            pieces.append((f"today +{posture.opened_today} -{posture.resolved_today}", "muted"))
        self.query_one("#posture", LineWidget).show(pieces, [(last, "critical" if self.snapshot.trouble else "muted")])

    def _last_scan(self) -> str:
        """What the right end says: trouble first, then a running job, then the last scan and its drift."""
        if self.snapshot.trouble:
            return self.snapshot.trouble + " "
        scanned = self.snapshot.posture.last_scan
        if self.snapshot.work:
            return self.snapshot.work + " "
        if not scanned:
            return "nothing scanned yet "
        age = ago(scanned["at"], now_ms())
        state = scanned["drift"].get("state", "none")
        return ("" if state == "none" else f"drift {state}, ") + (
            "scanned just now " if age == "now" else f"scanned {age} ago "
        )

    def _show_filter(self) -> None:
        marked = len(self.table.marks)
        count = f"{len(self._list.ids)} of {self._list.total} " + (f" {marked} marked " if marked else "")
        order = (
            ""
            if self._sort == "urgency" and not self._reversed
            else f" by {self._sort}{' reversed' if self._reversed else ''} "
        )
        shown: list[Piece] = [(" / ", "accent"), (self._query or "everything", "text"), (order, "muted")]
        editing = self.query_one("#filter-row").has_class("-editing")
        self.query_one("#filter-line", LineWidget).show([] if editing else shown, [(count, "muted")])
        self.query_one("#filter-problem", LineWidget).show([(f"   {self._problem}", "critical")])
        self.set_class(bool(self._problem), "-problem")

    @on(RowTable.Marked)
    def marks_changed(self) -> None:
        self._show_filter()

    def chosen(self) -> tuple[int, ...]:
        """The issues that a step is for."""
        return self.table.chosen()

    def on_resize(self, _event: events.Resize) -> None:
        self._show_posture()

    @on(LinesView.WidthChanged, "#detail")
    def detail_resized(self) -> None:
        self.load_detail()

    def select_soon(self, number: int) -> None:
        """Put the cursor on an issue once the list has it."""
        self._wanted = number

    # Keys ---------------------------------------------------------------------------------

    @work(group="step")
    async def action_step(self, name: str) -> None:
        await self.attempt(self.triage.step(name))

    def action_ask(self, name: str) -> None:
        asks: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "assign": self.triage.assign,
            "verdict": self.triage.verdict,
            "resolve": self.triage.resolve,
            "comment": self.triage.comment,
            "label": self.triage.label,
            "new_issue": self.triage.new_issue,
        }
        self.ask(asks[name]())

    def action_undo(self, way: str) -> None:
        self.run_worker(self.attempt(self.triage.undo(redo=way == "redo")), group="step")

    def action_scan(self) -> None:
        from immunos_tui.screens.intake import ask_scan  # noqa: PLC0415 - only when a scan is asked for

        self.ask(ask_scan(self))

    def action_sort(self) -> None:
        self._sort = SORTS[(SORTS.index(self._sort) + 1) % len(SORTS)]
        self.load()

    def action_reverse(self) -> None:
        self._reversed = not self._reversed
        self.load()

    def action_filter(self) -> None:
        self.query_one("#filter-row").add_class("-editing")
        field = self.query_one("#filter-input", Input)
        field.value = self._query + (" " if self._query and not self._query.endswith(" ") else "")
        field.cursor_position = len(field.value)
        self.set_focus(field)
        self._show_filter()

    @on(Input.Changed, "#filter-input")
    def filter_typed(self, event: Input.Changed) -> None:
        if self._pause:
            self._pause.stop()
        self._pause = self.set_timer(FILTER_PAUSE, lambda: self._use_filter(event.value))

    @on(Input.Submitted, "#filter-input")
    def filter_taken(self, event: Input.Submitted) -> None:
        event.stop()
        self._leave_filter()

    @on(LineInput.Left)
    def filter_left(self) -> None:
        self._leave_filter()

    def _use_filter(self, text: str) -> None:
        if text.strip() != self._query:
            self._query = text.strip()
            self.load()

    def _leave_filter(self) -> None:
        if self._pause:
            self._pause.stop()
        self._use_filter(self.query_one("#filter-input", Input).value)
        self.query_one("#filter-row").remove_class("-editing")
        self._show_filter()
        self._focus_pane()

    def action_zoom(self) -> None:
        self.toggle_class("-zoom")
        self._focus_pane()
        self.call_after_refresh(self.load_detail)

    def _focus_pane(self) -> None:
        self.set_focus(self.query_one("#detail") if self.has_class("-zoom") else self.table)

    @on(RowTable.Opened)
    def open_row(self) -> None:
        if not self.has_class("-zoom"):
            self.action_zoom()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.query_one("#detail", LinesView).text.replace("\x00rule", "-- "))
        self.app.notify("The detail is on the clipboard, where the terminal allows it.", markup=False, timeout=3)

    def action_back(self) -> None:
        """Leave, in this order: the field, the marks, the filter, the detail."""
        if isinstance(self.focused, Input):
            self._leave_filter()
        elif self.table.clear_marks():
            return
        elif self._query != self.app.settings.spleen.filter:
            self._query = self.app.settings.spleen.filter
            self.load()
        elif self.has_class("-zoom"):
            self.action_zoom()


TAB_SCREEN = SpleenScreen
