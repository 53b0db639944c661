"""Progress of long work on standard error: a line that is drawn over on a terminal, one line a stage elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from immunos_tui.cli.output import fit, one_line, out, say
from immunos_tui.cli.results import job_line
from immunos_tui.model.text import clean

if TYPE_CHECKING:
    from immunos_tui.model.job import Job
    from immunos_tui.services.thymus import Thymus

STEP = 0.2
"""Seconds between two drawings of the line, so that a slow terminal keeps up."""


class StageLine:
    """Shows stage, share and note; call it with (stage, fraction of the stage, note)."""

    def __init__(self) -> None:
        self.stage = ""
        self.note = ""
        self._drawn = 0.0
        self._width = 0
        self._tty = sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.clear()

    def __call__(self, stage: str, fraction: float = 0.0, note: str = "") -> None:
        fresh = stage != self.stage
        self.stage, self.note = stage, note
        if self._tty:
            now = time.monotonic()
            if fresh or fraction >= 1 or now - self._drawn >= STEP:
                self._drawn = now
                self._draw(f"{stage:<10} {100 * min(1.0, fraction):3.0f} %  {note}")
        elif fresh:
            say(f"{clean(stage)}{': ' + clean(note) if note else ''}")

    def clear(self) -> None:
        """Take the line off the terminal."""
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0

    def _draw(self, text: str) -> None:
        width = _columns() - 1
        line = clean(text)[:width]
        sys.stderr.write("\r" + fit(line, max(self._width, len(line))))
        sys.stderr.flush()
        self._width = len(line)


class QueueReport:
    """Follows the queue while it is worked: how far the running job is, and how each one ended.

    The worker of the queue calls it between two looks at the job, to ask whether to stop; it never says so.
    """

    def __init__(self, thymus: Thymus) -> None:
        self.ended: list[Job] = []
        self._thymus = thymus
        self._line = StageLine()
        self._started: list[int] = []

    @property
    def running(self) -> int | None:
        """The job that was started and has not ended."""
        return self._started[0] if self._started else None

    def start(self, job: Job) -> None:
        """A job's process was started, for the first time or again."""
        if job.id in self._started:
            return
        self._line.clear()
        say(f"Job {job.id}: {job.kind} {job.agent}, {clean(job.path)}")
        self._started.append(job.id)

    def __call__(self) -> bool:
        for number in list(self._started):
            self._look(self._thymus.get(number))
        return False

    def finish(self) -> None:
        """A last look, once the queue is no longer worked."""
        self()
        self._line.clear()

    def _look(self, job: Job) -> None:
        if job.state.ended:
            self._line.clear()
            self._started.remove(job.id)
            self.ended.append(job)
            out(one_line(job_line(job)))
        elif job.stage:
            self._line(job.stage, job.fraction, job.note)


def _columns() -> int:
    import os

    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
