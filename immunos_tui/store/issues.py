"""Issues and their comments."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from immunos_tui.model.issue import Comment, Issue, Priority, Status, VerdictKind
from immunos_tui.model.query import Term
from immunos_tui.store.issue_query import order_by, where

_COLUMNS = (
    "title body status priority owner project tags due domain agent fingerprint count first_seen last_seen"
    " verdict verdict_by verdict_at verdict_why duplicate_of withdrawn created_at updated_at"
).split()


def _issue(row: sqlite3.Row) -> Issue:
    values = dict(row)
    verdict = values.pop("verdict")
    return Issue(
        **{
            **values,
            "status": Status(values["status"]),
            "priority": Priority(values["priority"]),
            "tags": tuple(json.loads(values["tags"])),
            "verdict": VerdictKind(verdict) if verdict else None,
            "withdrawn": bool(values["withdrawn"]),
        }
    )


def stored(field: str, value: Any) -> Any:
    """A field's value as its column holds it."""
    if field == "tags":
        return json.dumps(list(value), ensure_ascii=False)
    return (
        int(value)
        if isinstance(value, bool)
        else str(value)
        if isinstance(value, (Status, Priority, VerdictKind))
        else value
    )


def get(db: sqlite3.Connection, issue_id: int) -> Issue | None:
    row = db.execute("SELECT * FROM issues WHERE id = ?", (issue_id,)).fetchone()
    return _issue(row) if row else None


def many(db: sqlite3.Connection, ids: Sequence[int]) -> dict[int, Issue]:
    """The issues of ``ids`` by id; those that do not exist are left out."""
    found: dict[int, Issue] = {}
    for start in range(0, len(ids), 500):
        part = list(ids[start : start + 500])
        marks = ",".join("?" * len(part))
        for row in db.execute(f"SELECT * FROM issues WHERE id IN ({marks})", part):  # noqa: S608 - only question marks
            found[row["id"]] = _issue(row)
    return found


def by_fingerprints(db: sqlite3.Connection, fingerprints: Iterable[str]) -> dict[str, Issue]:
    found = {}
    for fingerprint in fingerprints:
        row = db.execute("SELECT * FROM issues WHERE fingerprint = ?", (fingerprint,)).fetchone()
        if row:
            found[fingerprint] = _issue(row)
    return found


def ids(
    db: sqlite3.Connection,
    terms: Sequence[Term],
    now: int,
    sort: str = "urgency",
    reverse: bool = False,
    limit: int = -1,
) -> list[int]:
    """The ids that match, in order; all of them where ``limit`` is negative."""
    condition, values = where(terms, now)
    sql = f"SELECT id FROM issues WHERE {condition} ORDER BY {order_by(sort, reverse)} LIMIT ?"  # noqa: S608 - own clauses
    return [row[0] for row in db.execute(sql, [*values, limit])]


def count(db: sqlite3.Connection, terms: Sequence[Term], now: int) -> int:
    condition, values = where(terms, now)
    return int(db.execute(f"SELECT count(*) FROM issues WHERE {condition}", values).fetchone()[0])  # noqa: S608


def insert(db: sqlite3.Connection, fields: Mapping[str, Any]) -> int:
    """A new issue from the given fields; the others take their defaults."""
    names = [name for name in _COLUMNS if name in fields]
    values = [stored(name, fields[name]) for name in names]
    marks = ",".join("?" * len(names))
    done = db.execute(f"INSERT INTO issues ({','.join(names)}) VALUES ({marks})", values)  # noqa: S608 - own column names
    return int(done.lastrowid or 0)


def update(db: sqlite3.Connection, issue_id: int, fields: Mapping[str, Any], now: int) -> None:
    names = [name for name in _COLUMNS if name in fields]
    sets = ", ".join(f"{name} = ?" for name in [*names, "updated_at"])
    values = [*(stored(name, fields[name]) for name in names), now, issue_id]
    db.execute(f"UPDATE issues SET {sets} WHERE id = ?", values)  # noqa: S608 - own column names


def add_count(db: sqlite3.Connection, issue_id: int, more: int, first: int, last: int) -> None:
    """Fold ``more`` detections into an issue's count and times."""
    db.execute(
        "UPDATE issues SET count = count + ?, first_seen = min(first_seen, ?), last_seen = max(last_seen, ?), updated_at = ?"
        " WHERE id = ?",
        (more, first, last, last, issue_id),
    )


def posture(db: sqlite3.Connection, day_start: int) -> dict[str, int]:
    """Open issues by priority, those that nobody has looked at, and how the day went."""
    row = db.execute(
        "SELECT count(*) FILTER (WHERE status <> 'resolved') AS open,"
        " count(*) FILTER (WHERE status <> 'resolved' AND priority = 'critical') AS critical,"
        " count(*) FILTER (WHERE status <> 'resolved' AND priority = 'high') AS high,"
        " count(*) FILTER (WHERE status <> 'resolved' AND priority = 'medium') AS medium,"
        " count(*) FILTER (WHERE status <> 'resolved' AND priority = 'low') AS low,"
        " count(*) FILTER (WHERE status = 'new') AS new, count(*) AS total,"
        " count(*) FILTER (WHERE created_at >= ?) AS opened_today,"
        " count(*) FILTER (WHERE status = 'resolved' AND updated_at >= ?) AS resolved_today"
        " FROM issues WHERE withdrawn = 0",
        (day_start, day_start),
    ).fetchone()
    return dict(row)


def owners(db: sqlite3.Connection) -> list[str]:
    return [
        row[0]
        for row in db.execute("SELECT DISTINCT owner FROM issues WHERE owner IS NOT NULL ORDER BY owner LIMIT 50")
    ]


def add_comment(db: sqlite3.Connection, issue_id: int, author: str, body: str, at: int) -> int:
    done = db.execute(
        "INSERT INTO comments (issue_id, author, body, at) VALUES (?, ?, ?, ?)", (issue_id, author, body, at)
    )
    return int(done.lastrowid or 0)


def comments(db: sqlite3.Connection, issue_id: int) -> list[Comment]:
    rows = db.execute(
        "SELECT id, issue_id, author, body, at FROM comments WHERE issue_id = ? AND withdrawn = 0 ORDER BY id",
        (issue_id,),
    )
    return [Comment(**dict(row)) for row in rows]


def set_comment_withdrawn(db: sqlite3.Connection, comment_id: int, withdrawn: bool) -> None:
    db.execute("UPDATE comments SET withdrawn = ? WHERE id = ?", (int(withdrawn), comment_id))


def comment_withdrawn(db: sqlite3.Connection, comment_id: int) -> bool | None:
    row = db.execute("SELECT withdrawn FROM comments WHERE id = ?", (comment_id,)).fetchone()
    return None if row is None else bool(row[0])
