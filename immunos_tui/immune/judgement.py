"""From p-values to results: self, uncertain, non-self or danger, with a confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.components import Direction
from immunos_tui.immune.table import FloatArray, IntArray

ALPHA_HIGH, ALPHA_LOW = 0.05, 0.01
SELF, UNCERTAIN, NON_SELF, DANGER = range(4)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judgement of ``n`` rows, one array entry each.

    ``result`` indexes RESULTS. ``leading`` indexes the detector's features and ``direction`` is +1 above self, -1 below, 0
    unseen; both are -1 and 0 for rows that are self. ``memory`` is 0, 1 for a remembered threat, 2 for a tolerated twin.
    """

    RESULTS: ClassVar[tuple[str, ...]] = ("self", "uncertain", "non_self", "danger")

    score: FloatArray
    p: FloatArray
    result: NDArray[np.uint8]
    confidence: FloatArray
    leading: IntArray
    direction: Direction
    memory: NDArray[np.uint8]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.score)

    def counts(self) -> dict[str, int]:
        """How many rows have each result."""
        found = np.bincount(self.result, minlength=len(self.RESULTS))
        return {name: int(count) for name, count in zip(self.RESULTS, found, strict=True)}


def verdicts(p: FloatArray, threat: NDArray[np.bool_], company: bool) -> NDArray[np.uint8]:
    """The result of each row from its p-value.

    A row that memory knows as a threat is danger; so is every non-self row where ``company`` says that two independent
    signals agree: other rows of the same source are flagged, and more of them than chance allows.
    """
    result = np.full(len(p), SELF, dtype=np.uint8)
    result[p <= ALPHA_HIGH] = UNCERTAIN
    result[p <= ALPHA_LOW] = DANGER if company else NON_SELF
    result[threat] = DANGER
    return result


def confidences(p: FloatArray, result: NDArray[np.uint8]) -> FloatArray:
    """1 - p for anything flagged; for self its typicality, p itself (1 is the most ordinary row of self)."""
    return np.where(result == SELF, p, 1.0 - p)
