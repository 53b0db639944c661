"""Thymus (training): how good each agent is, the queue, and the job under the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.text import Text
from textual import on, work
from textual.binding import Binding
from textual.widget import Widget

from immunos_tui.model.agent import Agent, AgentVersion
from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.job import Job, JobState
from immunos_tui.model.posture import Snapshot
from immunos_tui.model.when import now_ms
from immunos_tui.screens.base import TabScreen
from immunos_tui.screens.dialogs import Choice, KeyMenu
from immunos_tui.services.foundry import caveat
from immunos_tui.widgets.chrome import LineWidget, RuleLine
from immunos_tui.widgets.job_rows import JOB_COLUMNS, agent_lines, job_cells, job_lines
from immunos_tui.widgets.lines import LinesView
from immunos_tui.widgets.table import RowTable

EMPTY = "The queue is empty. n trains an agent on a dataset of what is normal."


class ThymusScreen(TabScreen):
    """Agents and the queue that educates them."""

    TAB = "thymus"
    HELP = """
    Thymus (training): n queues a training, enter opens the job's log, P puts the newest version in service.
    A job runs in a process of its own: leaving the program or losing the line does not end it.
    """
    HINTS = (
        ("thymus.new", "new training"),
        ("table.open", "log"),
        ("thymus.promote", "promote"),
        ("thymus.cancel", "cancel"),
        ("thymus.zoom", "zoom"),
        ("app.palette", "palette"),
        ("app.help", "help"),
    )
    BINDINGS = [
        Binding("n", "new", "New training", id="thymus.new", tooltip="Queue the training of an agent."),
        Binding("x", "cancel_job", "Cancel job", id="thymus.cancel", tooltip="End the job under the cursor."),
        Binding(
            "P", "promote", "Promote", id="thymus.promote", tooltip="Put the newest version of this agent in service."
        ),
        Binding("z", "zoom", "Zoom", id="thymus.zoom", tooltip="The job alone, and back."),
        Binding("escape", "back", "Back", id="thymus.back", tooltip="Leave the log."),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._jobs: dict[int, Job] = {}

    def compose_body(self) -> Iterable[Widget]:
        yield LineWidget(id="thymus-head")
        yield LinesView(id="agents")
        yield RuleLine(id="queue-rule")
        yield RowTable(JOB_COLUMNS, empty=EMPTY, markable=False, id="queue")
        yield RuleLine(id="job-rule")
        yield LinesView(id="job")

    @property
    def table(self) -> RowTable:
        return self.query_one("#queue", RowTable)

    def begin(self) -> None:
        self.query_one("#agents").can_focus = False
        self.table.focus()
        self.load()

    def snapshot_changed(self, before: Snapshot | None, now: Snapshot) -> None:
        if before is None or before.changes != now.changes:
            self.load()

    @work(group="list", exclusive=True)
    async def load(self) -> None:
        """Look at agents and queue again."""
        try:
            jobs, agents, latest, caveats = await self.read(_looked_at)
        except ImmunosError as error:
            return self.app.complain(error)
        now = now_ms()
        self._jobs = {job.id: job for job in jobs}
        running = sum(job.state is JobState.RUNNING for job in jobs)
        waiting = sum(job.state is JobState.QUEUED for job in jobs)
        self.query_one("#thymus-head", LineWidget).show(
            [(" Thymus (training)", "title")], [(f"queue: {running} running, {waiting} waiting ", "muted")]
        )
        palette = self.app.palette
        lines = [
            line
            for agent in agents
            for line in agent_lines(agent, latest.get(agent.name), now, palette, caveats.get(agent.template, ""))
        ]
        self.query_one("#agents", LinesView).set_lines(
            lines or [Text(" No agents yet. n makes one and trains it.", style=palette.muted)]
        )
        self.query_one("#queue-rule", RuleLine).set_title("Queue")
        table = self.table
        table.set_keys([job.id for job in jobs])
        table.put({job.id: job_cells(job, now) for job in jobs})
        await self._show_job()

    @on(RowTable.Moved)
    def moved(self) -> None:
        self.show_job()

    @work(group="job", exclusive=True)
    async def show_job(self) -> None:
        await self._show_job()

    async def _show_job(self) -> None:
        job = self._jobs.get(self.table.key or 0)
        view, rule = self.query_one("#job", LinesView), self.query_one("#job-rule", RuleLine)
        if job is None:
            rule.set_title("")
            return view.set_lines([])
        rule.set_title(f"Job {job.id}, {'waiting' if job.state is JobState.QUEUED else job.state}")
        try:
            log = await self.read(lambda house: house.thymus.log(job.id))
        except OSError as error:
            log = f"The log cannot be read: {error.strerror}."
        return view.set_lines(job_lines(job, log, self.app.palette))

    def action_new(self) -> None:
        from immunos_tui.screens.intake import ask_training  # noqa: PLC0415 - only when the form opens

        self.ask(ask_training(self))

    def action_cancel_job(self) -> None:
        self.ask(self._ask_cancel())

    async def _ask_cancel(self) -> None:
        job = self._jobs.get(self.table.key or 0)
        if job is None or job.state.ended:
            self.app.notify("There is nothing to cancel under the cursor.", markup=False, timeout=3)
            return
        sure = KeyMenu(
            f"Cancel job {job.id}?", (Choice("n", "let it go on", ""), Choice("y", "cancel it", "yes")), [job.path]
        )
        if await self.app.push_screen_wait(sure):
            self.tell(self._cancel(job.id))

    async def _cancel(self, job_id: int) -> str:
        # Waiting for the process to end may take seconds, and triage must not wait behind it.
        ended = await self.look_at(lambda house: house.thymus.cancel(job_id))
        self.app.look_again()
        return f"Job {job_id}: {ended.state}."

    def action_promote(self) -> None:
        job = self._jobs.get(self.table.key or 0)
        if job is None:
            self.app.notify("Put the cursor on a training of the agent.", markup=False, timeout=3)
        else:
            self.tell(self._promote(job.agent))

    async def _promote(self, name: str) -> str:
        version = await self.write(lambda house: house.foundry.promote(name))
        return f"{name} v{version.number} is in service."

    @on(RowTable.Opened)
    def open_log(self) -> None:
        self.action_zoom()

    def action_zoom(self) -> None:
        zoomed = self.toggle_class("-log").has_class("-log")
        (self.query_one("#job") if zoomed else self.table).focus()

    def action_back(self) -> None:
        if self.has_class("-log"):
            self.action_zoom()


def _looked_at(house: Any) -> tuple[list[Job], list[Agent], dict[str, AgentVersion], dict[str, str]]:
    """The jobs, the agents, the version of each that counts, and the caveats of their templates."""
    agents = list(house.foundry.list())
    caveats = {agent.template: caveat(agent.template) for agent in agents}
    return list(house.thymus.list()), agents, house.foundry.latest(), caveats


TAB_SCREEN = ThymusScreen
