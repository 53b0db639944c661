"""Sources, scans, detections, and the minutes in which they came."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from immunos_tui.model.detection import Detection, Evidence, Result
from immunos_tui.model.text import storable


def source(db: sqlite3.Connection, sha256: str, path: str, size: int, now: int) -> int:
    """The id of the source with this content, made or brought up to date."""
    row = db.execute(
        "INSERT INTO sources (sha256, path, bytes, first_scanned, last_scanned) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (sha256) DO UPDATE SET path = excluded.path, last_scanned = excluded.last_scanned RETURNING id",
        (sha256, path, size, now, now),
    ).fetchone()
    return int(row[0])


def recorded_rows(db: sqlite3.Connection, version_id: int, source_id: int, first: int, last: int) -> set[int]:
    """Which rows of ``first``..``last`` are recorded already."""
    rows = db.execute(
        "SELECT row FROM detections WHERE version_id = ? AND source_id = ? AND row BETWEEN ? AND ?",
        (version_id, source_id, first, last),
    )
    return {row[0] for row in rows}


def insert(
    db: sqlite3.Connection,
    version_id: int,
    source_id: int,
    items: Iterable[tuple[Detection, int | None, bool]],
    now: int,
) -> None:
    """Record detections, each with its issue and whether its evidence is kept."""
    db.executemany(
        "INSERT INTO detections (version_id, source_id, row, result, score, p_value, confidence, fingerprint, issue_id, at,"
        " sample, explanation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                version_id,
                source_id,
                item.row,
                item.result.value,
                item.score,
                item.p_value,
                item.confidence,
                item.fingerprint,
                issue,
                now,
                storable(item.sample) if kept and item.sample is not None else None,
                json.dumps(item.explanation) if kept and item.explanation else None,
            )
            for item, issue, kept in items
        ),
    )


def add_minute(db: sqlite3.Connection, now: int, flagged: int, uncertain: int) -> None:
    db.execute(
        "INSERT INTO detection_minutes (minute, flagged, uncertain) VALUES (?, ?, ?) ON CONFLICT (minute)"
        " DO UPDATE SET flagged = flagged + excluded.flagged, uncertain = uncertain + excluded.uncertain",
        (now // 60_000, flagged, uncertain),
    )


def minutes(db: sqlite3.Connection, now: int, span: int) -> list[int]:
    """Flagged detections of each of the last ``span`` minutes, oldest first."""
    last = now // 60_000
    rows = dict(
        db.execute(
            "SELECT minute, flagged FROM detection_minutes WHERE minute > ? AND minute <= ?", (last - span, last)
        ).fetchall()
    )
    return [int(rows.get(minute, 0)) for minute in range(last - span + 1, last + 1)]


def evidence_counts(db: sqlite3.Connection, version_id: int, issue_ids: Iterable[int]) -> dict[int, int]:
    """How many samples of each issue are kept for this version."""
    sql = "SELECT count(*) FROM detections WHERE issue_id = ? AND version_id = ? AND explanation IS NOT NULL"
    return {issue: int(db.execute(sql, (issue, version_id)).fetchone()[0]) for issue in issue_ids}


def evidence(db: sqlite3.Connection, issue_id: int, limit: int = 20) -> list[Evidence]:
    """The kept detections of an issue, the most foreign first."""
    rows = db.execute(
        "SELECT d.id, d.row, d.result, d.score, d.p_value, d.confidence, d.at, s.path AS source, a.name AS agent,"
        " v.number AS version, v.dataset_path AS dataset, d.sample, d.explanation FROM detections d INDEXED BY detections_with_evidence JOIN sources s ON s.id = d.source_id"
        " JOIN agent_versions v ON v.id = d.version_id JOIN agents a ON a.id = v.agent_id"
        " WHERE d.issue_id = ? AND d.explanation IS NOT NULL ORDER BY d.score DESC, d.id DESC LIMIT ?",
        (issue_id, limit),
    )
    return [
        Evidence(**{**dict(row), "result": Result(row["result"]), "explanation": json.loads(row["explanation"])})
        for row in rows
    ]


def add_scan(
    db: sqlite3.Connection,
    version_id: int,
    source_id: int,
    now: int,
    rows: int,
    counts: Mapping[str, int],
    drift: Mapping[str, Any],
) -> None:
    db.execute(
        "INSERT INTO scans (version_id, source_id, at, rows, counts, drift) VALUES (?, ?, ?, ?, ?, ?)",
        (version_id, source_id, now, rows, json.dumps(dict(counts)), json.dumps(dict(drift))),
    )


def last_scan(db: sqlite3.Connection) -> dict[str, Any] | None:
    """When and what was scanned last, with its counts and drift sign."""
    row = db.execute(
        "SELECT c.at, c.rows, c.counts, c.drift, s.path, a.name AS agent FROM scans c JOIN sources s ON s.id = c.source_id"
        " JOIN agent_versions v ON v.id = c.version_id JOIN agents a ON a.id = v.agent_id ORDER BY c.id DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    return {**dict(row), "counts": json.loads(row["counts"]), "drift": json.loads(row["drift"])}


def forget_agent(db: sqlite3.Connection, agent_id: int, issue_ids: Sequence[int]) -> None:
    """Remove an agent with everything that came from it, and the given issues."""
    marks = ",".join("?" * len(issue_ids))
    mine = "(SELECT id FROM agent_versions WHERE agent_id = ?)"
    db.execute(f"DELETE FROM detections WHERE version_id IN {mine}", (agent_id,))  # noqa: S608
    db.execute(f"DELETE FROM scans WHERE version_id IN {mine}", (agent_id,))  # noqa: S608
    db.execute("DELETE FROM agent_versions WHERE agent_id = ?", (agent_id,))
    db.execute(
        "DELETE FROM jobs WHERE agent = (SELECT name FROM agents WHERE id = ?) AND state <> 'running'", (agent_id,)
    )
    db.execute("DELETE FROM agents WHERE id = ?", (agent_id,))
    db.execute(
        "DELETE FROM sources WHERE id NOT IN (SELECT source_id FROM scans UNION SELECT source_id FROM detections)"
    )
    if issue_ids:
        db.execute(f"UPDATE issues SET duplicate_of = NULL WHERE duplicate_of IN ({marks})", issue_ids)  # noqa: S608
        db.execute(f"DELETE FROM comments WHERE issue_id IN ({marks})", issue_ids)  # noqa: S608
        groups = f"SELECT \"group\" FROM activity WHERE subject = 'issue' AND subject_id IN ({marks})"  # noqa: S608
        db.execute(f'DELETE FROM undoable WHERE "group" IN ({groups})', issue_ids)  # noqa: S608
        db.execute(f"UPDATE detections SET issue_id = NULL WHERE issue_id IN ({marks})", issue_ids)  # noqa: S608
        db.execute(f"DELETE FROM issues WHERE id IN ({marks})", issue_ids)  # noqa: S608


def issue_minutes(db: sqlite3.Connection, issue_id: int, now: int, span: int) -> list[int]:
    """Detections of one issue in each of the last ``span`` minutes, oldest first."""
    last = now // 60_000
    rows = dict(
        db.execute(
            "SELECT at / 60000, count(*) FROM detections WHERE issue_id = ? AND at >= ? GROUP BY 1",
            (issue_id, (last - span + 1) * 60_000),
        ).fetchall()
    )
    return [int(rows.get(minute, 0)) for minute in range(last - span + 1, last + 1)]
