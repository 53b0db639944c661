"""The queue of long work. A running job's own process writes its progress and its end."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from immunos_tui.model.job import Job, JobKind, JobState


def _job(row: sqlite3.Row) -> Job:
    values = dict(row)
    values.pop("position")
    return Job(
        **{
            **values,
            "kind": JobKind(row["kind"]),
            "state": JobState(row["state"]),
            "spec": json.loads(row["spec"]),
            "result": json.loads(row["result"]),
            "cancel_requested": bool(row["cancel_requested"]),
        }
    )


def get(db: sqlite3.Connection, job_id: int) -> Job | None:
    row = db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return _job(row) if row else None


def recent(db: sqlite3.Connection, limit: int = 200) -> list[Job]:
    """Running first, then what waits in its order, then what has ended, newest first."""
    rows = db.execute(
        "SELECT * FROM jobs ORDER BY CASE state WHEN 'running' THEN 0 WHEN 'queued' THEN 1 ELSE 2 END,"
        " CASE WHEN state = 'queued' THEN position ELSE -id END LIMIT ?",
        (limit,),
    )
    return [_job(row) for row in rows]


def in_state(db: sqlite3.Connection, state: JobState) -> list[Job]:
    return [_job(row) for row in db.execute("SELECT * FROM jobs WHERE state = ? ORDER BY position, id", (state,))]


def insert(db: sqlite3.Connection, kind: JobKind, agent: str, spec: Mapping[str, Any], who: str, now: int) -> int:
    done = db.execute(
        "INSERT INTO jobs (kind, agent, spec, position, created_by, created_at)"
        " VALUES (?, ?, ?, (SELECT coalesce(max(position), 0) + 1 FROM jobs), ?, ?)",
        (kind, agent, json.dumps(dict(spec)), who, now),
    )
    return int(done.lastrowid or 0)


def claim(db: sqlite3.Connection, job_id: int, pid: int, now: int) -> bool:
    """Turn a queued job into this process's own; False where somebody else has it or it is gone."""
    done = db.execute(
        "UPDATE jobs SET state = 'running', pid = ?, started_at = ?, progress_at = ?, cancel_requested = 0"
        " WHERE id = ? AND state = 'queued'",
        (pid, now, now, job_id),
    )
    return done.rowcount == 1


def progress(db: sqlite3.Connection, job_id: int, fields: Mapping[str, Any]) -> None:
    """Write stage, fraction, overall, note, rows and rate of a running job."""
    names = [
        name
        for name in ("stage", "fraction", "overall", "note", "rows_done", "rows_total", "rate", "progress_at")
        if name in fields
    ]
    sets = ", ".join(f"{name} = ?" for name in names)
    db.execute(f"UPDATE jobs SET {sets} WHERE id = ? AND state = 'running'", [*(fields[n] for n in names), job_id])  # noqa: S608


def finish(
    db: sqlite3.Connection,
    job_id: int,
    state: JobState,
    now: int,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
    hint: str | None = None,
) -> bool:
    """End a job that has not ended yet; False where it had."""
    done = db.execute(
        "UPDATE jobs SET state = ?, ended_at = ?, result = ?, error = ?, hint = ?,"
        " fraction = CASE WHEN ? = 'done' THEN 1.0 ELSE fraction END, overall = CASE WHEN ? = 'done' THEN 1.0 ELSE overall END"
        " WHERE id = ? AND state IN ('queued', 'running')",
        (state, now, json.dumps(dict(result or {})), error, hint, state, state, job_id),
    )
    return done.rowcount == 1


def request_cancel(db: sqlite3.Connection, job_id: int) -> None:
    db.execute("UPDATE jobs SET cancel_requested = 1 WHERE id = ?", (job_id,))


def order(db: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Put the queued jobs into the given order."""
    db.executemany(
        "UPDATE jobs SET position = ? WHERE id = ? AND state = 'queued'", [(n, job) for n, job in enumerate(ids)]
    )


def counts(db: sqlite3.Connection) -> dict[str, int]:
    return {row[0]: row[1] for row in db.execute("SELECT state, count(*) FROM jobs GROUP BY state")}
