"""Connections to the database: pragmas, transactions, and what SQLite's errors mean to a person."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from immunos_tui.model.activity import GENESIS, canonical, link
from immunos_tui.model.errors import ConflictError, ImmunosError, StoreError
from immunos_tui.model.when import now_ms
from immunos_tui.paths import private_dir
from immunos_tui.store import migrations
from immunos_tui.store.chain import AuditHead, AuditKey

BUSY_MS = 5_000
"""How long a connection waits for another's write before it says that the database is locked."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with every pragma that the program relies on, in autocommit mode.

    Raises:
        StoreError: the file cannot be opened as a database.
    """
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    with explained(path):
        db = sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA temp_store = MEMORY")
        if read_only:
            db.execute("PRAGMA query_only = ON")
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return db


def begin(db: sqlite3.Connection) -> None:
    """Take the write lock, waiting up to ``BUSY_MS`` for it.

    SQLite's own wait looks ever more rarely, so that of many busy writers the one that has waited longest
    hardly ever gets its turn; here each look has the same chance.
    """
    limit = time.monotonic() + BUSY_MS / 1000
    db.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if (error.sqlite_errorcode or 0) & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > limit:
                    raise
            time.sleep(random.uniform(0.0005, 0.008))
    finally:
        db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into sentences that name the database and the next step."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error


def explain(error: sqlite3.Error, path: Path) -> ImmunosError:
    """What one of SQLite's errors means to the operator."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    text = str(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or "locked" in text:
        return ConflictError(
            f"The database {path} is locked by another program for more than {BUSY_MS // 1000} s; nothing was written.",
            "Try again; `fuser` on the file names who holds it.",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreError(
            f"The database {path} is damaged ({text}).",
            "Keep the file, and bring back the newest good copy with `immunos-tui db restore`.",
        )
    if code == sqlite3.SQLITE_FULL or "disk is full" in text:
        return StoreError(
            f"No space is left for the database {path}; nothing was written.", "Free some space and try again."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return StoreError(
            f"The database {path} cannot be written; nothing was changed.",
            "Check the permissions of the file and its folder.",
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreError(f"The database {path} cannot be opened.", "Check that it exists and that you may read it.")
    if code == sqlite3.SQLITE_IOERR:
        return StoreError(
            f"The disk failed while the database {path} was used ({text}).", "Check the disk and the free space."
        )
    return StoreError(f"The database {path} refused: {text}.", "Run `immunos-tui db check`.")


class Transaction:
    """One write, all or nothing; every change that it makes is recorded in the same transaction."""

    def __init__(self, store: Store, db: sqlite3.Connection) -> None:
        self.db = db
        self.at = store.clock()
        self._store = store
        self._group: int | None = None
        self.head: tuple[int, str] | None = None

    def record(
        self,
        action: str,
        subject: str,
        subject_id: int | None,
        payload: dict[str, Any],
        *,
        undoable: bool = False,
        undoes: int | None = None,
    ) -> int:
        """Append to the activity chain and return the group of this transaction's action."""
        last = self.db.execute("SELECT seq, hash FROM activity ORDER BY seq DESC LIMIT 1").fetchone()
        seq, previous = (last["seq"] + 1, last["hash"]) if last else (1, GENESIS)
        first = self._group is None
        self._group = group = seq if self._group is None else self._group
        key, text = self._store.key, canonical(payload)
        row: dict[str, Any] = {
            "seq": seq,
            "at": self.at,
            "actor": self._store.actor,
            "origin": self._store.origin,
            "action": action,
            "subject": subject,
            "subject_id": subject_id,
            "payload": text,
            "group": group,
            "undoes": undoes,
            "key_id": key.id,
        }
        digest = link(key.secret, previous, **row)
        self.db.execute(
            'INSERT INTO activity (seq, at, actor, origin, action, subject, subject_id, payload, "group", undoes, key_id, hash)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row.values(), digest),
        )
        self.head = (seq, digest)
        if undoable and first:
            self.db.execute("UPDATE undoable SET redoable = 0 WHERE actor = ? AND redoable = 1", (self._store.actor,))
            self.db.execute('INSERT INTO undoable ("group", actor) VALUES (?, ?)', (group, self._store.actor))
        return group


class Store:
    """The database as one thread uses it: a connection that is opened on first use.

    Args:
        actor: the OS user that activity rows name.
        origin: ``cli``, ``screens`` or ``job``.
        read_only: refuse every write, with a sentence.
    """

    def __init__(
        self,
        path: Path,
        key: AuditKey,
        head: AuditHead,
        *,
        actor: str,
        origin: str = "cli",
        read_only: bool = False,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self.path = path
        self.key = key
        self.head = head
        self.actor = actor
        self.origin = origin
        self.read_only = read_only
        self.clock = clock
        self._db: sqlite3.Connection | None = None

    @property
    def db(self) -> sqlite3.Connection:
        """The connection, made with its database on first use, and migrated where it is older."""
        if self._db is None:
            private_dir(self.path.parent)
            with explained(self.path):
                migrations.ensure(self.path, read_only=self.read_only)
            self._db = connect(self.path, read_only=self.read_only)
        return self._db

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent view of the database for as long as the block lasts."""
        db = self.db
        with explained(self.path):
            try:
                db.execute("BEGIN")
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One transaction that takes the write lock at once and checks the schema's version.

        Raises:
            ConflictError: the program is read-only, the database is locked or of another version.
            StoreError: anything else that SQLite refuses; nothing was written.
        """
        if self.read_only:
            raise ConflictError(
                "The program runs read-only; nothing was changed.", "Start it without --read-only to change things."
            )
        db = self.db
        with explained(self.path):
            try:
                begin(db)
                migrations.require_current(db, self.path)
                transaction = Transaction(self, db)
                yield transaction
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
        if transaction.head:
            self.head.advance(*transaction.head)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


class ChangeWatch:
    """Tells whether any other connection has committed since the last look; costs microseconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._seen: tuple[int, int] | None = None

    def changed(self) -> bool:
        """True on the first look, and whenever the database has changed or been replaced since."""
        try:
            inode = self._path.stat().st_ino
            if self._db is None or self._seen is None or self._seen[0] != inode:
                self.close()
                self._db = connect(self._path, read_only=True)
            version = self._db.execute("PRAGMA data_version").fetchone()[0]
        except (OSError, sqlite3.Error, ImmunosError):
            self.close()
            return False
        seen, self._seen = self._seen, (inode, version)
        return seen != self._seen

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
        self._seen = None
