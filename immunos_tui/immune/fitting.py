"""Fit a model of self and score self rows as if they were fresh: what calibration is counted against.

Rows scored by a model that has seen them look too normal. Where leave-one-out is not enough, parts of self are held out: one fifth
in large data, each fifth in turn in small data (cross-conformal prediction, Vovk 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.calibration import REFERENCE_ROWS, Calibration, Surprisal
from immunos_tui.immune.components import ComponentModel, Progress, quiet
from immunos_tui.immune.fusion import fuse, weights_of
from immunos_tui.immune.presets import SIEVE
from immunos_tui.immune.table import FloatArray, IntArray, Table, concat
from immunos_tui.immune.tabular import TabularModel
from immunos_tui.model.errors import DataError

FOLDS = 5
WIDE, WIDE_FOLDS = 512, 3
"""From this many columns on a fit is dear, and small data is cut into so many parts only."""
SPLIT_ROWS = 1500
"""From this many rows one fifth is held out; below it each fifth in turn."""
KEEP = 0.75
"""The share of rows that the robust preset learns from: the most ordinary ones."""

Fit = Callable[[Table], ComponentModel]
Sieve = Callable[[Table], tuple[IntArray, IntArray]]
"""Splits rows into ordinary and suspect ones, both sorted."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model, and self rows scored as fresh ones.

    ``raw`` (q, c) are the component scores of the table's rows ``rows`` (q,); ``learned`` (m,) are the table's rows that the
    model was fitted on, in its order; ``method`` says in words how the scores were kept honest.
    """

    model: ComponentModel
    learned: IntArray
    rows: IntArray
    raw: FloatArray
    method: str


@dataclass(frozen=True, slots=True)
class Learned:
    """A calibrated model of self: what a detector is made of.

    ``score`` (q,) and ``vectors`` (q, k) are those of the reference rows; ``rows`` (m,) are the table's rows that the model was
    fitted on, in its order; ``set_aside`` counts the suspect rows that it was not.
    """

    model: ComponentModel
    calibration: Calibration
    score: FloatArray
    vectors: NDArray[np.float32]
    rows: IntArray
    method: str
    set_aside: int


def learn(
    table: Table,
    fit: Fit,
    seed: int,
    *,
    sieve: Sieve | None = None,
    groups: NDArray[np.int64] | None = None,
    progress: Progress = quiet,
) -> Learned:
    """Fit and calibrate a model on the rows of ``table``; with ``sieve`` on its most ordinary rows only."""
    rows = np.arange(table.rows)
    clean, odd = table, None
    if sieve is not None:
        progress("sieve", 0.0, f"{table.rows} rows")
        rows, suspects = sieve(table)
        progress("sieve", 1.0, f"{len(suspects)} rows set aside")
        if len(suspects):
            clean, odd = table.take(rows), table.take(suspects)
        groups = None if groups is None else groups[rows]
    fitted = fit_and_hold_out(clean, fit, seed, groups)
    progress("calibrate", 0.0, fitted.method)
    raw, weights = fitted.raw, weights_of(fitted.model)
    odd_raw = fitted.model.evidence(odd).scores if odd is not None else np.zeros((0, raw.shape[1]))
    calibration, score, counted = calibrate(raw, odd_raw, weights)
    chosen = _reference_rows(counted, seed)
    pool = clean.take(fitted.rows) if odd is None else concat([clean.take(fitted.rows), odd])
    vectors = fitted.model.vectors(pool.take(chosen))
    progress("calibrate", 1.0, f"{len(chosen)} reference rows")
    set_aside = table.rows - clean.rows
    return Learned(fitted.model, calibration, score[chosen], vectors, rows[fitted.learned], fitted.method, set_aside)


def _reference_rows(counted: NDArray[np.bool_], seed: int) -> IntArray:
    rows = np.flatnonzero(counted)
    if len(rows) <= REFERENCE_ROWS:
        return rows
    return np.sort(np.random.default_rng([seed, 7]).choice(rows, REFERENCE_ROWS, replace=False))


def fit_and_hold_out(table: Table, fit: Fit, seed: int, groups: NDArray[np.int64] | None = None) -> Fitted:
    """Fit on self and score it by leave-one-out, a held-out fifth or cross-validation, whichever is honest here.

    Rows of one of ``groups`` (n,) are near copies of each other and are always held out together.
    """
    model = fit(table)
    if table.rows < 2 * FOLDS or (groups is None and model.exact_loo):
        return _left_out(model, table.rows)
    parts = folds(table.rows, seed, groups, WIDE_FOLDS if len(table.columns) >= WIDE else FOLDS)
    try:
        return _held_out(table, model, fit, seed, parts) if len(parts) > 1 else _left_out(model, table.rows)
    except DataError:  # what a fold leaves cannot be learned from, such as texts of which all but one are empty
        return _left_out(model, table.rows)


def _left_out(model: ComponentModel, n: int) -> Fitted:
    """Leave-one-out scores of a model that was fitted on ``n`` rows."""
    rows: IntArray = getattr(model, "loo_rows", np.arange(n))
    return Fitted(model, np.arange(n), rows, model.loo_scores(), "leave-one-out")


def _held_out(table: Table, model: ComponentModel, fit: Fit, seed: int, parts: list[IntArray]) -> Fitted:
    """Scores of rows that a model of the same kind has not seen: of a fifth in large data, of each part in turn in small."""
    everything = np.arange(table.rows)
    again: Fit = partial(model.refit, seed=seed) if hasattr(model, "refit") else fit
    if table.rows >= SPLIT_ROWS:
        rest = np.setdiff1d(everything, parts[0])
        model = again(table.take(rest))
        return Fitted(model, rest, parts[0], model.evidence(table.take(parts[0])).scores, "held-out fifth")
    raw = [again(table.take(np.setdiff1d(everything, part))).evidence(table.take(part)).scores for part in parts]
    method = f"{len(parts)}-fold cross-conformal"
    return Fitted(model, everything, np.concatenate(parts), np.concatenate(raw), method)


def folds(n: int, seed: int, groups: NDArray[np.int64] | None = None, count: int = FOLDS) -> list[IntArray]:
    """Up to ``count`` disjoint parts of ``n`` rows, drawn by ``seed``; rows of one group fall into one part."""
    rng = np.random.default_rng([seed, 5])
    units = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    fold_of_unit = rng.permutation(int(units.max()) + 1) % count
    fold = fold_of_unit[units]
    return [part for part in (np.flatnonzero(fold == i) for i in range(count)) if len(part)]


def purge(table: Table, seed: int) -> tuple[IntArray, IntArray]:
    """Split the rows of a table into the most ordinary three quarters and the suspect rest, both sorted.

    For training data that nobody vouches for: the few foreign rows in it end up among the rest.
    """
    model = TabularModel.fit(table, seed=seed, preset=SIEVE)
    return _most_ordinary(_fused(model.loo_scores(), None), model.loo_rows, KEEP)


def purge_by_halves(table: Table, seed: int, fit: Fit) -> tuple[IntArray, IntArray]:
    """The same for models without a sieve of their own: each half of the rows is scored by a model of the other half.

    Nothing is suspect where the model's ``rare_is_self`` says that rare rows are no sign of dirt.
    """
    order = np.random.default_rng([seed, 9]).permutation(table.rows)
    halves = [np.sort(half) for half in np.array_split(order, 2)]
    score = np.empty(table.rows)
    for learned, asked in (halves, halves[::-1]):
        model = fit(table.take(learned))
        if getattr(model, "rare_is_self", False):
            return np.arange(table.rows), np.zeros(0, dtype=np.int64)
        score[asked] = _fused(model.evidence(table.take(asked)).scores, weights_of(model))
    return _most_ordinary(score, np.arange(table.rows), KEEP)


def _fused(raw: FloatArray, weights: FloatArray | None) -> FloatArray:
    return fuse(np.stack([Surprisal.fit(column)(column) for column in raw.T], axis=1), weights)


def _most_ordinary(score: FloatArray, rows: IntArray, share: float) -> tuple[IntArray, IntArray]:
    order = rows[np.argsort(score, kind="stable")]
    keep = max(1, int(np.ceil(share * len(rows))))
    return np.sort(order[:keep]), np.sort(order[keep:])


def calibrate(
    raw: FloatArray, suspects: FloatArray, weights: FloatArray | None
) -> tuple[Calibration, FloatArray, NDArray[np.bool_]]:
    """Surprisal curves from ``raw`` (q, c); the scores of raw and suspect rows, and which of them are self's reference.

    A suspect row that lies beyond where self's own tail would end is taken for foreign and not counted.
    """
    curves = tuple(Surprisal.fit(column) for column in raw.T)
    calibration = Calibration(curves, np.zeros(0))
    score = fuse(calibration.nats(np.concatenate([raw, suspects]) if len(suspects) else raw), weights)
    counted = np.ones(len(score), dtype=bool)
    if len(suspects):
        half, three = np.quantile(score, [0.5, 0.75])
        end = three + 2.0 * (three - half) / np.log(2) * np.log(max(0.25 * len(score), 1.0))
        counted = score <= end
    return calibration, score, counted
