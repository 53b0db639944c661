"""``db``: checking, copying and bringing back; what a damaged, locked or newer database leads to."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Done

Cli = Callable[..., Done]


@pytest.fixture
def database(cli: Cli, base: Path) -> Path:
    """A database with two issues."""
    for title in ("one", "two"):
        assert cli("issue", "new", title).code == 0
    return base / ".immunos" / "immunos-tui.db"


def titles(cli: Cli) -> list[str]:
    return sorted(item["title"] for item in json.loads(cli("issue", "list", "--json").out)["items"])


def test_check(cli: Cli, database: Path) -> None:
    assert cli("db", "check") == Done(0, f"The database {database} is sound.\n", "")
    body = json.loads(cli("db", "check", "--json").out)
    assert body == {"schema_version": 1, "path": str(database), "sound": True, "faults": [], "search_rebuilt": False}


@pytest.mark.parametrize("words", [("check",), ("backup",)])
def test_nothing_there(cli: Cli, base: Path, words: tuple[str, ...]) -> None:
    done = cli("db", *words)
    assert done.code == 5
    assert "immunos-tui.db" in done.err
    assert not base.exists()


def test_a_count_that_is_not_that_of_the_detections(cli: Cli, database: Path) -> None:
    with closing(sqlite3.connect(database)) as db:
        db.execute("UPDATE issues SET fingerprint = 'x', count = 7 WHERE id = 1")
        db.commit()
    done = cli("db", "check")
    assert done.code == 1
    assert "issue #1 counts 7 detections and has 0" in done.err
    assert not json.loads(cli("db", "check", "--json").out)["sound"]


def test_repair_of_the_text_search(cli: Cli, database: Path) -> None:
    with closing(sqlite3.connect(database)) as db:
        db.execute("DROP TRIGGER issues_fts_update")
        db.execute("UPDATE issues SET title = 'renamed' WHERE id = 1")
        db.execute(
            "CREATE TRIGGER issues_fts_update AFTER UPDATE OF title, body ON issues BEGIN"
            " INSERT INTO issues_fts (issues_fts, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);"
            " INSERT INTO issues_fts (rowid, title, body) VALUES (new.id, new.title, new.body); END"
        )
        db.commit()
    assert json.loads(cli("issue", "list", "-q", "renamed", "--json").out)["items"] == []
    done = cli("db", "check", "--repair")
    assert done.code == 0
    assert "rebuilt" in done.err
    assert [item["id"] for item in json.loads(cli("issue", "list", "-q", "renamed", "--json").out)["items"]] == [1]
    assert "rebuilt" not in cli("db", "check", "--repair").err


def test_backup_and_restore(cli: Cli, database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert cli("db", "backup", copy) == Done(0, f"{copy}\n", "")
    assert copy.stat().st_mode & 0o077 == 0
    again = cli("db", "backup", copy)
    assert again.code == 4
    assert "exists already" in again.err
    cli("issue", "new", "three")
    done = cli("db", "restore", copy)
    assert done.code == 0, done.err
    assert titles(cli) == ["one", "two"]
    verified = cli("audit", "verify")
    assert verified.code == 0, verified.err
    kept = json.loads(cli("db", "restore", copy, "--json").out)["kept"]
    assert Path(kept).is_file()
    assert cli("db", "restore", kept).code == 0
    assert cli("issue", "new", "goes on").code == 0
    assert cli("audit", "verify").code == 0


def test_backup_without_a_name(cli: Cli, database: Path) -> None:
    made = Path(cli("db", "backup").out.strip())
    assert made.parent == database.parent / "backups"
    assert cli("db", "restore", made).code == 0


def test_restore_on_an_empty_machine(cli: Cli, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "copy.db"
    cli("db", "backup", copy)
    monkeypatch.setenv("IMMUNOS_BASE_PATH", str(tmp_path / "other"))
    done = cli("db", "restore", copy)
    assert done.code == 0
    assert titles(cli) == ["one", "two"]


def test_restore_mends_a_damaged_database(cli: Cli, database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    cli("db", "backup", copy)
    damage(database)
    assert cli("issue", "list").code == 1
    done = cli("db", "restore", copy)
    assert done.code == 0, done.err
    assert titles(cli) == ["one", "two"]


@pytest.mark.parametrize("kind", ["none", "folder", "garbage", "other", "future"])
def test_restore_refuses_what_is_no_copy(cli: Cli, database: Path, tmp_path: Path, kind: str) -> None:
    copy = tmp_path / "copy.db"
    if kind == "folder":
        copy.mkdir()
    elif kind == "garbage":
        copy.write_bytes(b"x" * 5000)
    elif kind in ("other", "future"):
        if kind == "future":
            cli("db", "backup", copy)
        with closing(sqlite3.connect(copy)) as db:
            db.execute("CREATE TABLE songs (name)")
            db.execute("PRAGMA user_version = 99" if kind == "future" else "PRAGMA user_version = 1")
    done = cli("db", "restore", copy)
    assert done.code == {"none": 5, "folder": 5, "garbage": 1, "other": 1, "future": 4}[kind]
    assert str(copy) in done.err
    assert titles(cli) == ["one", "two"]


def test_restore_waits_for_a_writer_and_then_gives_up(
    cli: Cli, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("immunos_tui.store.connection.BUSY_MS", 50)
    monkeypatch.setattr("immunos_tui.store.maintenance.BUSY_MS", 50)
    copy = tmp_path / "copy.db"
    cli("db", "backup", copy)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = cli("db", "restore", copy)
    assert done.code == 4
    assert "locked" in done.err
    assert titles(cli) == ["one", "two"]


def test_restore_refuses_read_only(cli: Cli, database: Path) -> None:
    assert cli("--read-only", "db", "restore", database).code == 4


# Damage ---------------------------------------------------------------------------------------


def damage(database: Path) -> None:
    """Overwrite the pages behind the first, as a failing disk does; nothing is left in the log."""
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


@pytest.mark.parametrize("words", [("issue", "list"), ("issue", "new", "x"), ("audit", "verify")])
def test_a_damaged_database_is_exit_1(cli: Cli, database: Path, words: tuple[str, ...]) -> None:
    damage(database)
    done = cli(*words)
    assert done.code == 1
    assert str(database) in done.err
    assert "db restore" in done.err


def test_check_names_damage(cli: Cli, database: Path) -> None:
    damage(database)
    done = cli("db", "check")
    assert done.code == 1
    assert str(database) in done.err


def test_no_database_at_all_under_that_name(cli: Cli, database: Path) -> None:
    database.write_bytes(b"plain text, not a database\n" * 400)
    for words in (("issue", "list"), ("db", "check"), ("db", "backup")):
        done = cli(*words)
        assert done.code == 1
        assert str(database) in done.err


def test_a_database_from_the_future_is_exit_4(cli: Cli, database: Path) -> None:
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA user_version = 99")
    for words in (("issue", "list"), ("issue", "new", "x")):
        done = cli(*words)
        assert done.code == 4
        assert "newer version" in done.err
    done = cli("db", "check")
    assert done.code == 1
    assert "schema 99" in done.err


def test_a_locked_database_is_exit_4(cli: Cli, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("immunos_tui.store.connection.BUSY_MS", 50)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = cli("issue", "ack", "1")
        assert cli("issue", "list").code == 0
    assert done.code == 4
    assert "locked" in done.err
    assert cli("issue", "ack", "1").code == 0


def test_an_empty_file_becomes_a_database(cli: Cli, base: Path) -> None:
    database = base / ".immunos" / "immunos-tui.db"
    database.parent.mkdir(parents=True)
    database.touch()
    assert cli("issue", "new", "x").code == 0


def test_a_symbolic_link_is_not_followed(cli: Cli, database: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    database.rename(elsewhere)
    database.symlink_to(elsewhere)
    done = cli("issue", "list")
    assert done.code == 1
    assert "symbolic link" in done.err
