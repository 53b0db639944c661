"""Train a detector and say honestly how good it is: evaluated on self that it has not seen, then fitted on all of self."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from immunos_tui.immune.components import Progress, quiet
from immunos_tui.immune.dataset import TEXT_PIPELINES, Dataset
from immunos_tui.immune.detector import Detector
from immunos_tui.immune.drift import DriftWatch
from immunos_tui.immune.evaluation import Evaluation, evaluate
from immunos_tui.immune.labelled import Corpus, class_metrics, fit_labelled, need_both
from immunos_tui.immune.splits import Split, split_self
from immunos_tui.immune.table import IntArray
from immunos_tui.model.errors import DataError

FEWEST_SELF = 5
"""Rows of self below which nothing can be learned, let alone measured."""
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

    ``role`` nk learns from self alone. bcell also learns from labelled rows that are not self: tables remember them (four fifths
    of them in the trial), text-like pipelines fit a classifier (``labelled``). Raises DataError where there is no self, or for a
    bcell nothing else.
    """
    tell = progress or quiet
    own = np.flatnonzero(dataset.is_self)
    other = np.flatnonzero(~dataset.is_self)
    if not len(own):
        raise DataError(f"{dataset.path} has no rows of self to learn from.", "Choose another label or self value.")
    if len(own) < FEWEST_SELF:
        noun = "row" if len(own) == 1 else "rows"
        raise DataError(
            f"{dataset.path} has only {len(own)} {noun} of self; at least {FEWEST_SELF} are needed to learn anything.",
            "Give it more examples of what is normal.",
        )
    if role == "bcell":
        need_both(dataset, dataset.is_self)
        if pipeline in TEXT_PIPELINES:
            return _train_labelled(dataset, preset, seed, pipeline, tell)
    split = split_self(dataset.context, own, seed)
    rng = np.random.default_rng([seed, 11])
    threats = rng.permutation(other) if role == "bcell" else other[:0]
    cut = len(threats) - len(threats) // 5 if role == "bcell" else 0
    trial = _fit(dataset, split.learn, threats[:cut], preset, seed, pipeline, split, _as_stage("evaluate", tell))
    held = _sample(split.held, rng)
    judged = _sample(np.sort(threats[cut:]) if role == "bcell" else other, rng)
    rows = np.concatenate([held, judged])
    evaluation, drift = _judge([(trial, rows)], dataset, seed, tell)
    kept = _fit(dataset, own, threats, preset, seed, pipeline, split, tell)
    metrics = _metrics(dataset, evaluation, drift, split, _unsieved(kept, preset))
    return TrainingResult(_named(kept, dataset), evaluation, metrics)


def _named(kept: Detector, dataset: Dataset) -> Detector:
    """The detector, which knows by what model the vectors of its texts were made."""
    if dataset.embedding:
        kept.meta["embedding"] = dict(dataset.embedding)
    return kept


def _train_labelled(dataset: Dataset, preset: str, seed: int, pipeline: str, tell: Progress) -> TrainingResult:
    """Train a labelled text detector; the evaluation's rows are seen by neither the trial's classifier nor its calibration."""
    corpus = Corpus.read(dataset, pipeline)
    splits = corpus.splits(seed)
    options: dict[str, Any] = {"seed": seed, "preset": preset, "pipeline": pipeline, "groups": splits[0].groups}
    rng = np.random.default_rng([seed, 11])
    trials = []
    for number, split in enumerate(splits):
        stage = _as_stage("evaluate", tell, number / len(splits), 1 / len(splits))
        trial = fit_labelled(corpus, split.learn, quick=len(splits) > 1, progress=stage, **options)
        own = dataset.is_self[split.held]
        trials.append((trial, np.concatenate([_sample(split.held[own], rng), _sample(split.held[~own], rng)])))
    evaluation, drift = _judge(trials, dataset, seed, tell)
    kept = fit_labelled(corpus, np.arange(dataset.rows), progress=tell, **options)
    metrics = _metrics(dataset, evaluation, drift, splits[0], _unsieved(kept, preset))
    return TrainingResult(_named(kept, dataset), evaluation, metrics | class_metrics(corpus, trials))


def _metrics(
    dataset: Dataset, evaluation: Evaluation, drift: dict[str, Any], split: Split, problems: tuple[str, ...]
) -> dict[str, Any]:
    return {
        **evaluation.as_dict(),
        "held_out": split.how,
        "learned_self_rows": int(dataset.is_self.sum()),
        "labelled_other_rows": int((~dataset.is_self).sum()),
        "drift": drift,
        "dataset_sha256": dataset.sha256,
        **({"embedding": dict(dataset.embedding)} if dataset.embedding else {}),
        "problems": [*dataset.problems, *problems],
    }


def _unsieved(kept: Detector, preset: str) -> tuple[str, ...]:
    """What to say where the robust preset was asked for and has set no suspect rows aside."""
    if preset != "robust" or kept.meta["set_aside"]:
        return ()
    why = "for labelled texts and for log lines it never does, since there a rare row is no sign of dirt"
    return (f"The robust preset has set no rows aside: {why}.",)


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
    return _judge([(detector, np.arange(dataset.rows))], dataset, seed, progress or quiet)


def _judge(
    trials: Sequence[tuple[Detector, IntArray]], dataset: Dataset, seed: int, tell: Progress
) -> tuple[Evaluation, dict[str, Any]]:
    """Judge some rows by each of the detectors, all rows taken together for the evaluation."""
    scores, ps = [], []
    watch = DriftWatch(trials[0][0].meta["reference_rows"])
    every = np.concatenate([rows for _, rows in trials])
    for detector, rows in trials:
        for start in range(0, len(rows), 4096):
            part = rows[start : start + 4096]
            judged = detector.judge(dataset.table.take(part))
            scores.append(judged.score)
            ps.append(judged.p)
            watch.add(judged.p, dataset.is_self[part])
            done = sum(map(len, scores))
            tell("evaluate", 0.5 + 0.5 * done / max(len(every), 1), f"{done} of {len(every)} rows")
    evaluation = evaluate(np.concatenate(scores), np.concatenate(ps), dataset.is_self[every], seed=seed)
    return evaluation, watch.sign().as_dict()


def _sample(rows: IntArray, rng: np.random.Generator) -> IntArray:
    return rows if len(rows) <= MOST_JUDGED else np.sort(rng.choice(rows, MOST_JUDGED, replace=False))


def _as_stage(stage: str, tell: Progress, begin: float = 0.0, share: float = 1.0) -> Progress:
    """A trial's own stages, told as a ``share`` from ``begin`` of the first half of one stage."""
    parts = ("sieve", "encode", "fit", "calibrate")

    def inner(part: str, fraction: float, note: str) -> None:
        place = parts.index(part) if part in parts else 0
        tell(stage, 0.5 * (begin + share * (place + fraction) / len(parts)), f"trial: {part}, {note}")

    return inner
