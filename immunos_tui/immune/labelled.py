"""Labelled detectors of texts: a classifier is fitted, and its log odds are counted against self rows that it has not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.calibration import REFERENCE_ROWS
from immunos_tui.immune.components import Progress, quiet
from immunos_tui.immune.dataset import Dataset
from immunos_tui.immune.detector import LEARN_ROWS, Detector
from immunos_tui.immune.evaluation import macro_f1
from immunos_tui.immune.features.classifier import TextClassifier, foreign_odds, take_bags
from immunos_tui.immune.features.dense import DenseClassifier, blend
from immunos_tui.immune.features.hashing import Bags
from immunos_tui.immune.features.labelled import READINGS, ClassifierModel, LabelledReading, kept_antigens, reading_name
from immunos_tui.immune.features.meaning import VECTORS, has_vectors
from immunos_tui.immune.features.novelty import text_column
from immunos_tui.immune.fitting import FOLDS, calibrate, folds
from immunos_tui.immune.memory import Memory
from immunos_tui.immune.nearest import SelfRows
from immunos_tui.immune.splits import Split, splits_labelled
from immunos_tui.immune.table import FloatArray, IntArray
from immunos_tui.immune.views import spread
from immunos_tui.model.errors import DataError

MOST_CLASSES = 12
"""Classes that are told apart; rarer labels are one class together."""
REST = "other labels"
"""The name of that class."""
SPLIT_ROWS = 1000
"""From this many self rows on, one fifth of the rows is held out to calibrate; below it each of SMALL_FOLDS parts in turn."""
SMALL_FOLDS = 3
"""Parts of a small dataset; a classifier is fitted for each of them."""
QUICK_ROWS = 300
"""Self rows of which one part is enough to calibrate a trial at the 1 % level."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A labelled dataset of ``n`` texts, read once: hashed features, the class of each row (n,) and the rows that are copies.

    ``own`` is the class that is self. ``copies`` (n,) has equal numbers for texts that are copies of each other; ``vectors`` (n, k)
    are their dense vectors, where they come with them.
    """

    dataset: Dataset
    column: str
    reading: str
    bags: Bags
    classes: NDArray[np.str_]
    own: str
    copies: IntArray
    vectors: NDArray[np.float32] | None = None

    @classmethod
    def read(cls, dataset: Dataset, pipeline: str) -> Corpus:
        """The corpus of a dataset for one of the text-like pipelines. Raises DataError where there is no text."""
        column = text_column(dataset.table)
        texts = [str(text) for text in dataset.table.column(column).values]
        name = reading_name(pipeline, texts)
        own = dataset.self_value or "self"
        reading = READINGS[name]
        vectors = dataset.table.column(VECTORS).values if has_vectors(dataset.table) else None
        bags, classes = reading.bags(texts), _classes(dataset, own)
        return cls(dataset, column, name, bags, classes, own, _copies(texts, reading), vectors)

    @property
    def how(self) -> LabelledReading:
        return READINGS[self.reading]

    def splits(self, seed: int) -> list[Split]:
        """How the evaluation holds rows out. Raises DataError where there are too few to hold any out."""
        found = splits_labelled(self.dataset.context, self.dataset.is_self, self.copies, seed)
        if not found:
            raise _too_few(self.dataset)
        return found

    def classifier(self, rows: IntArray, seed: int, progress: Progress = quiet) -> TextClassifier:
        """The classifier of some rows. Raises DataError where they have only one class."""
        how = self.how
        return TextClassifier.fit_bags(
            take_bags(self.bags, rows), self.classes[rows].tolist(), seed=seed, fragments=how.fragments,
            passes=how.passes, tokenize=how.tokenize, progress=progress,
        )  # fmt: skip

    def dense(self, rows: IntArray) -> DenseClassifier | None:
        """The classifier of the vectors of some rows, None where the texts come without."""
        if self.vectors is None:
            return None
        return DenseClassifier.fit(self.vectors[rows], self.classes[rows].tolist())

    def think(self, classifier: TextClassifier, dense: DenseClassifier | None, rows: IntArray) -> FloatArray:
        """The probability of each class for some rows, (rows, classes)."""
        found = classifier.probabilities_of(take_bags(self.bags, rows))
        return found if dense is None or self.vectors is None else blend(found, dense.probabilities(self.vectors[rows]))

    def foreign(self, classifier: TextClassifier, dense: DenseClassifier | None, rows: IntArray) -> FloatArray:
        """The log odds of some rows being foreign, (rows, 1)."""
        own = np.array([name == self.own for name in classifier.classes])
        return foreign_odds(self.think(classifier, dense, rows), own)[:, None]


def fit_labelled(
    corpus: Corpus,
    rows: IntArray,
    *,
    seed: int,
    preset: str,
    pipeline: str,
    groups: NDArray[Any] | None = None,
    quick: bool = False,
    progress: Progress = quiet,
) -> Detector:
    """A detector that learned from the rows ``rows`` of a corpus, calibrated on self rows that its classifier has not seen.

    Rows of one of ``groups`` (n,) are held out together. ``quick`` fits one classifier on part of a small dataset instead of
    several, where that part still holds enough self rows. Raises DataError where self or the other rows are missing.
    """
    rows = rows[spread(len(rows), LEARN_ROWS)]
    own = corpus.dataset.is_self[rows]
    need_both(corpus.dataset, own)
    units = None if groups is None else np.unique(groups[rows], return_inverse=True)[1].reshape(-1)
    fitted = _fit_and_hold_out(corpus, rows, units, seed, quick, progress)
    progress("calibrate", 0.0, fitted.method)
    calibration, score, _ = calibrate(fitted.raw, np.zeros((0, 1)), None)
    chosen = np.sort(np.random.default_rng([seed, 7]).permutation(len(score))[:REFERENCE_ROWS])
    antigens = kept_antigens(fitted.learned[corpus.dataset.is_self[fitted.learned]], seed)
    table = corpus.dataset.table
    learned_own = int(corpus.dataset.is_self[fitted.learned].sum())
    texts = table.column(corpus.column).values[antigens].tolist()
    model = ClassifierModel.of(
        corpus.column, corpus.reading, corpus.own, fitted.classifier, texts, learned_own, fitted.dense
    )
    vectors = model.vectors(table.take(fitted.reference[chosen]))
    numbers = corpus.dataset.row_numbers if len(corpus.dataset.row_numbers) == table.rows else np.arange(table.rows)
    meta = _about(corpus, rows, learned_own, fitted.method, len(chosen))
    meta |= {"preset": preset, "seed": int(seed), "pipeline": pipeline}
    progress("calibrate", 1.0, f"{len(chosen)} reference rows")
    memory = Memory.empty(vectors.shape[1])
    near = SelfRows.of(table.take(antigens), np.arange(len(antigens)))
    return Detector(model, calibration, (score[chosen], vectors), numbers[antigens], memory, meta, near)


def need_both(dataset: Dataset, is_self: NDArray[np.bool_]) -> None:
    """Raise DataError where a labelled agent would have to learn without self or without other rows."""
    if is_self.any() and not is_self.all():
        return
    missing = "rows of self" if not is_self.any() else "labelled rows that are not self"
    raise DataError(
        f"{dataset.path} has no {missing}: a labelled agent needs both.",
        "Name the label column and the value that means self, or take a template that learns from self alone.",
    )


def class_metrics(corpus: Corpus, trials: Sequence[tuple[Detector, IntArray]]) -> dict[str, Any]:
    """How many rows each label has and, beyond two of them, how well each trial tells its held-out rows apart.

    ``macro_f1`` is the mean F1 over the labels; ``class_majority_accuracy`` is what guessing the commonest label gives.
    """
    sizes = Counter(corpus.classes.tolist())
    found: dict[str, Any] = {"labels": dict(sorted(sizes.items()))}
    if len(sizes) <= 2:
        return found
    truth = np.concatenate([corpus.classes[held] for _, held in trials])
    guessed = np.concatenate([_guesses(corpus, detector, held) for detector, held in trials])
    return found | {
        "macro_f1": macro_f1(truth, guessed),
        "class_accuracy": float((truth == guessed).mean()),
        "class_majority_accuracy": max(Counter(truth.tolist()).values()) / len(truth),
    }


def _guesses(corpus: Corpus, detector: Detector, rows: IntArray) -> NDArray[np.str_]:
    """The likeliest class of some rows."""
    if not isinstance(detector.model, ClassifierModel):
        raise TypeError("only a labelled detector tells classes apart")
    classifier = detector.model.classifier
    best = corpus.think(classifier, detector.model.dense, rows).argmax(axis=1)
    guessed: NDArray[np.str_] = np.array(classifier.classes)[best]
    return guessed


def _too_few(dataset: Dataset) -> DataError:
    return DataError(
        f"{dataset.path} has too few labelled rows, or too few groups of them, to hold any out.", "Add labelled rows."
    )


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A classifier, the rows it learned from, and the log odds (q, 1) of self rows ``reference`` (q,) that it did not."""

    classifier: TextClassifier
    dense: DenseClassifier | None
    learned: IntArray
    reference: IntArray
    raw: FloatArray
    method: str


