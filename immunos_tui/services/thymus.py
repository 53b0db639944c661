"""Thymus (training): the queue of long work, each piece in a process of its own.

A job's process holds a lock file for life and writes its own row, so that a closed program or a
dropped line ends nothing, and a killed process shows: its row says running and its lock is free.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from immunos_tui.config import ThymusSettings
from immunos_tui.model.agent import AgentState
from immunos_tui.model.errors import ConflictError, DataError, ImmunosError, NotFoundError, UsageError
from immunos_tui.model.job import Job, JobKind, JobState
from immunos_tui.model.text import clean
from immunos_tui.paths import Paths, private_dir
from immunos_tui.services.foundry import FOLDER_PIPELINES, Foundry
from immunos_tui.store import ChangeWatch, Store, jobs

KILL_AFTER = 5.0
"""Seconds that a cancelled job has for ending by itself."""

TRIES = 3
"""How often a job's process may end before it has begun, until the job counts as failed."""

POLL = 0.25
"""Seconds between two looks at a running job."""

IDLE = 0.5
"""Seconds between two looks whether anything was committed while the queue is at rest."""

REST = 10.0
"""Seconds after which an idle queue is looked at again although nothing was committed."""


class Thymus:
    """The queue over one store. Several programs may hold one at the same time."""

    def __init__(self, store: Store, foundry: Foundry, paths: Paths, settings: ThymusSettings) -> None:
        self._store = store
        self._foundry = foundry
        self._paths = paths
        self._settings = settings
        self._failed_starts: dict[int, int] = {}

    # The queue ----------------------------------------------------------------------------

    def add_training(
        self,
        agent: str,
        dataset: str | Path,
        *,
        label: str | None = None,
        self_value: str | None = None,
        drop: Sequence[str] = (),
        clean_data: bool = True,
        seed: int = 0,
        notes: str = "",
    ) -> Job:
        """Queue the training of an agent.

        Args:
            clean_data: whether the operator vouches that what is called self is normal; where not,
                the robust preset is used.

        Raises:
            NotFoundError: no such agent or file.
            UsageError: a label column without the value that means self.
        """
        known = self._foundry.get(agent)
        if known.state is AgentState.RETIRED:
            raise ConflictError(f"The agent {agent} is retired.", "Train another one.")
        if known.role == "innate":
            raise UsageError(
                f"The agent {agent} is fixed rules and needs no training.",
                f"Scan with it: `immunos-tui scan PATH --agent {agent}`.",
            )
        if label and not self_value:
            raise UsageError(f"Say which value of {clean(label, 60)} means normal.", "Give it with --self.")
        if known.role == "bcell" and not label and Path(dataset).suffix != ".npz":
            raise UsageError(
                f"The agent {agent} learns from labels, and no label column is named.",
                "Give it with --label, and the value that means self with --self.",
            )
        if seed < 0:
            raise UsageError(f"The seed {seed} is negative.", "Use 0 or more.")
        preset = known.params.get("preset", "immune") if clean_data else "robust"
        spec = {
            "path": str(check_source(dataset, folder=known.pipeline in FOLDER_PIPELINES)),
            "label": label,
            "self": self_value,
            "drop": [name.strip() for name in drop if name.strip()],
            "clean": clean_data,
            "preset": preset,
            "seed": seed,
            "notes": notes,
        }
        return self._add(JobKind.TRAIN, agent, spec)

    def add_scan(self, agent: str, path: str | Path) -> Job:
        """Queue the scan of a file with an agent's version in service."""
        known, _version = self._foundry.in_service(agent)
        return self._add(
            JobKind.SCAN, agent, {"path": str(check_source(path, folder=known.pipeline in FOLDER_PIPELINES))}
        )

    def _add(self, kind: JobKind, agent: str, spec: Mapping[str, Any]) -> Job:
        with self._store.write() as tx:
            number = jobs.insert(tx.db, kind, agent, spec, self._store.actor, tx.at)
            return _required(jobs.get(tx.db, number), number)

    def get(self, job_id: int) -> Job:
        self.sweep()
        with self._store.read() as db:
            return _required(jobs.get(db, job_id), job_id)

    def list(self, limit: int = 200) -> Sequence[Job]:
        """Running, then waiting in order, then ended, newest first."""
        self.sweep()
        with self._store.read() as db:
            return jobs.recent(db, limit)

    def counts(self) -> dict[str, int]:
        with self._store.read() as db:
            return jobs.counts(db)

    def at_hand(self) -> str:
        """The running job in a few words, such as ``scan flows.csv 61 %``."""
        with self._store.read() as db:
            job = next(iter(jobs.in_state(db, JobState.RUNNING)), None)
        return "" if job is None else f"{job.kind} {clean(Path(job.path).name, 24)} {job.overall:.0%}"

    def log_path(self, job_id: int) -> Path:
        return self._paths.jobs / f"{job_id}.log"

    def log(self, job_id: int, limit: int = 64_000) -> str:
        """The end of a job's log."""
        try:
            with self.log_path(job_id).open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
                return file.read().decode("utf-8", "backslashreplace")
        except FileNotFoundError:
            return ""

    def cancel(self, job_id: int) -> Job:
        """End a job that waits or runs.

        Raises:
            ConflictError: it has ended already.
        """
        with self._store.write() as tx:
            job = _required(jobs.get(tx.db, job_id), job_id)
            if job.state.ended:
                raise ConflictError(f"Job {job_id} has ended already: {job.state}.")
            if job.state is JobState.QUEUED:
                jobs.finish(tx.db, job_id, JobState.CANCELLED, tx.at)
            else:
                jobs.request_cancel(tx.db, job_id)
        if job.state is JobState.RUNNING:
            self._stop(job)
        return self.get(job_id)

    def _stop(self, job: Job) -> None:
        """Ask the job's process to end, and end it where it does not; its lock says whether it lives."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            limit = time.monotonic() + KILL_AFTER
            if job.pid and self.is_alive(job.id):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(job.pid, number)
            while self.is_alive(job.id) and time.monotonic() < limit:
                time.sleep(0.02)

    # Working it ---------------------------------------------------------------------------

    def sweep(self) -> Sequence[int]:
        """Mark jobs whose process is gone; nothing is run again by itself."""
        with self._store.read() as db:
            running = jobs.in_state(db, JobState.RUNNING)
        lost = []
        for job in running:
            with lock_file(self._paths.jobs / f"{job.id}.lock") as free:
                if free and not self._store.read_only:
                    state = JobState.CANCELLED if job.cancel_requested else JobState.INTERRUPTED
                    error = None if job.cancel_requested else f"Its process {job.pid} ended without a word."
                    with self._store.write() as tx:
                        done = jobs.finish(
                            tx.db,
                            job.id,
                            state,
                            tx.at,
                            error=error,
                            hint="Add the job again to repeat it." if error else None,
                        )
                    lost += [job.id] if done else []
        return lost

    def is_alive(self, job_id: int) -> bool:
        """Whether a process holds the job's lock."""
        with lock_file(self._paths.jobs / f"{job_id}.lock") as free:
            return not free

    def at_work(self) -> bool:
        """Whether any program works the queue, or a job runs."""
        with lock_file(self._paths.jobs / "queue.lock") as free:
            if not free:
                return True
        with self._store.read() as db:
            return any(self.is_alive(job.id) for job in jobs.in_state(db, JobState.RUNNING))

    def work(
        self, stop: Callable[[], bool], *, until_empty: bool, on_start: Callable[[Job], None] | None = None
    ) -> None:
        """Work the queue, one job at a time, until told to stop or, if asked, until it is empty.

        Only one program works it at a time; the others wait their turn.
        """
        while not stop():
            with lock_file(self._paths.jobs / "queue.lock") as mine:
                if mine:
                    self._work_as_runner(stop, until_empty, on_start)
                elif until_empty and self._is_empty():
                    return
            if until_empty and mine:
                return
            time.sleep(POLL)

    def _work_as_runner(
        self, stop: Callable[[], bool], until_empty: bool, on_start: Callable[[Job], None] | None
    ) -> None:
        child: subprocess.Popen[bytes] | None = None
        watch, rested = ChangeWatch(self._store.path), REST
        while not stop():
            if child is not None and child.poll() is None:
                time.sleep(POLL)
                continue
            if child is None and rested < REST and not watch.changed():
                time.sleep(IDLE)
                rested += IDLE
                continue
            child, rested = None, 0.0
            self.sweep()
            with self._store.read() as db:
                running, waiting = jobs.in_state(db, JobState.RUNNING), jobs.in_state(db, JobState.QUEUED)
            if not running and waiting:
                child = self._start(waiting[0])
                if child and on_start:
                    on_start(waiting[0])
            elif not running and until_empty:
                return
            time.sleep(POLL)

    def _is_empty(self) -> bool:
        self.sweep()
        with self._store.read() as db:
            return not jobs.in_state(db, JobState.RUNNING) and not jobs.in_state(db, JobState.QUEUED)

    def _start(self, job: Job) -> subprocess.Popen[bytes] | None:
        """Start a job's process in a session of its own, with its output in the job's log."""
        tries = self._failed_starts[job.id] = self._failed_starts.get(job.id, 0) + 1
        if tries > TRIES:
            with self._store.write() as tx:
                jobs.finish(
                    tx.db,
                    job.id,
                    JobState.FAILED,
                    tx.at,
                    error="Its process ended before it could begin.",
                    hint=f"See {self.log_path(job.id)}.",
                )
            return None
        private_dir(self._paths.jobs)
        log = os.open(self.log_path(job.id), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            return subprocess.Popen(  # noqa: S603 - this program, with a number
                [sys.executable, "-P", "-m", "immunos_tui.services.worker", str(job.id)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self._environment(),
            )
        finally:
            os.close(log)

    def _environment(self) -> dict[str, str]:
        """A job's environment: the same number of linear algebra threads makes the same numbers."""
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        return {**os.environ, **dict.fromkeys(names, str(self._settings.threads))}

    def reproduce(self, job_id: int) -> dict[str, Any]:
        """Train again what a job trained, in a process like its own, and compare the artifacts' hashes.

        Raises:
            UsageError: the job is not a training that is done.
            ImmunosError: training it again failed, or the dataset is not the one that it was.
        """
        job = self.get(job_id)
        if job.kind is not JobKind.TRAIN or job.state is not JobState.DONE:
            raise UsageError(
                f"Job {job_id} is no training that is done.", "`immunos-tui thymus list` shows those that are."
            )
        command = [sys.executable, "-P", "-m", "immunos_tui.services.reproduction", str(job_id)]
        done = subprocess.run(  # noqa: S603 - this program, with a number
            command, capture_output=True, check=False, stdin=subprocess.DEVNULL, env=self._environment()
        )
        try:
            body: dict[str, Any] = json.loads(done.stdout)
        except ValueError as error:
            raise ImmunosError(
                f"Training job {job_id} again failed.", done.stderr.decode("utf-8", "replace")[-300:]
            ) from error
        if "error" in body:
            problem = ImmunosError(body["error"], body["hint"])
            problem.exit_code = body["exit_code"]
            raise problem
        return body

    def wait(self, job_id: int, timeout: float | None = None) -> Job:
        """Wait until a job has ended.

        Raises:
            ConflictError: it waits and nobody works the queue, or the time is over.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        idle = 0
        while not (job := self.get(job_id)).state.ended:
            idle = 0 if self.at_work() else idle + 1
            if idle > 2:
                raise ConflictError(
                    f"Job {job_id} is {job.state}, and nobody works the queue.",
                    "Start `immunos-tui thymus run`, or open the program.",
                )
            if limit is not None and time.monotonic() > limit:
                raise ConflictError(
                    f"Job {job_id} is still {job.state}.", "Wait longer, or look at `immunos-tui thymus show`."
                )
            time.sleep(POLL)
        return job


def check_source(path: str | Path, *, folder: bool = False) -> Path:
    """The absolute path of something that can be read, without opening it.

    Raises:
        NotFoundError: nothing is there.
        DataError: it is a folder, a FIFO, a device, or may not be read.
    """
    found = Path(os.path.expanduser(path))  # unlike Path.expanduser, leaves the home of nobody as it is
    found = found if found.is_absolute() else Path.cwd() / found
    shown = clean(found)
    try:
        mode = found.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"There is no file {shown}.", "Check the path.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot look at {shown}: {clean(error)}.", "Check the path and its permissions.") from error
    if stat.S_ISDIR(mode) and not folder:
        raise DataError(f"{shown} is a folder.", "Name a file in it.")
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise DataError(f"{shown} is not a regular file.", "Copy what it holds into a file first.")
    if not os.access(found, os.R_OK):
        raise DataError(f"You may not read {shown}.", "Check its permissions.")
    return found


@contextmanager
def lock_file(path: Path) -> Iterator[bool]:
    """Try to hold a lock file for the block; yields whether nobody else holds it."""
    try:
        private_dir(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ImmunosError(f"Cannot use the lock file {path}: {error.strerror}.", "Check its folder.") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        yield free
    finally:
        os.close(handle)


def _required(job: Job | None, number: int) -> Job:
    if job is None:
        raise NotFoundError(f"There is no job {number}.", "`immunos-tui thymus list` shows those that there are.")
    return job
