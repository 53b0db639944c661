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


class Embedding:
    """The top principal component scores of raw columns, (n, d) to (n, 64)."""

    def __init__(self, mean: FloatArray, axes: FloatArray) -> None:
        self.mean, self.axes = mean, axes

    @classmethod
    def fit(cls, matrix: FloatArray) -> Embedding:
        """Learn the axes from the rows of a (n, d) matrix, n >= 3."""
        n, d = matrix.shape
        mean = matrix.mean(axis=0)
        centred = matrix - mean
        if n < d:
            values, vectors = np.linalg.eigh(centred @ centred.T)
            keep = min(COMPONENTS, n - 1)
            axes = centred.T @ vectors[:, ::-1][:, :keep] / np.sqrt(np.maximum(values[::-1][:keep], 1e-12))
        else:
            _, vectors = np.linalg.eigh(centred.T @ centred)
            axes = vectors[:, ::-1][:, :COMPONENTS]
        signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        return cls(mean, np.ascontiguousarray(axes * np.where(signs == 0, 1, signs)))

    def __call__(self, matrix: FloatArray) -> FloatArray:
        """The principal component scores of the rows, (n, 64) float64."""
        scores: FloatArray = (matrix - self.mean) @ self.axes
        return scores

    def residual(self, matrix: FloatArray, scores: FloatArray) -> FloatArray:
        """The length of what the components leave out of each row, (n,): novelty that no axis of self can express."""
        centred = matrix - self.mean
        left = np.einsum("ij,ij->i", centred, centred) - np.einsum("ij,ij->i", scores, scores)
        residual: FloatArray = np.sqrt(np.maximum(left, 0.0))
        return residual

    def back(self, evidence: FloatArray) -> FloatArray:
        """Evidence of components (n, c), shared out to the (n, d) columns by their squared loadings."""
        shared: FloatArray = evidence @ (self.axes**2).T
        return shared

    def state(self) -> dict[str, NDArray[Any]]:
        return {"mean": self.mean, "axes": self.axes}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]]) -> Embedding:
        return cls(arrays["mean"], arrays["axes"])


def suits(matrix: FloatArray) -> bool:
    """True where the columns are many, fractional and of one scale, so that their principal components mean more than they do."""
    n, d = matrix.shape
    if d < LEAST_COLUMNS or n < LEAST_ROWS:
        return False
    deviation = matrix.std(axis=0)
    high = float(np.quantile(deviation, 0.95))
    used = deviation[deviation > high / _FAINT]
    if not (high > 0 and np.isfinite(high) and len(used) >= LEAST_USED and high / np.median(used) < _HOMOGENEOUS):
        return False
    values = matrix[matrix != 0]
    return bool(np.mean(values != np.floor(values)) > _FRACTIONAL)
