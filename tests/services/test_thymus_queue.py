"""The queue as rows and lock files, without any job's process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from immunos_tui.model.errors import ConflictError, DataError, NotFoundError
from immunos_tui.model.job import Job, JobState, seconds_left
from immunos_tui.services.thymus import check_source, lock_file
from immunos_tui.store import jobs


@pytest.fixture
def thymus(house: Any, tmp_path: Path) -> Any:
    """A queue with one waiting job."""
    house.foundry.new("net-1", "network")
    file = tmp_path / "flows.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    house.thymus.add_training("net-1", file)
    return house.thymus


def claim(house: Any, number: int = 1) -> bool:
    with house.store.write() as tx:
        return jobs.claim(tx.db, number, os.getpid(), tx.at)


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Hold a lock as another program does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


def test_a_job_is_claimed_once(house: Any, thymus: Any) -> None:
    assert claim(house)
    assert not claim(house)
    assert thymus.counts() == {"running": 1}


def test_a_running_job_with_a_free_lock_was_interrupted(house: Any, thymus: Any) -> None:
    claim(house)
    with holding(house.paths.jobs / "1.lock"):
        assert thymus.get(1).state is JobState.RUNNING
        assert thymus.at_work()
    job = thymus.get(1)
    assert job.state is JobState.INTERRUPTED
    assert "without a word" in job.error
    assert thymus.sweep() == []
    assert not thymus.at_work()


def test_a_cancelled_job_whose_process_died_was_cancelled(house: Any, thymus: Any) -> None:
    claim(house)
    with house.store.write() as tx:
        jobs.request_cancel(tx.db, 1)
    assert thymus.get(1).state is JobState.CANCELLED


def test_a_waiting_job_is_cancelled_at_once(thymus: Any) -> None:
    assert thymus.cancel(1).state is JobState.CANCELLED
    with pytest.raises(ConflictError, match="ended already"):
        thymus.cancel(1)
    with pytest.raises(NotFoundError):
        thymus.cancel(9)


def test_jobs_run_in_their_order(house: Any, thymus: Any, tmp_path: Path) -> None:
    for _ in range(2):
        thymus.add_training("net-1", tmp_path / "flows.csv")
    with house.store.write() as tx:
        jobs.order(tx.db, [3, 1, 2])
    assert [job.id for job in thymus.list()] == [3, 1, 2]
    assert thymus.add_training("net-1", tmp_path / "flows.csv").id == thymus.list()[-1].id


def test_progress_is_written_only_while_it_runs(house: Any, thymus: Any) -> None:
    claim(house)
    with holding(house.paths.jobs / "1.lock"):
        with house.store.write() as tx:
            jobs.progress(tx.db, 1, {"stage": "fit", "fraction": 0.5, "overall": 0.4, "rows_done": 10, "note": "n"})
        job = thymus.get(1)
        assert (job.stage, job.fraction, job.overall, job.rows_done) == ("fit", 0.5, 0.4, 10)
        assert seconds_left(job, job.started_at + 4000) == pytest.approx(6.0)
        with house.store.write() as tx:
            assert jobs.finish(tx.db, 1, JobState.DONE, tx.at, {"a": 1})
            assert not jobs.finish(tx.db, 1, JobState.FAILED, tx.at)
            jobs.progress(tx.db, 1, {"stage": "late"})
    job = thymus.get(1)
    assert (job.state, job.stage, job.overall, job.result) == (JobState.DONE, "fit", 1.0, {"a": 1})
    assert seconds_left(job, 0) is None


def test_only_one_program_works_the_queue(house: Any, thymus: Any) -> None:
    started: list[Job] = []
    looks = iter([False, False, True])
    with holding(house.paths.jobs / "queue.lock"):
        assert thymus.at_work()
        thymus.work(lambda: next(looks), until_empty=True, on_start=started.append)
    assert not started


def test_a_lock_tells_whether_it_was_free(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "x.lock"
    with lock_file(path) as first, lock_file(path) as second:
        assert (first, second) == (True, False)
    with lock_file(path) as again:
        assert again


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda path: None, NotFoundError),
        (lambda path: path.mkdir(), DataError),
        (os.mkfifo, DataError),
        (lambda path: path.symlink_to(path), DataError),
    ],
)
def test_sources_that_cannot_be_read(tmp_path: Path, make: Any, error: type[Exception]) -> None:
    path = tmp_path / "data \x1b[2J.csv"
    make(path)
    with pytest.raises(error) as caught:
        check_source(path)
    assert "\\x1b[2J" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_sources_that_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_source("a.csv") == tmp_path / "a.csv"
    assert check_source("~/a.csv") == tmp_path / "a.csv"
    assert check_source(tmp_path, folder=True) == tmp_path