def _fit_and_hold_out(
    corpus: Corpus, rows: IntArray, units: IntArray | None, seed: int, quick: bool, progress: Progress
) -> _Fitted:
    own = corpus.dataset.is_self[rows]
    large = int(own.sum()) >= SPLIT_ROWS
    quick = quick and int(own.sum()) >= QUICK_ROWS
    parts = _usable(folds(len(rows), seed, units, FOLDS if large else SMALL_FOLDS), own)
    if not parts:
        raise _too_few(corpus.dataset)
    if large or quick:
        rest = np.delete(rows, parts[0])
        classifier, dense = corpus.classifier(rest, seed, progress), corpus.dense(rest)
        held = rows[parts[0][own[parts[0]]]]
        method = "held-out fifth" if large else "held-out third"
        return _Fitted(classifier, dense, rest, held, corpus.foreign(classifier, dense, held), method)
    reference = [rows[part[own[part]]] for part in parts]
    raw = [
        corpus.foreign(corpus.classifier(rest, seed), corpus.dense(rest), held)
        for rest, held in zip((np.delete(rows, part) for part in parts), reference, strict=True)
    ]
    method = f"{len(parts)}-fold cross-conformal"
    classifier = corpus.classifier(rows, seed, progress)
    dense = corpus.dense(rows)
    return _Fitted(classifier, dense, rows, np.concatenate(reference), np.concatenate(raw), method)


