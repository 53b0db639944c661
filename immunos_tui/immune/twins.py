"""Exact copies of self rows, found by a 64-bit hash of the encoded row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.table import FloatArray, IntArray

MOST_ROWS = 200_000
"""Rows whose hashes are kept, 16 bytes each."""


class Twins:
    """Sorted hashes of self rows, and the row that each belongs to."""

    def __init__(self, hashes: NDArray[np.uint64], rows: IntArray) -> None:
        self.hashes, self.rows = hashes, rows

    @classmethod
    def of(cls, matrix: FloatArray) -> Twins:
        """Remember the first MOST_ROWS rows of an encoded (n, k) matrix; of equal rows the first counts."""
        hashes, first = np.unique(_hash(matrix[:MOST_ROWS]), return_index=True)
        return cls(hashes, first.astype(np.int64))

    def find(self, matrix: FloatArray) -> IntArray:
        """For each row the self row that it is a copy of, or -1."""
        if len(self.hashes) == 0 or matrix.shape[1] == 0:
            return np.full(len(matrix), -1, dtype=np.int64)
        wanted = _hash(matrix)
        place = np.minimum(np.searchsorted(self.hashes, wanted), len(self.hashes) - 1)
        return np.where(self.hashes[place] == wanted, self.rows[place], -1)


def _hash(matrix: FloatArray) -> NDArray[np.uint64]:
    """A multiply-shift hash of each row's bytes; -0.0 counts as 0.0."""
    bits = np.ascontiguousarray(matrix + 0.0).view(np.uint64)
    odd = np.random.default_rng(20_11).integers(1, 2**63, matrix.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    mixed = (bits ^ (bits >> np.uint64(29))) * odd
    mixed ^= mixed >> np.uint64(32)
    total = (mixed * np.uint64(0x9E3779B97F4A7C15)).sum(axis=1, dtype=np.uint64)
    hashed: NDArray[np.uint64] = total ^ (total >> np.uint64(31))
    return hashed
