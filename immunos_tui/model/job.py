"""Jobs: long work in one queue, each in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class JobKind(StrEnum):
    TRAIN = "train"
    SCAN = "scan"
    EVALUATE = "evaluate"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class Job:
    """One piece of long work. ``fraction`` is of the current ``stage``; times are UTC milliseconds."""

    id: int
    kind: JobKind
    agent: str
    spec: Mapping[str, Any]
    state: JobState
    stage: str
    fraction: float
    overall: float
    note: str
    rows_done: int
    rows_total: int
    rate: float
    error: str | None
    hint: str | None
    pid: int | None
    cancel_requested: bool
    created_by: str
    created_at: int
    started_at: int | None
    ended_at: int | None
    progress_at: int | None
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return str(self.spec.get("path", ""))

    def as_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "spec": dict(self.spec), "result": dict(self.result)}


def seconds_left(job: Job, now: int) -> float | None:
    """An estimate of the seconds until the job ends, or None while too little is known."""
    if job.state is not JobState.RUNNING or job.started_at is None or job.overall < 0.03:
        return None
    spent = (now - job.started_at) / 1000
    return max(0.0, spent * (1 - job.overall) / job.overall)