def _usable(parts: list[IntArray], own: NDArray[np.bool_]) -> list[IntArray]:
    """The parts that hold self rows, and without which both kinds of rows are left."""
    usable = []
    for part in parts:
        rest = np.delete(own, part)
        if own[part].any() and rest.any() and not rest.all():
            usable.append(part)
    return usable


def _about(corpus: Corpus, rows: IntArray, learned: int, method: str, reference: int) -> dict[str, Any]:
    return {
        "rows": len(rows),
        "learned_rows": learned,
        "set_aside": 0,
        "columns": [[column.name, column.kind] for column in corpus.dataset.table.columns],
        "calibration": method,
        "reference_rows": reference,
        "resolution": 1.0 / (reference + 1),
        "components": ["foreign"],
        "labels": dict(sorted(Counter(corpus.classes[rows].tolist()).items())),
    }


def _classes(dataset: Dataset, own: str) -> NDArray[np.str_]:
    """The class of each row: self, one of the commonest other labels, or the rest of them."""
    labels = np.full(dataset.rows, "foreign") if dataset.labels is None else np.asarray(dataset.labels, dtype=str)
    sizes = Counter(labels[~dataset.is_self].tolist())
    kept = {name for name, _ in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[: MOST_CLASSES - 1]}
    named = [
        own if mine else label if label in kept else REST
        for label, mine in zip(labels.tolist(), dataset.is_self, strict=True)
    ]
    return np.array(named, dtype=str)


def _copies(texts: list[str], reading: LabelledReading) -> IntArray:
    if not reading.whole_copies:
        return np.arange(len(texts))
    place: dict[str, int] = {}
    folded = (" ".join(text.casefold().split()) for text in texts)
    return np.array([place.setdefault(text, len(place)) for text in folded], dtype=np.int64)
