"""A job's own process: it holds the job's lock for life, claims its row, and writes progress and result itself."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from immunos_tui.config import load_settings
from immunos_tui.llm import egress
from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.job import Job, JobKind, JobState
from immunos_tui.model.text import clean
from immunos_tui.paths import find_paths
from immunos_tui.services.house import House, open_house
from immunos_tui.services.thymus import lock_file
from immunos_tui.store import jobs

WEIGHTS = {
    JobKind.TRAIN: {
        "read": 0.12,
        "evaluate": 0.40,
        "sieve": 0.03,
        "encode": 0.05,
        "fit": 0.25,
        "calibrate": 0.10,
        "save": 0.05,
    },
    JobKind.SCAN: {"hash": 0.05, "scan": 0.95},
}
"""The share of the whole that each stage takes, in the order in which they come."""

EMBED_WEIGHT = 0.5
"""The share of what follows that asking a model for vectors takes, where a job does; no other stage is known to need it."""

REPORT_SECONDS = 0.25
"""The shortest time between two writes of progress."""

LOCK_SECONDS = 2.0


class Cancelled(BaseException):
    """The operator has cancelled the job."""


class Reporter:
    """Writes a job's progress to its row and, by stage, to its log."""

    def __init__(self, house: House, job: Job) -> None:
        self._house = house
        self._job = job
        self._weights = dict(WEIGHTS.get(job.kind, {}))
        self._stage = ""
        self._written = 0.0
        self._began = time.monotonic()
        self._rows_total = 0

    def rows(self, total: int) -> None:
        """How many rows the job is about."""
        self._rows_total = total

    def __call__(self, stage: str, fraction: float, note: str = "") -> None:
        now = time.monotonic()
        if stage != self._stage:
            print(f"{time.strftime('%H:%M:%S')} {stage} {clean(note, 200)}", flush=True)
        elif now - self._written < REPORT_SECONDS and fraction < 1:
            return
        self._stage, self._written = stage, now
        done = int(found[1]) if (found := re.match(r"(\d+)(?: of \d+)? rows", note)) else 0
        rate = float(found[1]) if (found := re.search(r"(\d+) rows/s", note)) else 0.0
        fields: dict[str, Any] = {
            "stage": stage,
            "fraction": min(1.0, max(0.0, fraction)),
            "overall": self._overall(stage, fraction),
            "note": clean(note, 200),
            "rows_done": done,
            "rows_total": self._rows_total,
            "rate": rate,
        }
        # A locked database must not end a night's training.
        with suppress(ImmunosError), self._house.store.write() as tx:
            jobs.progress(tx.db, self._job.id, {**fields, "progress_at": tx.at})

    def _make_room(self) -> None:
        """Put the stage ``embed`` after ``read``: it takes its share from the stages that are still to come."""
        read = self._weights.get("read", 0.0)
        later = {name: weight * (1 - EMBED_WEIGHT) for name, weight in self._weights.items() if name != "read"}
        self._weights = {"read": read, "embed": (1 - read) * EMBED_WEIGHT, **later}

    def _overall(self, stage: str, fraction: float) -> float:
        if stage == "embed" and stage not in self._weights:
            self._make_room()
        before = 0.0
        for name, weight in self._weights.items():
            if name == stage:
                return before + weight * min(1.0, max(0.0, fraction))
            before += weight
        return 0.0


def main(job_id: int) -> int:
    """Run one job and return the process's exit code: 0 done, 1 failed, 4 somebody else has it."""
    paths = find_paths()
    settings = load_settings(paths).settings
    egress.guard(settings.network.offline, settings.network.allow)
    house = open_house(paths, settings, "job")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        with lock_file(paths.jobs / f"{job_id}.lock") as mine:
            if mine:
                return _claimed(house, job_id)
        if time.monotonic() > deadline:
            return 4
        time.sleep(0.02)


def _claimed(house: House, job_id: int) -> int:
    signal.signal(signal.SIGTERM, _cancel)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with house.store.write() as tx:
        if not jobs.claim(tx.db, job_id, os.getpid(), tx.at):
            return 4
        job = jobs.get(tx.db, job_id)
    assert job is not None  # noqa: S101 - claimed above
    with suppress(OSError):
        os.nice(house.settings.thymus.nice)
    return _run(house, job, WORK[job.kind])


def _cancel(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Cancelled


def _run(house: House, job: Job, work: Callable[[House, Job, Reporter], dict[str, Any]]) -> int:
    state, result, error, hint = JobState.DONE, {}, None, None
    try:
        result = work(house, job, Reporter(house, job))
    except Cancelled:
        state = JobState.CANCELLED
    except ImmunosError as problem:
        state, error, hint = JobState.FAILED, problem.message, problem.hint
    except MemoryError:
        state, error, hint = (
            JobState.FAILED,
            "The memory of this machine is not enough.",
            "Train on fewer rows or columns.",
        )
    except Exception as problem:  # noqa: BLE001 - the row must say how the job ended
        traceback.print_exc()
        state, error = (
            JobState.FAILED,
            f"An error of the program itself: {type(problem).__name__}: {clean(problem, 200)}.",
        )
        hint = "The job's log has the details."
    if error:
        print(f"failed: {clean(error)} {clean(hint or '')}", flush=True)
    with house.store.write() as tx:
        jobs.finish(tx.db, job.id, state, tx.at, result, error, hint)
    print(f"{time.strftime('%H:%M:%S')} {state}", flush=True)
    return 0 if state is JobState.DONE else 1


def _train(house: House, job: Job, report: Reporter) -> dict[str, Any]:
    from immunos_tui.services.training import train_agent  # noqa: PLC0415 - imports numpy

    return train_agent(house.foundry, job, house.settings, report, report.rows)


def _scan(house: House, job: Job, report: Reporter) -> dict[str, Any]:
    found = house.malt.scan(job.agent, job.path, progress=report)
    report.rows(found.rows)
    report("scan", 1.0, f"{found.rows} rows, {found.rows_per_second:.0f} rows/s")
    return found.as_dict()


WORK: dict[JobKind, Callable[[House, Job, Reporter], dict[str, Any]]] = {JobKind.TRAIN: _train, JobKind.SCAN: _scan}


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
