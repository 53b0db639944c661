"""Is this source still the self that was learned? A sign that stands beside the confidence, or replaces it.

Attacks rarely exceed half a batch, so a median p-value far below self's 0.5 means either a flood or drift; only rows that are known
to be normal can tell which, and only they make the calibration void.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunos_tui.immune.judgement import ALPHA_HIGH, ALPHA_LOW

State = Literal["none", "suspected", "void"]

LOW_MEDIAN = 0.35
"""A batch whose median p-value is below this is suspect; self gives 0.5."""
LEAST_ROWS = 20
"""Fewer rows than this say nothing about drift."""
SIGMAS = 3.09
"""The 99.9 % one-sided bound of a normal distribution."""


@dataclass(frozen=True, slots=True)
class DriftSign:
    """What a batch says about drift, in numbers and in words.

    ``expected`` rows would be flagged at 1 % were all normal, ``flagged`` were; ``rate`` is the share of (known normal, where
    known) rows with p <= 0.05 and ``bound`` the most that chance explains.
    """

    state: State
    sentence: str
    rows: int
    flagged: int
    expected: float
    rate: float
    bound: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class DriftWatch:
    """Counts p-values batch by batch in constant memory.

    ``reference`` is the number of self rows that the p-values were counted against (0 for many): few of them make the
    rate itself uncertain.
    """

    def __init__(self, reference: int = 0, declared_normal: bool = False) -> None:
        self._spread = 1.0 / reference if reference else 0.0
        self._declared = declared_normal
        self.rows = self.low = self.high = self.flagged = 0
        self._own = self._own_high = 0

    def add(self, p: ArrayLike, is_self: ArrayLike | None = None) -> None:
        """Count a batch of p-values (n,); ``is_self`` (n,) bool says which rows are known to be normal."""
        values = np.asarray(p, dtype=np.float64)
        self.rows += len(values)
        self.low += int(np.count_nonzero(values < LOW_MEDIAN))
        high = values <= ALPHA_HIGH
        self.high += int(np.count_nonzero(high))
        self.flagged += int(np.count_nonzero(values <= ALPHA_LOW))
        own: NDArray[np.bool_] | None = None
        if is_self is not None:
            own = np.asarray(is_self, dtype=bool)
        elif self._declared:
            own = np.ones(len(values), dtype=bool)
        if own is not None:
            self._own += int(np.count_nonzero(own))
            self._own_high += int(np.count_nonzero(high & own))

    def bound(self, rows: int) -> float:
        """The largest share of p <= 0.05 among ``rows`` normal rows that chance explains (99.9 %)."""
        variance = ALPHA_HIGH * (1 - ALPHA_HIGH) * (1 / max(rows, 1) + self._spread)
        return ALPHA_HIGH + SIGMAS * float(np.sqrt(variance)) + 1 / max(rows, 1)

    @property
    def crowded(self) -> bool:
        """True where more rows have p <= 0.05 than three sigma of chance allow, and another one is flagged as well."""
        expected = ALPHA_HIGH * self.rows
        sigma = float(np.sqrt(ALPHA_HIGH * (1 - ALPHA_HIGH) * self.rows))
        return self.flagged >= 2 and self.high > expected + 3 * sigma

    def sign(self) -> DriftSign:
        """The sign for all rows counted so far."""
        known = self._own > 0
        rows, high = (self._own, self._own_high) if known else (self.rows, self.high)
        rate, bound = high / rows if rows else 0.0, self.bound(rows)
        state: State = "none"
        if known and rows >= LEAST_ROWS and rate > bound:
            state = "void"
        elif self.rows >= LEAST_ROWS and self.low > self.rows / 2 + SIGMAS * np.sqrt(self.rows) / 2:
            state = "suspected"
        expected = ALPHA_LOW * self.rows
        return DriftSign(state, self._words(state, rate, rows), self.rows, self.flagged, expected, rate, bound)

    def _words(self, state: State, rate: float, rows: int) -> str:
        if self.rows == 0:
            return "No rows were scanned."
        normal = f"about {_count(ALPHA_LOW * self.rows)} of {_count(self.rows)} would be flagged were all normal; "
        normal += f"{_count(self.flagged)} were"
        if state == "void":
            return f"Calibration void, retrain: {rate:.1%} of {_count(rows)} normal rows fall under the 5 % level; {normal}."
        if state == "suspected":
            share = self.high / self.rows
            much = "half" if 0.4 <= share <= 0.6 else f"{share:.0%}"
            return f"{much[:1].upper()}{much[1:]} of this batch is foreign: attack or drift? {normal[:1].upper()}{normal[1:]}."
        return f"{normal[:1].upper()}{normal[1:]}."


def drift(
    p_values: ArrayLike, declared_normal: bool = False, is_self: ArrayLike | None = None, reference: int = 0
) -> DriftSign:
    """The drift sign of one batch of p-values (n,)."""
    watch = DriftWatch(reference, declared_normal)
    watch.add(p_values, is_self)
    return watch.sign()


def _count(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ")
