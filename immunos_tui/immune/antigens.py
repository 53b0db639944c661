"""Nearest self antigens: the analytic limit of negative selection.

A detector that matches x and no self sample exists exactly when x lies outside every self sample's sphere, so the distance to the
nearest self antigen says all that sampled detectors could (and, beyond a few dimensions, far more).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Index = NDArray[np.int64]

BLOCK = 256
"""Rows of one matrix product. The shape never varies, so that a row's product does not depend on its neighbours."""
_FAR = np.float32(1e37)
_ROUNDING = np.float32(1e-8)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest antigen of each group: exact distances (n, G) float32, and antigen numbers (n, G)."""

    distance: Float32
    antigen: Index


class Antigens:
    """``m`` self rows (m, k) float32 in ``groups`` random groups; the rows' order decides the groups.

    One float32 matrix product finds the candidates, and the winners' distances are computed again from
    differences, so that an exact copy of an antigen has the distance 0.
    """

    def __init__(self, rows: Float32, groups: int) -> None:
        self.rows = np.ascontiguousarray(rows, dtype=np.float32)
        m, k = self.rows.shape
        self.groups = max(1, min(groups, m // 8))
        self._size = -(-m // (16 * self.groups)) * 16
        # Group g holds the antigens g, g + G, g + 2 G, ...; the columns that fill a group up are never the nearest.
        self._slot = np.full((self.groups, self._size), -1, dtype=np.int64)
        for group in range(self.groups):
            members = np.arange(group, m, self.groups)
            self._slot[group, : len(members)] = members
        flat = self._slot.ravel()
        self._norms = np.einsum("ij,ij->i", self.rows, self.rows)
        product = np.zeros((k + 1, len(flat)), dtype=np.float32)
        real = flat >= 0
        product[:k, real] = -2.0 * self.rows[flat[real]].T
        product[k, real] = self._norms[flat[real]]
        product[k, ~real] = _FAR
        self._product = product
        self._column = np.empty(m, dtype=np.int64)
        self._column[flat[real]] = np.flatnonzero(real)

    def nearest(self, rows: Float32, own: Index | None = None) -> Nearest:
        """The nearest antigen of each of ``rows`` (n, k) in each group.

        ``own`` (n,) is the antigen that a row itself is, -1 for none; it is left out (leave-one-out).
        """
        n = len(rows)
        distance = np.empty((n, self.groups), dtype=np.float32)
        antigen = np.empty((n, self.groups), dtype=np.int64)
        padded = np.zeros((BLOCK, rows.shape[1] + 1), dtype=np.float32)
        padded[:, -1] = 1.0
        product = np.empty((BLOCK, self._product.shape[1]), dtype=np.float32)
        for start in range(0, n, BLOCK):
            part = rows[start : start + BLOCK]
            stop = start + len(part)
            padded[: len(part), :-1] = part
            np.matmul(padded, self._product, out=product)
            if own is not None:
                mine = own[start:stop]
                inside = np.flatnonzero(mine >= 0)
                product[inside, self._column[mine[inside]]] = _FAR
            distance[start:stop], antigen[start:stop] = self._winners(part, product[: len(part)])
        return Nearest(distance, antigen)

    def _winners(self, rows: Float32, product: Float32) -> tuple[Float32, Index]:
        grouped = product.reshape(len(rows), self.groups, self._size)
        place = grouped.argmin(axis=2)
        antigen = self._slot[np.arange(self.groups), place]
        exact = self._squared(rows[:, None, :], antigen)
        self._settle(rows, grouped, place, antigen, exact)
        return np.sqrt(exact), antigen

    def _squared(self, rows: Float32, antigen: Index) -> Float32:
        difference = self.rows[antigen]
        difference -= rows
        squared: Float32 = np.einsum("...k,...k->...", difference, difference)
        return squared

    def _settle(self, rows: Float32, grouped: Float32, place: Index, antigen: Index, exact: Float32) -> None:
        """Where rounding could have hidden a nearer antigen, compare all candidates by exact distance, in place."""
        slack = _ROUNDING * (100 + rows.shape[1]) * (np.einsum("ij,ij->i", rows, rows)[:, None] + self._norms[antigen])
        close = np.flatnonzero(((exact > 0) & (exact < 4 * slack)).any(axis=1))
        for start in range(0, len(close), 32):
            some = close[start : start + 32]
            best = np.take_along_axis(grouped[some], place[some][:, :, None], axis=2)
            at, group, slot = np.nonzero(grouped[some] <= best + slack[some][:, :, None])
            if len(at) == exact[some].size:
                continue
            candidate = self._slot[group, slot]
            squared = self._squared(rows[some[at]], candidate)
            cell = at * self.groups + group
            order = np.lexsort((candidate, squared, cell))
            first = order[np.unique(cell[order], return_index=True)[1]]
            exact[some[at[first]], group[first]] = squared[first]
            antigen[some[at[first]], group[first]] = candidate[first]


def winners(nearest: Nearest) -> Index:
    """The nearest antigen over all groups, (n,)."""
    winner: Index = nearest.antigen[np.arange(len(nearest.antigen)), nearest.distance.argmin(axis=1)]
    return winner
