"""What verdicts teach: confirmed threats and tolerated samples, found again exactly or as near twins.

A cell is a point in the model's vector space with a radius. A threat wins where cells overlap, so a tolerated sample that lies inside
a threat's radius is refused, and its own radius never reaches past half the way to the nearest threat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.antigens import Antigens, Float32
from immunos_tui.immune.table import FloatArray, IntArray
from immunos_tui.model.errors import ConflictError

THREAT, TOLERATED = 1, 2
NEAR = 0.5
"""The radius of a cell in typical distances between neighbouring self rows."""
FARTHEST = 2.0
"""The largest radius of a tolerated cell, in the same unit."""


@dataclass(frozen=True, slots=True)
class Match:
    """For each row the kind of cell it falls into (0 none, THREAT or TOLERATED), that cell, and its distance."""

    kind: NDArray[np.uint8]
    cell: IntArray
    distance: FloatArray


@dataclass(frozen=True, slots=True)
class Memory:
    """The remembered cells: points (c, k) float32, kinds, radii and names, (c,) each. Immutable."""

    points: Float32
    kinds: NDArray[np.uint8]
    radii: FloatArray
    names: tuple[str, ...]

    @classmethod
    def empty(cls, width: int) -> Memory:
        return cls(np.zeros((0, width), dtype=np.float32), np.zeros(0, dtype=np.uint8), np.zeros(0), ())

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def threats(self) -> Float32:
        """The points of the confirmed threats, (t, k)."""
        points: Float32 = self.points[self.kinds == THREAT]
        return points

    def learn_threats(self, points: Float32, names: tuple[str, ...], unit: float, self_distance: FloatArray) -> Memory:
        """With these confirmed threats. A sphere ends half way to the nearest self row, so that it holds no self.

        A tolerated cell that a new threat falls into is shrunk, or forgotten where it is the very same point.
        """
        radii = np.minimum(NEAR * unit, 0.5 * self_distance)
        grown = self._with(points, THREAT, radii, names)
        return grown._give_way()

    def learn_tolerated(
        self, points: Float32, names: tuple[str, ...], unit: float, self_distance: FloatArray
    ) -> Memory:
        """With these tolerated samples. Raises ConflictError, naming the threat, where one lies inside a threat's radius."""
        radii = np.clip(0.5 * self_distance, NEAR * unit, FARTHEST * unit)
        threats = np.flatnonzero(self.kinds == THREAT)
        if len(threats) and len(points):
            nearest, distance = _nearest(points, self.points[threats])
            inside = np.flatnonzero(distance <= self.radii[threats[nearest]])
            if len(inside):
                sample, threat = inside[0], self.names[threats[nearest[inside[0]]]]
                raise ConflictError(
                    f"{names[sample]} cannot be tolerated: it is a near twin of the confirmed threat {threat}.",
                    "Take back that threat's verdict first, if it was wrong.",
                )
        return self._with(points, TOLERATED, radii, names)._give_way()

    def _with(self, points: Float32, kind: int, radii: FloatArray, names: tuple[str, ...]) -> Memory:
        kinds = np.full(len(points), kind, dtype=np.uint8)
        return Memory(
            np.concatenate([self.points, points.astype(np.float32)]),
            np.concatenate([self.kinds, kinds]),
            np.concatenate([self.radii, radii]),
            self.names + names,
        )

    def _give_way(self) -> Memory:
        tolerated = np.flatnonzero(self.kinds == TOLERATED)
        threats = np.flatnonzero(self.kinds == THREAT)
        if not len(tolerated) or not len(threats):
            return self
        nearest, distance = _nearest(self.points[tolerated], self.points[threats])
        radii = self.radii.copy()
        radii[tolerated] = np.minimum(radii[tolerated], 0.5 * distance)
        keep = np.ones(len(self), dtype=bool)
        keep[tolerated] = distance > self.radii[threats[nearest]]
        names = tuple(name for name, kept in zip(self.names, keep, strict=True) if kept)
        return Memory(self.points[keep], self.kinds[keep], radii[keep], names)

    def match(self, rows: Float32) -> Match:
        """Which cell each of ``rows`` (n, k) falls into; threats are looked at first."""
        n = len(rows)
        kind, cell = np.zeros(n, dtype=np.uint8), np.full(n, -1, dtype=np.int64)
        reach = np.full(n, np.inf)
        for wanted in (TOLERATED, THREAT):
            cells = np.flatnonzero(self.kinds == wanted)
            if not len(cells) or not n:
                continue
            inside, nearest, distance = _within(rows, self.points[cells], self.radii[cells])
            kind[inside], cell[inside], reach[inside] = wanted, cells[nearest[inside]], distance[inside]
        return Match(kind, cell, reach)

    def state(self) -> tuple[dict[str, NDArray[Any]], list[str]]:
        return {"points": self.points, "kinds": self.kinds, "radii": self.radii}, list(self.names)

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], names: list[str]) -> Memory:
        return cls(arrays["points"], arrays["kinds"], arrays["radii"], tuple(names))


def _nearest(rows: Float32, points: Float32) -> tuple[IntArray, FloatArray]:
    found = Antigens(points, 1).nearest(np.ascontiguousarray(rows, dtype=np.float32))
    return found.antigen[:, 0], found.distance[:, 0].astype(np.float64)


def _within(rows: Float32, points: Float32, radii: FloatArray) -> tuple[NDArray[np.bool_], IntArray, FloatArray]:
    """Whether each row lies inside a sphere, and the nearest centre; spheres of like radius are searched together."""
    inside = np.zeros(len(rows), dtype=bool)
    nearest = np.zeros(len(rows), dtype=np.int64)
    reach = np.full(len(rows), np.inf)
    classes = np.round(np.log2(np.maximum(radii, 1e-12)) * 2).astype(np.int64)
    for group in np.unique(classes):
        members = np.flatnonzero(classes == group)
        place, distance = _nearest(rows, points[members])
        hit = (distance <= radii[members[place]]) & (distance < reach)
        inside |= hit
        nearest[hit], reach[hit] = members[place[hit]], distance[hit]
    return inside, nearest, reach
