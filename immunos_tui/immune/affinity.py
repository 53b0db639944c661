"""The B-cell of a table: how much nearer a row is to confirmed threats than to self.

The affinity is ln((d_self + e) / (d_threat + e)), a smoothed nearest-neighbour likelihood ratio (Cover and Hart 1967): positive
on the threats' side. A handful of labels is enough, since nothing is fitted but the unit ``e``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from immunos_tui.immune.antigens import Antigens, Float32
from immunos_tui.immune.calibration import Surprisal
from immunos_tui.immune.table import FloatArray


class SelfSpace:
    """The reference rows of self (q, k) as vectors, and ``unit``: the typical distance between neighbours."""

    def __init__(self, vectors: Float32) -> None:
        self.vectors = vectors
        self._antigens = Antigens(vectors, 1)
        own = np.arange(len(vectors)) if len(vectors) > 1 else None
        self.loo: FloatArray = self._antigens.nearest(vectors, own).distance[:, 0].astype(np.float64)
        self.unit = float(np.median(self.loo) + 0.05 * self.loo.mean()) or 1e-6

    def distance(self, rows: Float32) -> FloatArray:
        """The distance of each row (n, k) to the nearest reference row of self, (n,)."""
        return self._antigens.nearest(rows).distance[:, 0].astype(np.float64)


@dataclass(frozen=True, slots=True)
class Affinity:
    """Calibrated affinity to confirmed threats."""

    space: SelfSpace
    threats: Antigens
    curve: Surprisal

    @classmethod
    def fit(cls, space: SelfSpace, threats: Float32) -> Affinity:
        """Calibrate on the reference rows, each left out of its own self distance; ``threats`` is (t, k), t >= 1."""
        antigens = Antigens(threats, 1)
        raw = _ratio(space.loo, antigens.nearest(space.vectors).distance[:, 0], space.unit)
        return cls(space, antigens, Surprisal.fit(raw))

    def ratio(self, rows: Float32) -> FloatArray:
        """ln((d_self + e) / (d_threat + e)) of each row, (n,): positive is nearer to a threat than to self."""
        return _ratio(self.space.distance(rows), self.threats.nearest(rows).distance[:, 0], self.space.unit)

    def nats(self, rows: Float32) -> FloatArray:
        """The surprisal of each row's affinity among self, (n,), in nats."""
        return self.curve(self.ratio(rows))

    def reference_nats(self) -> FloatArray:
        """The same for the reference rows, leave-one-out."""
        threat = self.threats.nearest(self.space.vectors).distance[:, 0]
        return self.curve(_ratio(self.space.loo, threat, self.space.unit))


def _ratio(own: FloatArray, threat: Float32, unit: float) -> FloatArray:
    ratio: FloatArray = np.log((own + unit) / (threat.astype(np.float64) + unit))
    return ratio
