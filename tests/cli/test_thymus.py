"""``thymus``: the queue by command, as long as no job runs."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from immunos_tui.model.job import JobState
from immunos_tui.store import jobs
from tests.conftest import Done

Cli = Callable[..., Done]


@pytest.fixture
def flows(cli: Cli, tmp_path: Path) -> Path:
    """A dataset for the agent net-1."""
    cli("agent", "new", "net-1", "--template", "network")
    file = tmp_path / "flows.csv"
    file.write_text("duration,label\n1,normal\n2,attack\n", encoding="utf-8")
    return file


def test_add_prints_the_number_and_what_to_run(cli: Cli, flows: Path) -> None:
    done = cli("thymus", "add", "--agent", "net-1", "--dataset", flows, "--label", "label", "--self", "normal")
    assert (done.code, done.out) == (0, "1\n")
    assert "immunos-tui thymus run" in done.err
    words = ("--drop", "a, b", "--drop", "c", "--clean", "no", "--seed", "7", "--notes", "second try", "--json")
    job = json.loads(cli("thymus", "add", "--agent", "net-1", "--dataset", flows, *words).out)
    assert (job["schema_version"], job["id"], job["state"], job["kind"]) == (1, 2, "queued", "train")
    assert job["spec"]["drop"] == ["a", "b", "c"]
    assert (job["spec"]["preset"], job["spec"]["seed"], job["spec"]["notes"]) == ("robust", 7, "second try")
    assert job["spec"]["path"] == str(flows)


def test_add_says_how_to_follow_where_somebody_works(cli: Cli, flows: Path, base: Path) -> None:
    lock = base / ".immunos" / "state" / "jobs" / "queue.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "thymus wait 1" in cli("thymus", "add", "--agent", "net-1", "--dataset", flows).err


@pytest.mark.parametrize(
    ("change", "code", "needle"),
    [
        ({"--agent": "none"}, 5, "no agent none"),
        ({"--dataset": "/no/such.csv"}, 5, "/no/such.csv"),
        ({"--dataset": "/tmp"}, 1, "folder"),
        ({"--dataset": "/dev/null"}, 1, "/dev/null"),
        ({"--label": "label"}, 2, "--self"),
        ({"--seed": "-1"}, 2, "negative"),
        ({"--seed": "x"}, 2, "--seed"),
    ],
)
def test_add_refuses(cli: Cli, flows: Path, change: dict[str, str], code: int, needle: str) -> None:
    given = {"--agent": "net-1", "--dataset": str(flows), **change}
    done = cli("thymus", "add", *(word for pair in given.items() for word in pair))
    assert done.code == code
    assert needle in done.err
    assert cli("thymus", "list").out == ""


def test_list_show_log(cli: Cli, flows: Path, base: Path) -> None:
    assert "no jobs" in cli("thymus", "list").err
    for _ in range(2):
        cli("thymus", "add", "--agent", "net-1", "--dataset", flows)
    items = json.loads(cli("thymus", "list", "--json").out)["items"]
    assert [item["id"] for item in items] == [1, 2]
    assert len(json.loads(cli("thymus", "list", "--json", "--limit", "1").out)["items"]) == 1
    assert cli("thymus", "list").out.count("queued") == 2
    assert json.loads(cli("thymus", "show", "2", "--json").out)["id"] == 2
    assert str(flows) in cli("thymus", "show", "2").out
    assert cli("thymus", "show", "3").code == 5
    assert "no log" in cli("thymus", "log", "1").err
    log = base / ".immunos" / "state" / "jobs" / "1.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"line \x1b[2J one\nline two \xff\n")
    assert cli("thymus", "log", "1").out == "line \\x1b[2J one\nline two \\xff\n"


def test_wait_says_when_nobody_is_at_work(cli: Cli, flows: Path) -> None:
    cli("thymus", "add", "--agent", "net-1", "--dataset", flows)
    done = cli("thymus", "wait", "1")
    assert done.code == 4
    assert "nobody works the queue" in done.err
    assert cli("thymus", "wait", "9").code == 5


def test_wait_gives_up_in_time(cli: Cli, flows: Path, base: Path) -> None:
    cli("thymus", "add", "--agent", "net-1", "--dataset", flows)
    lock = base / ".immunos" / "state" / "jobs" / "queue.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = cli("thymus", "wait", "1", "--timeout", "0.1")
    assert done.code == 4
    assert "still queued" in done.err


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("failed", 1), ("interrupted", 1), ("cancelled", 1)])
def test_wait_tells_how_a_job_ended(cli: Cli, flows: Path, house: Any, state: str, code: int) -> None:
    cli("thymus", "add", "--agent", "net-1", "--dataset", flows)
    with house.store.write() as tx:
        error = "the disk \x1b[2J went away" if state == "failed" else None
        jobs.finish(tx.db, 1, JobState(state), tx.at, {"auroc": 0.9}, error, "Try again.")
    done = cli("thymus", "wait", "1")
    assert done.code == code
    assert state in done.out
    assert "\x1b" not in done.out
    assert json.loads(cli("thymus", "wait", "1", "--json").out)["result"] == {"auroc": 0.9}


def test_cancel(cli: Cli, flows: Path) -> None:
    cli("thymus", "add", "--agent", "net-1", "--dataset", flows)
    assert cli("thymus", "cancel", "1").out == "1  cancelled  train net-1\n"
    assert cli("thymus", "cancel", "1").code == 4
    assert cli("thymus", "cancel", "2").code == 5


def test_run_of_an_empty_queue(cli: Cli) -> None:
    assert cli("thymus", "run") == Done(0, "", "The queue is empty.\n")
    assert cli("--read-only", "thymus", "run").code == 4
