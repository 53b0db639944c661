"""From raw component scores to nats of surprise, and from nats to conformal p-values.

Inductive and cross-conformal prediction after Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World" (2005).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.table import FloatArray

TAIL = 0.1
"""The share of self above which a component's surprisal follows an exponential tail instead of counts."""
KNOTS = 512
"""Points of a component's surprisal curve."""
REFERENCE_ROWS = 2000
"""Rows of self that p-values are counted against, at most."""


class Surprisal:
    """How surprising a component's score is among self, in nats: -ln of the share of self at or above it.

    Past the 90 % quantile an exponential tail with self's mean excess goes on, so that order is kept beyond self's maximum.
    """

    def __init__(self, scores: FloatArray, nats: FloatArray, excess: float) -> None:
        self.scores, self.nats, self.excess = scores, nats, excess

    @classmethod
    def fit(cls, scores: FloatArray) -> Surprisal:
        """Learn from the scores of self rows, (n,), n >= 1."""
        ordered = np.sort(np.asarray(scores, dtype=np.float64))
        n = len(ordered)
        above = n - np.searchsorted(ordered, ordered, side="left")
        nats = -np.log((above + 1) / (n + 1))
        edge = float(np.quantile(ordered, 1 - TAIL))
        tail = ordered[ordered > edge] - edge
        spread = float(ordered[-1] - ordered[0])
        excess = float(tail.mean()) if len(tail) else max(0.1 * abs(edge), spread, 1e-6)
        body = ordered < edge
        knots, levels = _thin(ordered[body], nats[body], edge, max(spread, abs(edge)))
        return cls(np.append(knots, edge), np.append(levels, -np.log(TAIL)), max(excess, 1e-9 * max(abs(edge), 1.0)))

    def __call__(self, scores: FloatArray) -> FloatArray:
        """The surprisal of each score, in nats; monotone, continuous, and unbounded above."""
        edge = self.scores[-1]
        nats: FloatArray = np.interp(scores, self.scores, self.nats) + np.maximum(scores - edge, 0) / self.excess
        return nats


def _thin(scores: FloatArray, nats: FloatArray, edge: float, scale: float) -> tuple[FloatArray, FloatArray]:
    """At most KNOTS points with gaps above 1e-5 of the scale, so that rounding cannot move a surprisal."""
    if len(scores) == 0:
        return scores, nats
    pick = np.unique(np.linspace(0, len(scores) - 1, KNOTS).astype(np.int64))
    scores, nats = scores[pick], np.minimum(nats[pick], -np.log(TAIL))
    cell = np.floor((scores - scores[0]) / (1e-5 * scale + 1e-300)) if scale > 0 else np.zeros(len(scores))
    first = np.concatenate([[True], cell[1:] != cell[:-1]]) & (scores < edge - 1e-6 * scale)
    return scores[first], nats[first]


class Calibration:
    """Surprisal curves of the components, and the reference scores of self rows that p-values are counted against."""

    def __init__(self, curves: tuple[Surprisal, ...], reference: FloatArray) -> None:
        self.curves = curves
        self.reference = np.sort(reference)

    def nats(self, components: FloatArray) -> FloatArray:
        """The surprisal of each component score, (n, c)."""
        out = np.empty(components.shape, dtype=np.float64)
        for j, curve in enumerate(self.curves):
            out[:, j] = curve(components[:, j])
        return out

    def p_values(self, score: FloatArray) -> FloatArray:
        """The conformal p-value of each score: the share of self at or above it, counting the row itself."""
        return p_values(self.reference, score)

    def state(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {"reference": self.reference}
        for j, curve in enumerate(self.curves):
            arrays[f"curve{j}"] = np.stack([curve.scores, curve.nats])
        arrays["excess"] = np.array([curve.excess for curve in self.curves])
        return arrays

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]]) -> Calibration:
        excess = arrays["excess"]
        pairs = [arrays[f"curve{j}"] for j in range(len(excess))]
        curves = tuple(Surprisal(pair[0], pair[1], float(excess[j])) for j, pair in enumerate(pairs))
        return cls(curves, arrays["reference"])


def p_values(reference: FloatArray, score: FloatArray) -> FloatArray:
    """(#{reference >= score} + 1) / (#reference + 1), for a sorted reference; a tie within 1e-9 counts as at or above."""
    slack = 1e-9 * (1 + np.abs(score))
    above = len(reference) - np.searchsorted(reference, score - slack, side="left")
    return (above + 1) / (len(reference) + 1)
