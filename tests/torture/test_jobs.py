"""kill -9 of trainings and scans at random moments: nothing confirmed is lost, nothing is counted twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from immunos_tui.config import Settings
from immunos_tui.model.job import JobState
from immunos_tui.paths import find_paths
from immunos_tui.services.house import House, open_house
from immunos_tui.store.maintenance import check
from tests.flows import train_here, write_flows

TIMES = int(os.environ.get("IMMUNOS_TORTURE", "10"))
ROWS = 30_000

pytestmark = [pytest.mark.torture, pytest.mark.timeout(60 + 30 * TIMES)]


def _house() -> House:
    return open_house(find_paths(), Settings())


def _sound(house: House) -> None:
    assert check(house.paths.database) == []
    report = house.audit.verify()
    assert report.broken is None, report.reason


def _counts(house: House) -> dict[str, Any]:
    with house.store.read() as db:
        found = dict(db.execute("SELECT fingerprint, count FROM issues").fetchall())
        rows = db.execute("SELECT count(*), count(DISTINCT row) FROM detections").fetchone()
    return {"issues": found, "rows": tuple(rows)}


@pytest.fixture
def trained(base: Path, tmp_path: Path, house: House) -> Path:
    """A base folder with an agent in service, and flows to scan beside it."""
    job = train_here(house, "net-1", write_flows(tmp_path / "self.csv", 600))
    assert job.state is JobState.DONE, job.error
    write_flows(tmp_path / "scan.csv", ROWS, 0.05, seed=2)
    house.close()  # copying the file of an open database takes its locks away from this process
    return base


def test_a_scan_that_is_killed_and_repeated_counts_every_row_once(trained: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(trained, whole)
    command = [sys.executable, "-m", "immunos_tui", "scan", str(tmp_path / "scan.csv"), "--agent", "net-1"]
    began = time.monotonic()
    subprocess.run(command, env={**os.environ, "IMMUNOS_BASE_PATH": str(whole)}, check=True, capture_output=True)
    took = time.monotonic() - began
    rng = random.Random(7)
    for _ in range(TIMES):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            child.wait(rng.uniform(0.0, 1.1 * took))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        here = _house()
        _sound(here)
        here.close()
    subprocess.run(command, check=True, capture_output=True)
    mine = _house()
    other = open_house(find_paths({"IMMUNOS_BASE_PATH": str(whole)}), Settings())
    assert _counts(mine) == _counts(other)
    _sound(mine)
    mine.close()
    other.close()


def test_a_training_that_is_killed_is_interrupted_and_never_runs_twice(trained: Path, tmp_path: Path) -> None:
    house = _house()
    rng = random.Random(11)
    before = len(house.foundry.versions("net-1"))
    for number in range(TIMES):
        job = house.thymus.add_training("net-1", tmp_path / "self.csv", label="label", self_value="normal", seed=number)
        worker = [sys.executable, "-m", "immunos_tui.services.worker", str(job.id)]
        children = [subprocess.Popen(worker, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
        time.sleep(rng.uniform(0.0, 1.5))
        for child in children:
            child.send_signal(signal.SIGKILL)
            child.wait()
        ended = house.thymus.get(job.id)
        assert ended.state in (JobState.QUEUED, JobState.INTERRUPTED, JobState.DONE), ended
        made = [version for version in house.foundry.versions("net-1") if version.job_id == job.id]
        # A version is recorded before the job's end is: killed between the two, it is there and the job is interrupted.
        assert len(made) <= 1
        assert made or ended.state is not JobState.DONE
        if ended.state is JobState.QUEUED:
            house.thymus.cancel(job.id)
        _sound(house)
    assert len(house.foundry.versions("net-1")) - before <= TIMES
    house.close()
