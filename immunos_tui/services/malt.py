"""MALT (intake of what arrives): files are read in batches, scored, recorded and folded into issues."""

from __future__ import annotations

import csv
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from immunos_tui.config import Settings
from immunos_tui.immune.artifact import read_manifest
from immunos_tui.immune.datafile import sha256_file
from immunos_tui.immune.dataset import TEXT_PIPELINES, read_dataset
from immunos_tui.immune.detector import Detector
from immunos_tui.immune.drift import DriftWatch
from immunos_tui.immune.evaluation import Evaluation
from immunos_tui.immune.judgement import Judgement
from immunos_tui.immune.stream import Batch, stream
from immunos_tui.immune.training import measure
from immunos_tui.model.agent import Agent, AgentVersion
from immunos_tui.model.errors import ArtifactError, ConflictError, DataError
from immunos_tui.model.text import clean
from immunos_tui.services.findings import Findings
from immunos_tui.services.folding import Folding
from immunos_tui.services.foundry import FOLDER_PIPELINES, Foundry, caveat
from immunos_tui.services.innate import InnateScan, load_checked
from immunos_tui.services.meaning import SCAN_ROWS, Meaning
from immunos_tui.services.thymus import check_source
from immunos_tui.store import Store, detections

Progress = Callable[[str, float, str], None]

UNJUDGED = "unjudged"
"""The result of every row where the agent may not judge."""

BATCH_ROWS = 8192
"""Rows of a batch: one BLAS call and one transaction."""


def _silent(_stage: str, _fraction: float, _note: str) -> None:
    """Progress that nobody asked for."""


@dataclass
class ScanReport:
    """What a scan saw and did. ``counts`` are rows by result; ``recorded`` is 0 for a repeated scan."""

    agent: str
    version: int
    path: str
    sha256: str
    rows: int = 0
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    recorded: int = 0
    issues_made: list[int] = field(default_factory=list)
    issues_reopened: list[int] = field(default_factory=list)
    issues_touched: int = 0
    drift: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    refused: str = ""
    """Why no verdicts were given, only a ranking."""
    caveat: str = ""
    """What the agent's results never mean."""

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "rows_per_second": round(self.rows_per_second, 1), "seconds": round(self.seconds, 3)}


def _hashing(tell: Progress) -> Progress:
    def report(_stage: str, fraction: float, note: str) -> None:
        tell("hash", fraction, note)

    return report


