"""Principal components of dense embeddings, where distances in hundreds of equal-minded columns say little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.table import FloatArray

LEAST_COLUMNS = 200
"""Fewer columns than this are left as they are."""
LEAST_ROWS = 10
COMPONENTS = 64
LEAST_USED = 64
"""So many columns must vary noticeably."""
_FAINT = 1000.0
"""Columns whose deviation is so many times below the 95 % quantile are next to constant: units that a network hardly uses."""
_HOMOGENEOUS = 10.0
"""The others are of one scale where that quantile is below this many times their median."""
_FRACTIONAL = 0.9
"""Counts and flags are whole numbers; so great a share of an embedding's values other than 0 is not."""


BLOCK = 256
"""Rows of one matrix product. The shape never varies, so that a row's product does not depend on its neighbours."""
FAR = 1e100
"""Values are cut to this distance from self's mean, so that their squares stay finite."""
ROUNDING = 1e-7
"""So small a part of a row is rounding and no residual."""
_RANK = 1e-12
"""Axes along which self varies so much less (as a variance) than along the first are rounding."""


class Embedding:
    """The top principal component scores of raw columns, (n, d) to (n, 64)."""

    def __init__(self, mean: FloatArray, axes: FloatArray) -> None:
        self.mean, self.axes = mean, axes

    @classmethod
    def fit(cls, matrix: FloatArray) -> Embedding:
        """Learn the axes from the rows of a (n, d) matrix, n >= 3."""
        n, d = matrix.shape
        mean = matrix.mean(axis=0)
        if d == 0:
            return cls(mean, np.zeros((0, 0)))
        centred = matrix - mean
        if n < d:
            values, vectors = np.linalg.eigh(centred @ centred.T)
            keep = min(COMPONENTS, n - 1)
        else:
            values, vectors = np.linalg.eigh(centred.T @ centred)
            keep = min(COMPONENTS, d)
        values, vectors = values[::-1][:keep], vectors[:, ::-1][:, :keep]
        live = values > _RANK * max(float(values[0]), 1e-300)
        axes = vectors[:, live]
        if n < d:
            axes = centred.T @ (axes / np.sqrt(values[live]))
        signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        return cls(mean, np.ascontiguousarray(axes * np.where(signs == 0, 1, signs)))

    def __call__(self, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The principal component scores of the rows, (n, c) float64, and the length of what they leave out of each row, (n,).

        A length below ROUNDING of the row's own is rounding and counts as 0.
        """
        n, (d, c) = len(matrix), self.axes.shape
        scores, residual = np.empty((n, c)), np.empty(n)
        block = np.zeros((BLOCK, d))
        for start in range(0, n, BLOCK):
            part = slice(start, min(start + BLOCK, n))
            size = part.stop - start
            np.subtract(matrix[part], self.mean, out=block[:size])
            np.clip(block, -FAR, FAR, out=block)
            found = block @ self.axes
            left = _length(block - found @ self.axes.T)
            whole = _length(block)
            scores[part] = found[:size]
            residual[part] = np.where(left > ROUNDING * whole, left, 0.0)[:size]
        return scores, residual

    def back(self, evidence: FloatArray) -> FloatArray:
        """Evidence of components (n, c), shared out to the (n, d) columns by their squared loadings."""
        shared: FloatArray = evidence @ (self.axes**2).T
        return shared

    def state(self) -> dict[str, NDArray[Any]]:
        return {"mean": self.mean, "axes": self.axes}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]]) -> Embedding:
        return cls(arrays["mean"], arrays["axes"])


def _length(rows: FloatArray) -> FloatArray:
    length: FloatArray = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return length


def suits(matrix: FloatArray) -> bool:
    """True where the columns are many, fractional and of one scale, so that their principal components mean more than they do."""
    n, d = matrix.shape
    if d < LEAST_COLUMNS or n < LEAST_ROWS:
        return False
    if not np.abs(matrix).max() < FAR:
        return False
    deviation = matrix.std(axis=0)
    high = float(np.quantile(deviation, 0.95))
    used = deviation[deviation > high / _FAINT]
    if not (high > 0 and np.isfinite(high) and len(used) >= LEAST_USED and high / np.median(used) < _HOMOGENEOUS):
        return False
    values = matrix[matrix != 0]
    return bool(np.mean(values != np.floor(values)) > _FRACTIONAL)
