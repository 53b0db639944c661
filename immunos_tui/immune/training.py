"""Train a detector and say honestly how good it is: evaluated on self that it has not seen, then fitted on all of self."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.components import Progress, quiet
from immunos_tui.immune.dataset import Dataset
from immunos_tui.immune.detector import Detector
from immunos_tui.immune.drift import DriftWatch
from immunos_tui.immune.evaluation import Evaluation, evaluate
from immunos_tui.immune.splits import Split, split_self
from immunos_tui.immune.table import IntArray, Table
from immunos_tui.model.errors import DataError

MOST_JUDGED = 20_000
"""Rows of each class that are scored in the evaluation."""
MOST_THREATS = 2048
"""Labelled rows that a B-cell remembers."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The detector that is kept, the evaluation of its trial twin on held-out rows, and all metrics as plain values."""

    detector: Detector
    evaluation: Evaluation
    metrics: dict[str, Any] = field(default_factory=dict)


def train(
    dataset: Dataset,
    *,
    preset: str = "immune",
    seed: int = 0,
    pipeline: str = "tabular",
    role: str = "nk",
    progress: Progress | None = None,
) -> TrainingResult:
    """Evaluate a trial detector on held-out self and all labelled rows, then fit the one that is kept on all of self.

    ``role`` nk learns from self alone; bcell also remembers labelled rows that are not self (four fifths of them in the
    trial). Raises DataError where there is no self.
    """
    tell = progress or quiet
    own = np.flatnonzero(dataset.is_self)
    other = np.flatnonzero(~dataset.is_self)
    if not len(own):
        raise DataError(f"{dataset.path} has no rows of self to learn from.", "Choose another label or self value.")
    split = split_self(dataset.context, own, seed)
    rng = np.random.default_rng([seed, 11])
    threats = rng.permutation(other) if role == "bcell" else other[:0]
    cut = len(threats) - len(threats) // 5 if role == "bcell" else 0
    trial = _fit(dataset, split.learn, threats[:cut], preset, seed, pipeline, split, _as_stage("evaluate", tell))
    held = _sample(split.held, rng)
    judged = _sample(np.sort(threats[cut:]) if role == "bcell" else other, rng)
    rows = np.concatenate([held, judged])
    evaluation, drift = _judge(trial, dataset.table, rows, dataset.is_self[rows], seed, tell)
    kept = _fit(dataset, own, threats, preset, seed, pipeline, split, tell)
    metrics = {
        **evaluation.as_dict(),
        "held_out": split.how,
        "learned_self_rows": len(own),
        "labelled_other_rows": len(other),
        "drift": drift,
        "dataset_sha256": dataset.sha256,
        "problems": list(dataset.problems),
    }
    return TrainingResult(kept, evaluation, metrics)


def _fit(
    dataset: Dataset,
    rows: IntArray,
    threats: IntArray,
    preset: str,
    seed: int,
    pipeline: str,
    split: Split,
    tell: Progress,
) -> Detector:
    groups = None if split.groups is None else split.groups[rows]
    table = dataset.table.take(rows)
    numbers = dataset.row_numbers if len(dataset.row_numbers) == dataset.rows else np.arange(dataset.rows)
    own = numbers[rows]
    detector = Detector.fit(table, preset, seed, pipeline=pipeline, groups=groups, row_numbers=own, progress=tell)
    if not len(threats):
        return detector
    known = dataset.table.take(threats[:MOST_THREATS])
    return detector.remember(threats=known, threat_names=[f"training row {numbers[i]}" for i in threats[:MOST_THREATS]])


def measure(
    detector: Detector, dataset: Dataset, *, seed: int = 0, progress: Progress | None = None
) -> tuple[Evaluation, dict[str, Any]]:
    """Judge every row of a labelled dataset: the evaluation, and the drift sign that knows which rows are self."""
    rows = np.arange(dataset.rows)
    return _judge(detector, dataset.table, rows, dataset.is_self, seed, progress or quiet)


def _judge(
    detector: Detector, table: Table, rows: IntArray, is_self: NDArray[np.bool_], seed: int, tell: Progress
) -> tuple[Evaluation, dict[str, Any]]:
    score, p = np.empty(len(rows)), np.empty(len(rows))
    watch = DriftWatch(detector.meta["reference_rows"])
    for start in range(0, len(rows), 4096):
        part = slice(start, start + 4096)
        judged = detector.judge(table.take(rows[part]))
        score[part], p[part] = judged.score, judged.p
        watch.add(judged.p, is_self[part])
        done = min(start + 4096, len(rows))
        tell("evaluate", 0.5 + 0.5 * done / max(len(rows), 1), f"{done} of {len(rows)} rows")
    return evaluate(score, p, is_self, seed=seed), watch.sign().as_dict()


def _sample(rows: IntArray, rng: np.random.Generator) -> IntArray:
    return rows if len(rows) <= MOST_JUDGED else np.sort(rng.choice(rows, MOST_JUDGED, replace=False))


def _as_stage(stage: str, tell: Progress) -> Progress:
    """The trial's own stages, told as the first half of one stage."""
    parts = ("sieve", "encode", "fit", "calibrate")

    def inner(part: str, fraction: float, note: str) -> None:
        place = parts.index(part) if part in parts else 0
        tell(stage, 0.5 * (place + fraction) / len(parts), f"trial: {part}, {note}")

    return inner
