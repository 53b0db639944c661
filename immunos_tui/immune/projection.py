"""Principal components of dense embeddings, where distances in hundreds of equal-minded columns say little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.table import FloatArray

LEAST_COLUMNS = 256
"""Fewer columns than this are left as they are."""
COMPONENTS = 64
_HOMOGENEOUS = 10.0
"""Columns are of one kind where their deviations' 95 % and 5 % quantiles differ by less than this factor."""


class Embedding:
    """The top principal component scores of raw columns, (n, d) to (n, 64)."""

    def __init__(self, mean: FloatArray, axes: FloatArray) -> None:
        self.mean, self.axes = mean, axes

    @classmethod
    def fit(cls, matrix: FloatArray) -> Embedding | None:
        """Learn the axes; None where the columns are few or of different kinds."""
        n, d = matrix.shape
        if d < LEAST_COLUMNS or n < 3:
            return None
        deviation = matrix.std(axis=0)
        low, high = np.quantile(deviation, [0.05, 0.95])
        if low <= 0 or high / low >= _HOMOGENEOUS or not np.isfinite(high):
            return None
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

    def back(self, evidence: FloatArray) -> FloatArray:
        """Evidence of components (n, c), shared out to the (n, d) columns by their squared loadings."""
        shared: FloatArray = evidence @ (self.axes**2).T
        return shared

    def state(self) -> dict[str, NDArray[Any]]:
        return {"mean": self.mean, "axes": self.axes}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]]) -> Embedding:
        return cls(arrays["mean"], arrays["axes"])
