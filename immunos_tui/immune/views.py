"""Four ways to look at one encoded row, and how surprising each of its values is on its own.

``z`` is standardised, ``r`` robust and compressed, ``g`` the normal quantile of the rank, ``w`` whitened. One lookup grid a column
gives both the rank and the histogram's surprisal. Everything is float32 past the centring, which is done in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.table import FloatArray

Float32 = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]

FIT_ROWS = 20_000
"""Rows, evenly spaced, that the quantiles, histograms and covariances are learned from."""
CELLS = 1024
"""Cells of a column's lookup grid."""
KNOTS = 256
"""Quantile knots of a column's distribution function."""
DISTINCT = 20
"""Up to this many distinct values are counted one by one instead of in equal bins."""
SHRINK = 0.05
"""Part of the mean eigenvalue that is added to each when whitening (Ledoit and Wolf's idea with a fixed weight)."""
BLOCK = 256
_LINEAR = np.float32(1e4)
_GRIDS = ("rank", "surprisal", "surprisal_loo", "typical")


@dataclass(frozen=True, slots=True)
class Projection:
    """Rows as the views see them: z, r, g, w (n, k) float32 and ``surprisal`` (n, k) in nats.

    g and w cost the most, and are (n, 0) where they were not asked for.
    """

    z: Float32
    r: Float32
    g: Float32
    w: Float32
    surprisal: Float32


class Views:
    """The fitted views of a (n, k) matrix; ``arrays`` holds everything they know."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = {name: arrays[name] for name in self.names()}
        self._offset = np.arange(len(arrays["centre"]), dtype=np.int32) * CELLS
        step = np.diff(arrays["rank"], axis=1)
        self._rank = np.ascontiguousarray(arrays["rank"][:, :CELLS]).ravel()
        self._step = np.ascontiguousarray(step).ravel()
        self._surprisal = arrays["surprisal"].ravel()
        self._surprisal_loo = arrays["surprisal_loo"].ravel()

    @staticmethod
    def names() -> tuple[str, ...]:
        return ("centre", "scale", "mean", "deviation", "low", "high", "start", "rate", "bins", *_GRIDS, "whiten")

    @classmethod
    def fit(cls, matrix: FloatArray, views: str = "zrgw") -> Views:
        """Learn the views from the rows of a finite (n, k) matrix, n >= 1; of ``views`` only w is dear to learn."""
        rows = matrix[spread(len(matrix), FIT_ROWS)]
        centre, scale = _robust(rows)
        c = _compress((rows - centre) / scale)
        mean, deviation = c.mean(axis=0, dtype=np.float64), c.std(axis=0, dtype=np.float64)
        deviation = np.where(deviation > 0, deviation, 1.0)
        low, high = c.min(axis=0), c.max(axis=0)
        start = np.arcsinh(low)
        extent = np.arcsinh(high) - start
        rate = np.where(extent > 0, CELLS / np.where(extent > 0, extent, 1), 0).astype(np.float32)
        grids = _grids(c, start, rate, low, high)
        arrays: dict[str, NDArray[Any]] = {
            "centre": centre,
            "scale": scale,
            "mean": mean.astype(np.float32),
            "deviation": deviation.astype(np.float32),
            "low": low,
            "high": high,
            "start": start,
            "rate": rate,
            **grids,
            "whiten": _whitening(((c - mean) / deviation).astype(np.float32) if "w" in views else c[:, :0]),
        }
        return cls(arrays)

    def project(self, matrix: FloatArray, leave_one_out: bool = False, views: str = "zrgw") -> Projection:
        """The views of the rows of a finite (n, k) matrix; a row's values do not depend on the other rows.

        ``leave_one_out`` takes a row's own count out of the histograms, for rows that they were learned from.
        """
        a = self.arrays
        c = _compress((matrix - a["centre"]) / a["scale"])
        z = ((c - a["mean"]) / a["deviation"]).astype(np.float32, copy=False)
        r: Float32 = np.arcsinh(c)
        cell = (r - a["start"]) * a["rate"]
        np.clip(cell, 0, CELLS, out=cell)
        index = np.minimum(cell.astype(np.int32), CELLS - 1)
        cell -= index
        index += self._offset
        g = np.zeros((len(c), 0), dtype=np.float32)
        if "g" in views:
            g = self._step.take(index)
            g *= cell
            g += self._rank.take(index)
        surprisal = (self._surprisal_loo if leave_one_out else self._surprisal).take(index)
        self._beyond(c, g, surprisal)
        w = _product(z, a["whiten"]) if "w" in views else g[:, :0]
        return Projection(z, r, g, w, surprisal)

    def _beyond(self, c: Float32, g: Float32, surprisal: Float32) -> None:
        """Where a value lies outside self's range, let rank and surprisal go on growing, in place."""
        a = self.arrays
        outside = np.flatnonzero(((c > a["high"]) | (c < a["low"])).ravel())
        if len(outside) == 0:
            return
        column = outside % c.shape[1]
        value = c.ravel()[outside]
        over = value - a["high"][column]
        under = a["low"][column] - value
        excess = np.maximum(over, under)
        if g.shape[1]:
            g.ravel()[outside] += np.copysign(np.log1p(excess / a["deviation"][column]), over)
        unseen = a["bins"][1, column] + np.log1p(excess * a["bins"][0, column])
        surprisal.ravel()[outside] = unseen


