"""Which of a table's columns made a row foreign, and how to say it.

The evidence of a column is the nats by which its value is more surprising than usual, from histograms that do not depend
on the seed, with a smaller part for its share of the distance to the nearest self row, which sees broken correlations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.components import ABOVE, BELOW, UNSEEN, Direction
from immunos_tui.immune.encode import CategoryCode, Encoder, NumberCode
from immunos_tui.immune.table import FloatArray, IntArray, Table
from immunos_tui.model.explanation import FeatureReason, ReasonDirection
from immunos_tui.model.text import clean

DISTANCE_WEIGHT = 0.5
"""The most of a share that comes from the distance to the nearest self row; it vanishes as one value grows telling."""
TELLING_NATS = 4.0
"""A value this much more surprising than usual explains a row by itself."""
CHANGED_NATS = 12.0
"""Evidence of a constant that changed or a closed category's new value."""
LEVELS = (99.9, 99.0, 95.0, 90.0, 75.0, 50.0)
"""The bounds of self that an explanation may name, in per cent of self."""
MEDIAN = 52
"""The place of the median in GRID."""
GRID = np.concatenate([[0.0, 0.1, 0.5], np.arange(1.0, 100.0), [99.5, 99.9, 100.0]])
"""The percentiles of self that are kept for each number column."""


def by_feature(encoded: FloatArray, owner: IntArray, features: int, how: np.ufunc) -> FloatArray:
    """Reduce the (n, k) evidence of encoded columns to the (n, features) columns that they came from."""
    out = np.zeros((len(encoded), features))
    if encoded.shape[1]:
        order = np.argsort(owner, kind="stable")
        first = np.flatnonzero(np.concatenate([[True], np.diff(owner[order]) > 0]))
        out[:, owner[order][first]] = how.reduceat(encoded[:, order], first, axis=1)
    return out


def shares_of(surprise: FloatArray, distance: FloatArray, changed: NDArray[np.bool_]) -> FloatArray:
    """Shares (n, features) that sum to 1 from nats of surprise and squared distances by feature."""
    surprise = surprise + np.where(changed, CHANGED_NATS, 0.0)
    strongest = surprise.max(axis=1, keepdims=True, initial=0.0)
    weight = DISTANCE_WEIGHT * np.maximum(0.0, 1.0 - strongest / TELLING_NATS)
    shares: FloatArray = (1 - weight) * _normal(surprise) + weight * _normal(distance)
    return shares


def _normal(evidence: FloatArray) -> FloatArray:
    total = evidence.sum(axis=1, keepdims=True)
    even = 1.0 / max(evidence.shape[1], 1)
    return np.where(total > 0, evidence / np.where(total > 0, total, 1.0), even)


def sides(encoder: Encoder, table: Table, medians: FloatArray) -> Direction:
    """ABOVE or BELOW self's median for each number of each row, (n, features); UNSEEN for categories and missing values."""
    out = np.zeros((table.rows, len(encoder.features)), dtype=np.int8)
    if encoder.numbers:
        values = table.numbers([code.name for code in encoder.numbers])
        side = np.where(values >= medians, ABOVE, BELOW).astype(np.int8)
        side[np.isnan(values)] = UNSEEN
        out[:, encoder.number_places] = side
    return out


def quantiles(encoder: Encoder, table: Table) -> FloatArray:
    """The percentiles GRID of each number column, (numbers, len(GRID)); NaN for a column that is always missing."""
    out = np.full((len(encoder.numbers), len(GRID)), np.nan)
    if not encoder.numbers:
        return out
    # NaN sorts last, so that the first ``present`` values of each sorted column are the ones that are there.
    ordered = np.sort(np.clip(table.numbers([code.name for code in encoder.numbers]), -1e300, 1e300), axis=0)
    present = len(ordered) - np.isnan(ordered).sum(axis=0)
    some = np.flatnonzero(present)
    place = np.outer(GRID / 100, present[some] - 1)
    below = place.astype(np.int64)
    low = ordered[below, some]
    high = ordered[np.minimum(below + 1, present[some] - 1), some]
    part = place - below
    out[some] = (low * (1 - part) + high * part).T
    return out


class Describer:
    """Says in words how a value compares with self; made from the encoder and the percentiles of self."""

    def __init__(self, encoder: Encoder, percentiles: FloatArray) -> None:
        self._numbers = {code.name: (code, percentiles[i]) for i, code in enumerate(encoder.numbers)}
        self._categories = {code.name: code for code in encoder.categories}

    def reason(self, name: str, value: Any, share: float, direction: int) -> FeatureReason:
        """The reason that the column ``name`` with this value gives."""
        if name in self._categories:
            return self._category(self._categories[name], str(value), share)
        code, grid = self._numbers[name]
        return self._number(code, grid, float(value), share, direction)

    def _number(self, code: NumberCode, grid: FloatArray, value: float, share: float, side: int) -> FeatureReason:
        if np.isnan(value):
            return FeatureReason(code.name, "missing", "unseen", _usual(grid), share, 100.0)
        if code.constant or np.isnan(grid[0]):
            known = "always missing" if np.isnan(grid[0]) else f"always {number(code.low)}"
            return FeatureReason(code.name, number(value), "changed", known, share, 100.0)
        low = np.interp(value, grid, GRID) if value > grid[0] else 0.0
        percentile = 100.0 if value > grid[-1] else float(low)
        direction: ReasonDirection = "above" if side >= 0 else "below"
        return FeatureReason(code.name, number(value), direction, _bound(grid, value, side), share, percentile)

    def _category(self, code: CategoryCode, value: str, share: float) -> FeatureReason:
        total = sum(code.counts)
        seen = dict(zip(code.values, code.counts, strict=True)).get(value, 0)
        top = ", ".join(
            f"{clean(v, 24) or 'empty'} {100 * c / total:.3g} %"
            for v, c in zip(code.values[:3], code.counts[:3], strict=True)
        )
        more = f" and {len(code.values) - 3} more" if len(code.values) > 3 else ""
        direction: ReasonDirection = "changed" if seen or code.constant else "unseen"
        rarer = sum(c for c in code.counts if c <= seen)
        percentile = 100.0 * (1 - rarer / total)
        return FeatureReason(code.name, clean(value, 60) or "empty", direction, top + more, share, percentile)


def _bound(grid: FloatArray, value: float, side: int) -> str:
    for level in LEVELS:
        if side >= 0:
            bound = float(np.interp(level, GRID, grid))
            if value > bound:
                return f"{level:g} %: up to {number(bound)}"
        else:
            bound = float(np.interp(100 - level, GRID, grid))
            if value < bound:
                return f"{level:g} %: {number(bound)} or more"
    return _usual(grid)


def _usual(grid: FloatArray) -> str:
    if np.isnan(grid[0]):
        return "always missing"
    return f"90 %: {number(float(np.interp(5, GRID, grid)))} to {number(float(np.interp(95, GRID, grid)))}"


def number(value: float) -> str:
    """A number as an operator would write it: at most five significant digits, no exponent below a million."""
    if value == int(value) if np.isfinite(value) else False:
        return f"{int(value)}" if abs(value) < 1e15 else f"{value:.4g}"
    return f"{value:.5g}" if abs(value) < 1e6 else f"{value:.4g}"


def row_values(table: Table, names: tuple[str, ...]) -> Mapping[str, Any]:
    """The column arrays of the named columns, looked up once."""
    return {name: table.column(name).values for name in names}
