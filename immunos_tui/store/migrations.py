"""Ordered migrations by ``user_version``, each in one transaction, with a backup before the first."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from immunos_tui.model.errors import ConflictError, StoreError
from immunos_tui.resources import resource


def steps(folder: Path | None = None) -> list[tuple[int, Path]]:
    """The migration files in order, as (version that it leads to, path)."""
    found = []
    for file in sorted((folder or resource("migrations")).glob("*.sql")):
        match = re.match(r"(\d{4})_", file.name)
        if match:
            found.append((int(match[1]), file))
    return found


def latest() -> int:
    """The schema version that this program knows."""
    return max((version for version, _ in steps()), default=0)


def version_of(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def require_current(db: sqlite3.Connection, path: Path) -> None:
    """Refuse to write to a schema that this program does not know.

    Raises:
        ConflictError: the database was upgraded by a newer program meanwhile.
    """
    found, known = version_of(db), latest()
    if found != known:
        raise ConflictError(
            f"The database {path} has schema {found}, and this program knows {known}; nothing was written.",
            "Close this program and start the version that upgraded it."
            if found > known
            else "Close the program and start it again, so that the database is upgraded.",
        )


@contextmanager
def creation_lock(path: Path) -> Iterator[None]:
    """Held while the database is made, migrated or replaced, by one program at a time."""
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def ensure(path: Path, *, read_only: bool = False) -> None:
    """Make the database where there is none, and bring an older one up to date.

    Raises:
        ConflictError: a newer program has upgraded it.
        StoreError: it is missing and may not be made, or is a symbolic link.
    """
    known = latest()
    if path.is_symlink():
        raise StoreError(f"The database {path} is a symbolic link, which is not followed.", "Move the real file there.")
    if path.exists() and path.stat().st_size > 0:
        found = _peek(path)
        if found == known:
            return
        if found > known:
            raise ConflictError(
                f"The database {path} comes from a newer version (schema {found}; this program knows {known}).",
                "Start the newer program; nothing was changed.",
            )
    if read_only and not path.exists():
        raise StoreError(f"There is no database {path}, and --read-only makes none.", "Start once without --read-only.")
    if read_only:
        raise ConflictError(
            f"The database {path} needs an upgrade, which --read-only forbids.", "Start once without it."
        )
    try:
        with creation_lock(path):
            _migrate(path, known)
    except OSError as error:
        raise StoreError(
            f"The database {path} cannot be made: {error.strerror}.",
            "Check the permissions and free space of its folder.",
        ) from error


def _peek(path: Path, mode: str = "ro") -> int:
    """The schema version of a file; what a killed program left half written is rolled back first."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=5)) as db:
            return version_of(db)
    except sqlite3.OperationalError as error:
        if mode == "ro" and (error.sqlite_errorcode or 0) & 0xFF == sqlite3.SQLITE_READONLY:
            return _peek(path, "rw")
        raise


def _migrate(path: Path, known: int) -> None:
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as db:
        found = version_of(db)
        if found >= known:
            return
        if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            db.execute("PRAGMA journal_mode = WAL")
        if found:
            backup(db, path.parent / "backups" / f"{path.stem}-schema{found}-{time.strftime('%Y%m%dT%H%M%S')}.db")
        db.execute("PRAGMA foreign_keys = OFF")
        for version, file in steps():
            if version > found:
                _apply(db, version, file)


def _apply(db: sqlite3.Connection, version: int, file: Path) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements(file.read_text(encoding="utf-8")):
            db.execute(statement)
        broken = db.execute("PRAGMA foreign_key_check").fetchone()
        if broken:
            raise StoreError(f"The migration {file.name} would break references in {broken[0]}; nothing was changed.")
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def statements(script: str) -> Iterator[str]:
    """The single statements of a script; triggers keep their inner semicolons."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if re.sub(r"--[^\n]*", "", pending).strip():
        yield pending.strip()


def backup(db: sqlite3.Connection, target: Path) -> Path:
    """Copy a live database as a whole; the copy appears under its name only once it is complete."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(draft)) as copy:
            db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        os.replace(draft, target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return target