def spread(n: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` row numbers of ``n``, evenly spaced: the same whatever the seed."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(np.int64)


def _robust(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Median, and the robust scale max(min(IQR / 1.349, sd), sd / 20), of each column; 1 where it would be 0."""
    q1, centre, q3 = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
    reach = np.abs(rows - centre).max(axis=0)
    reach = np.where(reach > 0, reach, 1.0)
    deviation = reach * np.std((rows - centre) / reach, axis=0)
    scale = np.maximum(np.minimum((q3 - q1) / 1.349, deviation), 0.05 * deviation)
    return centre, np.where(scale > 0, scale, 1.0)


def _compress(c: FloatArray) -> Float32:
    """float32 with everything past 1e4 robust deviations log-compressed, so that squares stay finite."""
    out = np.clip(c, -1e30, 1e30).astype(np.float32)
    if out.size and max(float(out.max()), -float(out.min())) > _LINEAR:
        far = np.abs(out) > _LINEAR
        out[far] = np.copysign(_LINEAR * (1 + np.log(np.abs(out[far]) / _LINEAR)), out[far])
    return out


def _product(rows: Float32, weights: Float32) -> Float32:
    """``rows @ weights`` in blocks of one shape, so that a row's product does not depend on its neighbours."""
    out = np.empty((len(rows), weights.shape[1]), dtype=np.float32)
    whole = len(rows) - len(rows) % BLOCK
    for start in range(0, whole, BLOCK):
        np.matmul(rows[start : start + BLOCK], weights, out=out[start : start + BLOCK])
    if whole < len(rows):
        padded = np.zeros((BLOCK, rows.shape[1]), dtype=np.float32)
        padded[: len(rows) - whole] = rows[whole:]
        out[whole:] = (padded @ weights)[: len(rows) - whole]
    return out


def _whitening(z: Float32) -> Float32:
    """The (k, k) matrix under which self has the covariance 1, but for a ridge that keeps faint directions from counting much."""
    n, k = z.shape
    if k == 0:
        return np.zeros((0, 0), dtype=np.float32)
    rows = z.astype(np.float64) / np.sqrt(max(n - 1, 1))
    if n < k:
        return _whitening_by_rows(rows)
    values, vectors = np.linalg.eigh(np.atleast_2d(rows.T @ rows))
    values = np.maximum(values, 0)
    ridge = SHRINK * float(values.mean()) or 1.0
    # A deterministic sign, so that equal data gives equal bytes whatever the eigensolver's mood.
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(values))])
    return np.ascontiguousarray(vectors * signs * (values + ridge) ** -0.5, dtype=np.float32)


def _whitening_by_rows(rows: FloatArray) -> Float32:
    """The same distances from fewer rows than columns: the eigenvectors of (n, n) products span all that varies."""
    values, vectors = np.linalg.eigh(rows @ rows.T)
    ridge = SHRINK * float(np.maximum(values, 0).sum()) / rows.shape[1] or 1.0
    live = values > 1e-9 * max(float(values[-1]), 1e-300)
    axes = rows.T @ (vectors[:, live] / np.sqrt(values[live]))
    beside = ridge**-0.5
    whiten = (axes * ((values[live] + ridge) ** -0.5 - beside)) @ axes.T
    whiten[np.diag_indices_from(whiten)] += beside
    return np.ascontiguousarray(whiten, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Counts:
    """What one column's cells hold: their ``weight`` (CELLS,), what each loses with one of its rows, all of it, a bin's width."""

    weight: FloatArray
    lost: FloatArray | float
    total: float
    width: float


def _grids(c: Float32, start: Float32, rate: Float32, low: Float32, high: Float32) -> dict[str, NDArray[Any]]:
    """The rank and surprisal of every cell of every column, and the (2, k) bins: bins per unit, nats when outside."""
    n, k = c.shape
    rank = np.zeros((k, CELLS + 1), dtype=np.float32)
    weight, lost = np.full((k, CELLS), 0.5), np.zeros((k, CELLS))
    total, width = np.ones((k, 1)), np.ones(k)
    place = np.clip((np.arcsinh(c) - start) * rate, 0, CELLS - 1).astype(np.int32)
    live = np.flatnonzero(high > low)
    # Every column's values at the middles of its cells, and its quantile knots, are transformed in one call each.
    middles = np.zeros((k, CELLS))
    middles[live] = np.sinh(start[live, None] + (np.arange(CELLS) + 0.5) / rate[live, None].astype(np.float64))
    knots: dict[int, tuple[FloatArray, FloatArray]] = {}
    for j in live.tolist():
        ordered = np.sort(c[:, j])
        first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        values, counts = ordered[first], np.diff(np.append(first, n))
        knots[j] = _knots(values, counts, float(start[j]), float(rate[j]))
        few = len(values) <= DISTINCT
        found = _distinct(place[:, j], len(values), c[:, j]) if few else _binned(c[:, j], middles[j])
        weight[j], lost[j], total[j], width[j] = found.weight + 0.5, found.lost, found.total, found.width
    levels = [level for _, level in knots.values()]
    heights = (
        np.split(normal_quantile(np.concatenate(levels)), np.cumsum([len(level) for level in levels])[:-1])
        if levels
        else []
    )
    for (j, (at, _)), height in zip(knots.items(), heights, strict=True):
        rank[j] = np.interp(np.arange(CELLS + 1), at, height)
    surprisal = -np.log(weight / total)
    loo = -np.log(np.maximum(weight - lost, 0.5) / total)
    surprisal[high <= low], loo[high <= low] = 0.0, 0.0
    typical = np.take_along_axis(surprisal, place.T, axis=1).mean(axis=1)
    bins = np.stack([1 / width, -np.log(0.5 / total[:, 0])])
    found_arrays = {"rank": rank, "surprisal": surprisal, "surprisal_loo": loo, "typical": typical, "bins": bins}
    return {name: array.astype(np.float32) for name, array in found_arrays.items()}


def _distinct(place: NDArray[np.int32], values: int, column: Float32) -> _Counts:
    """A column of few values: each counts by itself, and whatever lies between them was never seen."""
    weight = np.bincount(place, minlength=CELLS).astype(np.float64)
    span = float(column.max()) - float(column.min())
    return _Counts(weight, (weight > 0).astype(np.float64), len(column) + 0.5 * values, span / max(values - 1, 1))


def _binned(column: Float32, middles: FloatArray) -> _Counts:
    """A column of many values: 10 to 40 equal bins, smoothed by their neighbours; ``middles`` (CELLS,) are the cells' values."""
    number = int(np.clip(np.sqrt(len(column)), 10, 40))
    low = float(column.min())
    width = (float(column.max()) - low) / number
    count = np.zeros(number + 2)
    count[1:-1] = np.bincount(np.minimum(((column - low) / width).astype(np.int64), number - 1), minlength=number)
    smooth = count[:-2] / 4 + count[1:-1] / 2 + count[2:] / 4
    bin_of = np.clip(((middles - low) / width).astype(np.int64), 0, number - 1)
    return _Counts(smooth[bin_of], 0.5, len(column) + 0.5 * number, width)


def _knots(values: Float32, counts: NDArray[np.int64], start: float, rate: float) -> tuple[FloatArray, FloatArray]:
    """At most KNOTS places, in cells, and the mid-rank at each: a column's distribution function."""
    level = (np.cumsum(counts) - counts / 2) / counts.sum()
    if len(values) > KNOTS:
        inner = np.searchsorted(level[:-1], np.linspace(0, 1, KNOTS)[1:-1])
        pick = np.unique(np.concatenate([[0], inner, [len(values) - 1]]))
        values, level = values[pick], level[pick]
    return (np.arcsinh(values) - start) * rate, level


def normal_quantile(p: FloatArray) -> FloatArray:
    """The inverse of the standard normal distribution function, to 1e-9 (Acklam's rational approximation)."""
    p = np.asarray(p, dtype=np.float64)
    tail = np.minimum(p, 1 - p)
    q = np.sqrt(-2 * np.log(np.maximum(tail, 1e-300)))
    outer = np.polyval(_C, q) / np.polyval([*_D, 1.0], q)
    centre = p - 0.5
    s = centre * centre
    inner = centre * np.polyval(_A, s) / np.polyval([*_B, 1.0], s)
    return np.where(tail < 0.02425, np.where(p < 0.5, outer, -outer), inner)


_A = (
    -39.69683028665376,
    220.9460984245205,
    -275.9285104469687,
    138.3577518672690,
    -30.66479806614716,
    2.506628277459239,
)
_B = (-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572)
_C = (
    -0.007784894002430293,
    -0.3223964580411365,
    -2.400758277161838,
    -2.549732539343734,
    4.374664141464968,
    2.938163982698783,
)
_D = (0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416)