class Malt:
    """Scans files with agents, and measures agents on labelled files."""

    def __init__(self, store: Store, foundry: Foundry, settings: Settings) -> None:
        self._store = store
        self._foundry = foundry
        self._settings = settings

    def load(self, version: AgentVersion) -> Detector:
        """The detector of a version.

        Raises:
            ArtifactError: its files are missing or are not those that were trained.
        """
        path = self._foundry.artifact_path(version)
        if read_manifest(path)["npz_sha256"] != version.sha256:
            raise ArtifactError(
                f"The artifact {path}.npz is not the one that was trained (sha256 differs from the record).",
                "Bring it back from a backup, or train the agent again.",
            )
        return Detector.load(path)

    def scan(
        self,
        agent_name: str,
        path: str | Path,
        *,
        record: bool = True,
        scores_path: str | Path | None = None,
        progress: Progress | None = None,
    ) -> ScanReport:
        """Scan a file or folder with the agent's version in service.

        Args:
            record: whether detections are recorded and folded into issues.
            scores_path: a CSV that gets a line for every row: row, score, p_value, result.

        Raises:
            NotFoundError, ConflictError: no such agent or file, or nothing in service.
            DataError: the file cannot be read; what was recorded before the fault stays.
        """
        tell = progress or _silent
        agent, version = self._foundry.in_service(agent_name)
        source = check_source(path, folder=agent.pipeline in FOLDER_PIPELINES)
        if version.is_innate:
            return self._scan_by_rules(agent, version, source, record, tell)
        detector = self.load(version)
        began = time.monotonic()
        digest = sha256_file(source, _hashing(tell))
        report = ScanReport(agent_name, version.number, str(source), digest, caveat=caveat(agent.template))
        folding = Folding(self._store, self._settings.spleen, agent, version)
        if version.refusal:
            report.refused, record = f"{agent.name} {version.refusal}.", False
        source_id = folding.open_source(digest, str(source), _size(source)) if record else 0
        watch = DriftWatch(detector.meta.get("reference_rows", 0))
        findings = Findings(detector, agent, str(source), folding.room)
        with _scores(scores_path) as scores:
            for batch, judged in self._judged(detector, agent, source, watch, report, tell):
                if scores:
                    _write_scores(scores, batch.first_row, judged, ranked_only=bool(report.refused))
                if record:
                    found = findings.of(batch, judged)
                    folding.ingest(source_id, found, batch.first_row, batch.first_row + batch.rows - 1)
        report.seconds = time.monotonic() - began
        report.drift = watch.sign().as_dict()
        if record:
            self._finish(version, [source_id], report, folding)
        return report

    def _scan_by_rules(
        self, agent: Agent, version: AgentVersion, source: Path, record: bool, tell: Progress
    ) -> ScanReport:
        pack = load_checked(version.artifact, version.sha256)
        began = time.monotonic()
        folding = Folding(self._store, self._settings.spleen, agent, version)
        scan = InnateScan(pack, agent.name, folding, record, tell)
        scan.run(source)
        report = ScanReport(
            agent.name, version.number, str(source), "", scan.rows, time.monotonic() - began, dict(scan.counts)
        )
        report.problems = scan.problems
        if record:
            self._finish(version, scan.sources, report, folding)
        return report

    def _judged(
        self, detector: Detector, agent: Agent, source: Path, watch: DriftWatch, report: ScanReport, tell: Progress
    ) -> Iterator[tuple[Batch, Judgement]]:
        counts: Counter[str] = Counter(dict.fromkeys(Judgement.RESULTS, 0))
        strict = agent.pipeline not in TEXT_PIPELINES
        began = time.monotonic()
        meaning = Meaning.as_trained(self._settings, detector.meta.get("embedding"))
        with (
            stream(
                source,
                columns=[(name, kind) for name, kind in detector.kinds if kind != "vector"],
                batch_rows=SCAN_ROWS if meaning else BATCH_ROWS,
                pipeline=agent.pipeline,
                strict=strict,
            ) as batches,
            closing(meaning) if meaning else nullcontext(),
        ):
            for raw in batches:
                batch = replace(raw, table=meaning.of_table(raw.table)) if meaning else raw
                judged = detector.judge(batch.table, watch)
                yield batch, judged
                counts.update(judged.counts())
                report.rows += batch.rows
                rate = report.rows / max(1e-9, time.monotonic() - began)
                tell("scan", batch.bytes_done / max(1, batch.bytes_total), f"{report.rows} rows, {rate:.0f} rows/s")
            report.problems = list(batches.problems)
        if not report.rows:
            raise DataError(f"{clean(source)} has no rows to scan.", "Check that it is the right file.")
        report.counts = {UNJUDGED: report.rows} if report.refused else dict(counts)

    def _finish(self, version: AgentVersion, sources: list[int], report: ScanReport, folding: Folding) -> None:
        with self._store.write() as tx:
            for source_id in sources[:1]:
                detections.add_scan(tx.db, version.id, source_id, tx.at, report.rows, report.counts, report.drift)
        done = folding.total
        report.recorded = done.recorded
        report.issues_made = done.made
        report.issues_reopened = done.reopened
        report.issues_touched = len(done.touched)

    def evaluate(
        self,
        agent_name: str,
        path: str | Path,
        *,
        label: str,
        self_value: str,
        drop: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Measured:
        """Measure the version in service on labelled rows; the drift sign knows which of them are self.

        Raises:
            UsageError: a column or value that the file does not have.
        """
        tell = progress or _silent
        agent, version = self._foundry.in_service(agent_name)
        if version.is_innate:
            raise ConflictError(
                f"The agent {agent_name} is fixed rules, which are not measured.", "Scan with it instead."
            )
        source = check_source(path, folder=agent.pipeline in FOLDER_PIPELINES)
        detector = self.load(version)
        dataset = read_dataset(
            source, label=label, self_value=self_value, drop=drop, pipeline=agent.pipeline, progress=tell
        )
        meaning = Meaning.as_trained(self._settings, detector.meta.get("embedding"))
        if meaning:
            with closing(meaning):
                dataset = meaning.of_dataset(dataset, tell)
        found, drift = measure(detector, dataset, seed=version.seed, progress=tell)
        return Measured(found, drift, agent_name, version.number, caveat(agent.template))


@dataclass(frozen=True)
class Measured:
    """An evaluation with the drift sign of the file that it was made on."""

    evaluation: Evaluation
    drift: dict[str, Any]
    agent: str
    version: int
    caveat: str = ""

    def as_dict(self) -> dict[str, Any]:
        about = {"agent": self.agent, "version": self.version, "caveat": self.caveat}
        return {**about, **self.evaluation.as_dict(), "drift": self.drift}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


@contextmanager
def _scores(path: str | Path | None) -> Iterator[TextIO | None]:
    """A CSV that appears under its name only once the scan is complete."""
    if path is None:
        yield None
        return
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow(("row", "score", "p_value", "result"))
            yield file
        os.replace(draft, target)
    except OSError as error:
        raise DataError(
            f"Cannot write the scores to {clean(target)}: {error.strerror}.",
            "Name a file in a folder that you may write to.",
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _write_scores(file: TextIO, first: int, judged: Judgement, *, ranked_only: bool) -> None:
    names = (UNJUDGED,) * len(Judgement.RESULTS) if ranked_only else Judgement.RESULTS
    rows = zip(
        range(first, first + len(judged)), judged.score.tolist(), judged.p.tolist(), judged.result.tolist(), strict=True
    )
    file.writelines(f"{row},{score:.9g},{p:.9g},{names[result]}\n" for row, score, p, result in rows)
