"""The whole loop by command: make an agent, train it, measure it, scan with it, triage what it found."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from immunos_tui.model.errors import ConflictError
from immunos_tui.model.job import JobState
from tests.cli.test_process import wait_until
from tests.conftest import Done
from tests.flows import write_flows

Cli = Callable[..., Done]
LABELS = ("--label", "label", "--self", "normal")


def test_the_whole_loop(cli: Cli, tmp_path: Path) -> None:
    normal, mixed = write_flows(tmp_path / "self.csv", 600), write_flows(tmp_path / "mixed.csv", 800, 0.05, seed=2)
    cli("agent", "new", "net-1", "--template", "network")
    assert cli("scan", mixed, "--agent", "net-1").code == 4
    cli("thymus", "add", "--agent", "net-1", "--dataset", normal, *LABELS)
    cli("thymus", "add", "--agent", "net-1", "--dataset", mixed, "--label", "label", "--self", "no such value")
    ran = cli("thymus", "run")
    assert ran.code == 1
    first, second = ran.out.splitlines()
    assert first.startswith("1  done  train net-1: version 1 is in service")
    assert second.startswith("2  failed  train net-1: ")
    assert "no such value" in second
    assert "Job 1: train net-1" in ran.err
    assert cli("thymus", "wait", "1").code == 0
    assert cli("thymus", "wait", "2").code == 1
    assert re.search(r"^version +1$", cli("thymus", "show", "1").out, re.MULTILINE)
    assert cli("thymus", "log", "1").out

    figures = json.loads(cli("agent", "evaluate", "net-1", mixed, *LABELS, "--json").out)
    assert figures["schema_version"] == 1
    assert figures["auroc"] > 0.9
    low, high = figures["auroc_interval"]
    assert low <= figures["auroc"] <= high
    assert {"threshold", "fpr", "tpr", "accuracy"} <= set(figures["levels"][0])
    assert "accuracy without any detector" in cli("agent", "evaluate", "net-1", mixed, *LABELS).out

    looked = json.loads(cli("scan", mixed, "--agent", "net-1", "--no-record", "--json").out)
    assert looked["rows"] == 800
    assert sum(looked["counts"].values()) == 800
    assert cli("issue", "list").out == ""
    scores = tmp_path / "scores.csv"
    scanned = cli("scan", mixed, "--agent", "net-1", "--scores", scores)
    assert scanned.code == 0
    assert "issue list" in scanned.err
    with scores.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["row"]) for row in rows] == list(range(800))
    assert {row["result"] for row in rows} <= {"self", "uncertain", "non_self", "danger"}
    issues = json.loads(cli("issue", "list", "--json").out)["items"]
    assert 1 <= len(issues) <= 20
    again = json.loads(cli("scan", mixed, "--agent", "net-1", "--json").out)
    assert (again["recorded"], again["issues_made"]) == (0, [])
    detail = json.loads(cli("issue", "show", issues[0]["id"], "--json").out)
    assert detail["evidence"][0]["explanation"]["sentence"]
    assert "mixed.csv" in cli("status").out
    assert cli("issue", "verdict", issues[0]["id"], "threat").code == 0
    assert cli("db", "check").code == 0
    assert cli("audit", "verify").code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [(("none.csv", "--agent", "net-1"), 5), (("x.csv", "--agent", "none"), 5), (("/tmp", "--agent", "net-1"), 1)],
)
def test_a_scan_that_cannot_begin(cli: Cli, house: Any, words: tuple[str, ...], code: int) -> None:
    from tests.houses import trained_agent

    trained_agent(house)
    done = cli("scan", *words)
    assert done.code == code
    assert done.err.startswith("immunos-tui: ")


def test_an_artifact_that_is_gone_is_named(cli: Cli, house: Any, tmp_path: Path) -> None:
    from tests.houses import trained_agent

    trained_agent(house)
    done = cli("scan", write_flows(tmp_path / "a.csv", 5), "--agent", "net-1")
    assert done.code == 1
    assert str(house.paths.agents / "net-1") in done.err


def test_an_interrupted_scan_says_what_is_kept(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def scan(*_args: Any, progress: Callable[[str, float, str], None], **_more: Any) -> None:
        progress("scan", 0.5, "8192 rows, 15000 rows/s")
        raise KeyboardInterrupt

    monkeypatch.setattr("immunos_tui.services.house.House.malt", SimpleNamespace(scan=scan))
    done = cli("scan", "x.csv", "--agent", "net-1")
    assert done.code == 130
    assert "stopped at 8192 rows" in done.err
    assert "is kept" in done.err
    assert done.err.endswith("immunos-tui: Interrupted.\n")


def test_a_job_outlives_the_command_that_runs_the_queue(cli: Cli, tmp_path: Path) -> None:
    cli("agent", "new", "net-1", "--template", "network")
    cli("thymus", "add", "--agent", "net-1", "--dataset", write_flows(tmp_path / "self.csv", 600), *LABELS)
    command = [sys.executable, "-m", "immunos_tui", "thymus", "run"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: '"state": "running"' in cli("thymus", "show", "1", "--json").out, "the job to begin")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode in (0, 130)
    if child.returncode == 130:
        assert "Job 1 goes on by itself" in err
    done = cli("thymus", "wait", "1")
    assert done.code == 0, done


# Tour -----------------------------------------------------------------------------------------


@pytest.fixture
def tour(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A tour that is over at once; ``state`` is how its scan ends."""
    stub = SimpleNamespace(state=JobState.DONE, wiped=0)

    def run_tour(_house: Any, say: Callable[[str], None]) -> Any:
        say("Training \x1b[2J ...")
        return SimpleNamespace(state=stub.state, error="The disk went away.", hint="Try again.")

    def wipe(_house: Any) -> int:
        if stub.wiped:
            raise ConflictError("Nothing is left.")
        stub.wiped = 3
        return 3

    monkeypatch.setattr("immunos_tui.services.tour.run_tour", run_tour)
    monkeypatch.setattr("immunos_tui.services.tour.wipe", wipe)
    return stub


def test_a_tour_without_a_terminal(cli: Cli, tour: SimpleNamespace) -> None:
    done = cli("tour")
    assert done.code == 0
    assert "Training \\x1b[2J ..." in done.err
    assert "immunos-tui issue list" in done.err
    tour.state = JobState.FAILED
    failed = cli("tour")
    assert failed.code == 1
    assert "failed" in failed.err


def test_a_tour_in_a_terminal_ends_on_the_screens(
    cli: Cli, tour: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[dict[str, Any]] = []
    opening = types.ModuleType("immunos_tui.opening")
    opening.open_screens = lambda flags: opened.append(flags) or 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "immunos_tui.opening", opening)
    monkeypatch.setattr("immunos_tui.cli.tour.on_terminal", lambda: True)
    assert cli("--ascii", "tour").code == 0
    assert opened == [{"ui.ascii": True, "ui.start_tab": "spleen"}]


def test_a_wiped_tour(cli: Cli, tour: SimpleNamespace) -> None:
    assert cli("tour", "--wipe").out == "The tour's agent and 3 issues are removed.\n"
    assert cli("tour", "--wipe").code == 4
