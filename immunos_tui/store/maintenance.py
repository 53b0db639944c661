"""Checking, copying and bringing back the database as a whole."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from immunos_tui.model.errors import ConflictError, NotFoundError, StoreError
from immunos_tui.store import migrations
from immunos_tui.store.connection import BUSY_MS, connect, explain, explained


def check(path: Path) -> list[str]:
    """Every fault of the database file, in words; an empty list means that it is sound."""
    faults: list[str] = []
    with closing(connect(path)) as db, explained(path):
        db.execute("PRAGMA query_only = ON")
        faults += [row[0] for row in db.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
        faults += [
            f"{row[0]} row {row[1]} refers to a {row[2]} that is not there"
            for row in db.execute("PRAGMA foreign_key_check")
        ]
        found = migrations.version_of(db)
        if found != migrations.latest():
            faults.append(f"schema {found}, and this program knows {migrations.latest()}")
        if not faults:
            faults += _counts(db)
    return faults


def _counts(db: sqlite3.Connection) -> list[str]:
    """Issues whose count is not that of their detections: a fold that was not one transaction."""
    rows = db.execute(
        "SELECT i.id, i.count, count(d.id) AS found FROM issues i LEFT JOIN detections d ON d.issue_id = i.id"
        " WHERE i.fingerprint IS NOT NULL GROUP BY i.id HAVING i.count <> found LIMIT 20"
    )
    return [f"issue #{row[0]} counts {row[1]} detections and has {row[2]}" for row in rows]


def repair_search(path: Path) -> bool:
    """Rebuild the full-text index where it disagrees with the issues; True where it did."""
    import sqlite_utils  # noqa: PLC0415 - imports numpy, so only this command pays for it

    with closing(connect(path)) as db, explained(path):
        try:
            db.execute("INSERT INTO issues_fts (issues_fts, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError as error:
            if "malformed" not in str(error) and "corrupt" not in str(error):
                raise
            sqlite_utils.Database(db).table("issues_fts").rebuild_fts()
            return True
    return False


def backup(path: Path, target: Path) -> Path:
    """A complete copy of a database that may be in use.

    Raises:
        ConflictError: something is at ``target`` already.
    """
    if target.exists():
        raise ConflictError(f"{target} exists already; nothing was written.", "Name another file.")
    with closing(connect(path, read_only=True)) as db, explained(path):
        try:
            return migrations.backup(db, target)
        except OSError as error:
            raise StoreError(
                f"Cannot write the copy {target}: {error.strerror}.", "Check the folder and its free space."
            ) from error


def restore(path: Path, copy: Path) -> Path | None:
    """Put a copy in place of the database, through SQLite, so that open programs see it or are refused.

    Returns:
        Where the database that was replaced is kept, or None where there was none.

    Raises:
        NotFoundError: there is no such copy.
        StoreError: the copy is damaged or from another version; nothing was replaced.
    """
    if not copy.is_file():
        raise NotFoundError(
            f"There is no copy {copy}.", "`immunos-tui db backup` makes one; backups/ holds those before upgrades."
        )
    _require_good(copy)
    kept = None
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with migrations.creation_lock(path):
        if path.exists():
            kept = _keep(path)
        try:
            with (
                closing(sqlite3.connect(copy.absolute().as_uri() + "?mode=ro", uri=True)) as source,
                closing(sqlite3.connect(path, timeout=BUSY_MS / 1000)) as target,
            ):
                os.chmod(path, 0o600)
                source.backup(target, progress=_patience(path), sleep=0.05)
                target.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            raise explain(error, path) from error
    migrations.ensure(path)
    return kept


def _patience(path: Path) -> Callable[[int, int, int], None]:
    """Ends a copy that waits for another program's write: SQLite itself would wait for ever."""
    limit = time.monotonic() + BUSY_MS / 1000

    def look(status: int, _remaining: int, _total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > limit:
            raise ConflictError(
                f"The database {path} is locked by another program; nothing was replaced.",
                "Close the other programs and try again; `fuser` on the file names them.",
            )

    return look


def _require_good(copy: Path) -> None:
    try:
        with closing(sqlite3.connect(copy.absolute().as_uri() + "?mode=ro", uri=True)) as db:
            faults = [row[0] for row in db.execute("PRAGMA integrity_check(3)") if row[0] != "ok"]
            version = migrations.version_of(db)
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise StoreError(f"{copy} is no usable copy ({error}); nothing was replaced.", "Name another copy.") from error
    if faults:
        raise StoreError(f"{copy} is damaged ({faults[0]}); nothing was replaced.", "Name another copy.")
    if "issues" not in tables or "activity" not in tables:
        raise StoreError(f"{copy} is no database of this program; nothing was replaced.", "Name another copy.")
    if version > migrations.latest():
        raise ConflictError(
            f"{copy} comes from a newer version (schema {version}); nothing was replaced.", "Use that version."
        )


def _keep(path: Path) -> Path:
    """Copy what is about to be replaced: whole where it is sound, byte for byte where it is damaged."""
    kept = path.parent / "backups" / f"{path.stem}-replaced-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.db"
    try:
        with closing(sqlite3.connect(path, timeout=5)) as db:
            migrations.backup(db, kept)
    except sqlite3.Error as error:
        if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise explain(error, path) from error
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(path, kept)
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
    return kept


def meta(db: sqlite3.Connection, key: str) -> str | None:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def set_meta(db: sqlite3.Connection, key: str, value: object) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, text),
    )
