"""Migrations: what they make, that a backup comes first, and that nothing newer is touched."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from immunos_tui.model.errors import ConflictError, StoreError
from immunos_tui.resources import resource
from immunos_tui.store import migrations
from immunos_tui.store.migrations import ensure, latest, statements, steps, version_of

SECOND = (
    "CREATE TABLE songs (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;\nALTER TABLE meta ADD COLUMN note TEXT;\n"
)


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Pretend that a later release ships one more migration; returns the version that it leads to."""

    def ship(script: str) -> int:
        folder = tmp_path / "later" / "migrations"
        if not folder.exists():
            shutil.copytree(resource("migrations"), folder)
        number = latest() + 1
        (folder / f"{number:04d}_next.sql").write_text(script, encoding="utf-8")
        monkeypatch.setattr(migrations, "resource", lambda _name: folder)
        return number

    return ship


def shape(db: sqlite3.Connection) -> dict[str, str]:
    """Every object of a database with its SQL, without comments and spacing."""
    rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {
        name: " ".join(re.sub(r"--[^\n]*", "", sql).replace("(", " ( ").replace(")", " ) ").split())
        for name, sql in rows
    }


def test_the_readable_schema_is_what_migrations_make(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    ensure(path)
    with closing(sqlite3.connect(path)) as made, closing(sqlite3.connect(":memory:")) as read:
        read.executescript(resource("schema.sql").read_text(encoding="utf-8"))
        assert shape(made) == shape(read)
        assert version_of(made) == latest()


def test_migrations_are_numbered_without_gaps() -> None:
    assert [number for number, _ in steps()] == list(range(1, latest() + 1))


def test_every_table_is_described() -> None:
    text = resource("schema.sql").read_text(encoding="utf-8")
    for table in re.findall(r"CREATE (?:VIRTUAL )?TABLE (\w+)", text):
        before = text[: re.search(rf"CREATE (?:VIRTUAL )?TABLE {table}\b", text).start()].rstrip().splitlines()[-1]  # type: ignore[union-attr]
        assert before.startswith("--") or table == "comments", table


def test_statements_keep_triggers_whole() -> None:
    script = "-- a; comment\nCREATE TABLE a (b);\n\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n  SELECT 1;\n  SELECT 2;\nEND;\nSELECT 3\n"
    found = list(statements(script))
    assert len(found) == 3
    assert found[1].startswith("CREATE TRIGGER")
    assert found[1].endswith("END;")


def test_an_older_database_is_copied_and_then_upgraded(house: Any, next_release: Callable[[str], int]) -> None:
    house.spleen.new("kept")
    house.close()
    number = next_release(SECOND)
    assert [house.spleen.get(1).title, house.store.path.exists()] == ["kept", True]
    with house.store.read() as db:
        assert version_of(db) == number
        assert db.execute("SELECT count(*) FROM songs").fetchone()[0] == 0
    copies = list((house.store.path.parent / "backups").glob("*.db"))
    assert len(copies) == 1
    assert copies[0].stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(copies[0])) as copy:
        assert version_of(copy) == number - 1
        assert copy.execute("SELECT title FROM issues").fetchone()[0] == "kept"
    assert house.audit.verify().broken is None


def test_a_new_database_needs_no_backup(house: Any) -> None:
    house.spleen.new("x")
    assert not (house.store.path.parent / "backups").exists()


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE songs (name TEXT) STRICT;\nCREATE TABLE songs (name TEXT) STRICT;\n",
        "CREATE TABLE songs (name TEXT) STRICT;\nDELETE FROM agents;\n",
    ],
)
def test_a_migration_that_fails_leaves_everything_as_it_was(
    house: Any, next_release: Callable[[str], int], script: str
) -> None:
    from tests.houses import trained_agent

    trained_agent(house)
    house.close()
    number = next_release(script)
    with pytest.raises(StoreError):
        house.spleen.posture()
    with closing(sqlite3.connect(house.store.path)) as db:
        assert version_of(db) == number - 1
        assert "songs" not in shape(db)
        assert db.execute("SELECT count(*) FROM agents").fetchone()[0] == 1


def test_a_newer_database_is_not_touched(house: Any) -> None:
    house.spleen.new("x")
    house.close()
    with closing(sqlite3.connect(house.store.path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = house.store.path.read_bytes()
    with pytest.raises(ConflictError, match="newer version") as caught:
        house.spleen.posture()
    assert caught.value.exit_code == 4
    assert house.store.path.read_bytes() == before


def test_an_open_program_stops_writing_after_an_upgrade(house: Any) -> None:
    house.spleen.new("before")
    with closing(sqlite3.connect(house.store.path)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(ConflictError, match="nothing was written"):
        house.spleen.new("after")
    with closing(sqlite3.connect(house.store.path)) as other:
        assert other.execute("SELECT count(*) FROM issues").fetchone()[0] == 1


def test_read_only_makes_and_upgrades_nothing(tmp_path: Path, next_release: Callable[[str], int]) -> None:
    path = tmp_path / "x.db"
    with pytest.raises(StoreError, match="--read-only makes none"):
        ensure(path, read_only=True)
    assert not path.exists()
    ensure(path)
    next_release(SECOND)
    with pytest.raises(ConflictError, match="needs an upgrade"):
        ensure(path, read_only=True)
