"""Reading the activity chain, checking it, and what can be undone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

from immunos_tui.model.activity import GENESIS, Activity, ChainReport, link
from immunos_tui.store.chain import AuditKey


def _activity(row: sqlite3.Row) -> Activity:
    return Activity(**{**dict(row), "payload": json.loads(row["payload"])})


def group(db: sqlite3.Connection, number: int) -> list[Activity]:
    """Every row of one action, in order."""
    return [_activity(row) for row in db.execute('SELECT * FROM activity WHERE "group" = ? ORDER BY seq', (number,))]


def get(db: sqlite3.Connection, seq: int) -> Activity | None:
    row = db.execute("SELECT * FROM activity WHERE seq = ?", (seq,)).fetchone()
    return _activity(row) if row else None


def of_subject(db: sqlite3.Connection, subject: str, subject_id: int, limit: int = 200) -> list[Activity]:
    """The newest rows about one subject, newest first."""
    rows = db.execute(
        "SELECT * FROM activity WHERE subject = ? AND subject_id = ? ORDER BY seq DESC LIMIT ?",
        (subject, subject_id, limit),
    )
    return [_activity(row) for row in rows]


def later_change(db: sqlite3.Connection, subject_id: int, field: str, after: int) -> Activity | None:
    """The newest row after ``after`` that set ``field`` of an issue."""
    for row in db.execute(
        "SELECT * FROM activity WHERE subject = 'issue' AND subject_id = ? AND seq > ? ORDER BY seq DESC",
        (subject_id, after),
    ):
        found = _activity(row)
        if field in found.payload.get("set", {}):
            return found
    return None


def latest_standing(db: sqlite3.Connection, actor: str) -> int | None:
    """The group of this actor's newest action that has not been undone."""
    row = db.execute('SELECT max("group") FROM undoable WHERE actor = ? AND undone_by IS NULL', (actor,)).fetchone()
    return None if row[0] is None else int(row[0])


def next_redo(db: sqlite3.Connection, actor: str) -> tuple[int, int] | None:
    """The group that redo brings back, with the undo that took it away."""
    row = db.execute(
        'SELECT "group", undone_by FROM undoable WHERE actor = ? AND redoable = 1 ORDER BY undone_by DESC LIMIT 1',
        (actor,),
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else None


def undo_state(db: sqlite3.Connection, number: int) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute('SELECT * FROM undoable WHERE "group" = ?', (number,)).fetchone()
    return row


def mark_undone(db: sqlite3.Connection, number: int, by: int, redoable: bool) -> None:
    db.execute('UPDATE undoable SET undone_by = ?, redoable = ? WHERE "group" = ?', (by, int(redoable), number))


def mark_redone(db: sqlite3.Connection, number: int) -> None:
    db.execute('UPDATE undoable SET undone_by = NULL, redoable = 0 WHERE "group" = ?', (number,))


def head(db: sqlite3.Connection) -> tuple[int, str]:
    row = db.execute("SELECT seq, hash FROM activity ORDER BY seq DESC LIMIT 1").fetchone()
    return (int(row[0]), str(row[1])) if row else (0, GENESIS)


def verify(db: sqlite3.Connection, key: AuditKey, remembered: tuple[int, str] | None) -> ChainReport:
    """Walk the whole chain and name the first row that does not hold.

    Args:
        remembered: the head that the state directory keeps, which shows a tail that was cut off.
    """
    previous, expected, seen = GENESIS, 1, None
    for row in _rows(db):
        broken = _fault(row, expected, previous, key)
        if broken:
            return ChainReport(expected - 1, previous, row["seq"] if row["seq"] == expected else expected, broken)
        previous, expected = row["hash"], expected + 1
        if remembered and row["seq"] == remembered[0]:
            seen = row["hash"]
    rows = expected - 1
    if remembered and remembered[0] > rows:
        return ChainReport(
            rows, previous, rows + 1, f"the record ends at row {rows}, and row {remembered[0]} had been written"
        )
    if remembered and seen is not None and seen != remembered[1]:
        return ChainReport(rows, previous, remembered[0], "the row is not the one that had been written")
    notes = () if remembered or not rows else ("no head is kept in the state directory, so a cut tail would not show",)
    return ChainReport(rows, previous, notes=notes)


def _rows(db: sqlite3.Connection) -> Iterator[sqlite3.Row]:
    yield from db.execute("SELECT * FROM activity ORDER BY seq")


def _fault(row: sqlite3.Row, expected: int, previous: str, key: AuditKey) -> str:
    if row["seq"] != expected:
        return f"row {expected} is missing"
    if row["key_id"] != key.id:
        return f"it was signed with key {row['key_id']}, and the key file holds {key.id}"
    fields = {name: row[name] for name in row.keys() if name != "hash"}  # noqa: SIM118 - a Row iterates over values
    if link(key.secret, previous, **fields) != row["hash"]:
        return "its content does not match its hash"
    return ""
