"""Connections: pragmas, transactions that are whole or nothing, and SQLite's errors as sentences."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from immunos_tui.model.errors import ConflictError, ImmunosError, NotFoundError, StoreError
from immunos_tui.store import ChangeWatch
from immunos_tui.store.connection import BUSY_MS, connect, explain
from tests.conftest import Done

Cli = Callable[..., Done]


def pragma(db: sqlite3.Connection, name: str) -> Any:
    return db.execute(f"PRAGMA {name}").fetchone()[0]


def test_every_connection_has_its_pragmas(house: Any) -> None:
    house.spleen.new("x")
    with closing(connect(house.store.path)) as second, closing(connect(house.store.path, read_only=True)) as third:
        for db in (house.store.db, second, third):
            assert pragma(db, "journal_mode") == "wal"
            assert pragma(db, "foreign_keys") == 1
            assert pragma(db, "busy_timeout") == BUSY_MS
            assert pragma(db, "synchronous") == 2
        assert (pragma(second, "query_only"), pragma(third, "query_only")) == (0, 1)
        with pytest.raises(sqlite3.OperationalError):
            third.execute("DELETE FROM issues")


def test_references_are_checked(house: Any) -> None:
    house.spleen.new("x")
    with pytest.raises(StoreError), house.store.write() as tx:
        tx.db.execute("INSERT INTO comments (issue_id, author, body, at) VALUES (99, 'a', 'b', 1)")
    assert not house.store.db.in_transaction


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt(), sqlite3.OperationalError("x")])
def test_a_transaction_is_whole_or_nothing(house: Any, error: BaseException) -> None:
    house.spleen.new("kept")
    head = house.store.head.read()
    with pytest.raises((RuntimeError, KeyboardInterrupt, StoreError)), house.store.write() as tx:
        tx.db.execute("UPDATE issues SET title = 'lost'")
        tx.record("issue.edit", "issue", 1, {})
        raise error
    assert house.spleen.get(1).title == "kept"
    assert house.store.head.read() == head
    assert house.audit.verify().rows == 1
    assert house.spleen.new("goes on").id == 2


def test_a_read_sees_one_moment(house: Any) -> None:
    house.spleen.new("x")
    with closing(connect(house.store.path)) as other, house.store.read() as db:
        before = db.execute("SELECT count(*) FROM issues").fetchone()[0]
        other.execute("UPDATE issues SET withdrawn = 1")
        other.execute("DELETE FROM issues_fts WHERE 0")
        assert db.execute("SELECT count(*) FROM issues WHERE withdrawn = 0").fetchone()[0] == before
    assert house.spleen.list().ids == ()


@pytest.mark.parametrize(
    ("code", "kind", "needle"),
    [
        (sqlite3.SQLITE_BUSY, ConflictError, "locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, ConflictError, "locked"),
        (sqlite3.SQLITE_CORRUPT, StoreError, "db restore"),
        (sqlite3.SQLITE_CORRUPT_VTAB, StoreError, "db restore"),
        (sqlite3.SQLITE_NOTADB, StoreError, "damaged"),
        (sqlite3.SQLITE_FULL, StoreError, "No space is left"),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreError, "permissions"),
        (sqlite3.SQLITE_CANTOPEN, StoreError, "cannot be opened"),
        (sqlite3.SQLITE_IOERR_WRITE, StoreError, "disk failed"),
        (sqlite3.SQLITE_ERROR, StoreError, "refused: what it said"),
    ],
)
def test_each_error_is_a_sentence_with_the_path(code: int, kind: type[ImmunosError], needle: str) -> None:
    error = sqlite3.OperationalError("what it said")
    error.sqlite_errorcode = code
    told = explain(error, Path("/where/it.db"))
    assert type(told) is kind
    assert needle in str(told)
    assert "/where/it.db" in str(told)


def test_a_full_disk_loses_nothing(house: Any) -> None:
    house.spleen.new("before")
    db = house.store.db
    db.execute(f"PRAGMA max_page_count = {pragma(db, 'page_count') + 2}")
    with pytest.raises(StoreError, match="No space is left") as caught:
        for _ in range(50):
            house.spleen.new("x", body="y" * 50_000)
    assert str(house.store.path) in str(caught.value)
    assert caught.value.exit_code == 1
    db.execute("PRAGMA max_page_count = 1000000")
    count = house.spleen.list().total
    assert count >= 1
    assert house.audit.verify().rows == count
    assert house.spleen.new("goes on").id > 0


def mounted(folder: Path) -> bool:
    """Whether a file system of 400 KB could be mounted there."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    try:
        return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def test_a_really_full_disk(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "small"
    if not mounted(folder):
        pytest.skip("mounting a small file system needs root and the right to mount")
    monkeypatch.setenv("IMMUNOS_BASE_PATH", str(folder))
    try:
        made = 0
        while (done := cli("issue", "new", "x", "--body", "y" * 20_000)).code == 0:
            made += 1
            assert made < 100
        assert done.code == 1
        assert done.err.count("\n") == 1
        assert "No space" in done.err or "disk" in done.err
        listed = cli("issue", "list", "--jsonl")
        assert (listed.code, listed.out.count("\n")) == (0, made)
        assert cli("audit", "verify").code == 0
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


# Permissions ----------------------------------------------------------------------------------

WITHOUT_PRIVILEGE = (
    "import ctypes, sys\n"
    "libc = ctypes.CDLL(None)\n"
    "for capability in (1, 2, 3):\n"  # what lets root pass over permissions: DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER
    "    libc.prctl(24, capability, 0, 0, 0)\n"
    "import os\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'immunos_tui', *sys.argv[1:]])\n"
)


def unprivileged(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as this user, but bound by permissions also where that is root."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_PRIVILEGE, *words], capture_output=True, text=True, check=False
    )


def bound_by_permissions(tmp_path: Path) -> bool:
    probe = tmp_path / "probe"
    probe.write_text("x", encoding="ascii")
    probe.chmod(0)
    return unprivileged("config", "validate", str(probe)).returncode == 2


@pytest.mark.parametrize("what", ["file", "folder", "no folder", "closed folder"])
def test_what_may_not_be_written_is_said_once(base: Path, cli: Cli, tmp_path: Path, what: str) -> None:
    if not bound_by_permissions(tmp_path):
        pytest.skip("permissions do not bind this user here")
    folder = base / ".immunos"
    if what == "no folder":
        base.mkdir(mode=0o500)
    else:
        cli("issue", "new", "kept")
        (folder / "immunos-tui.db").chmod(0o400)
        if what != "file":
            folder.chmod(0o500 if what == "folder" else 0)
    try:
        done = unprivileged("issue", "new", "x")
        assert done.returncode == (2 if what == "closed folder" else 1)  # the settings in it cannot be read either
        assert done.stderr.startswith("immunos-tui: ")
        assert done.stderr.count("\n") == 1
        assert str(base) in done.stderr
        assert "fault of the program" not in done.stderr
    finally:
        if what == "no folder":
            base.chmod(0o700)
        else:
            folder.chmod(0o700)
            (folder / "immunos-tui.db").chmod(0o600)
    if what != "no folder":
        assert cli("issue", "list", "--jsonl").out.count("\n") == 1


# Watching -------------------------------------------------------------------------------------


def test_the_watch_sees_every_other_commit_and_only_commits(house: Any) -> None:
    watch = ChangeWatch(house.store.path)
    assert not watch.changed()
    house.spleen.new("x")
    assert watch.changed()
    assert not watch.changed()
    house.spleen.new("y")
    assert watch.changed()
    with pytest.raises(NotFoundError):
        house.spleen.acknowledge([9])
    assert not watch.changed()
    watch.close()


def test_the_watch_notices_a_replaced_file(house: Any, tmp_path: Path) -> None:
    house.spleen.new("x")
    watch = ChangeWatch(house.store.path)
    assert watch.changed()
    house.close()
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(house.store.path)) as db, closing(sqlite3.connect(copy)) as other:
        db.backup(other)
    os.replace(copy, house.store.path)
    assert watch.changed()
    house.store.path.unlink()
    assert not watch.changed()
    watch.close()
