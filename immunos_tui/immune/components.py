"""What every detector model offers: raw anomaly scores by component, and why a row got them.

A model knows one kind of data (tables, text, log lines). It yields ``c`` raw component scores a row,
higher meaning more foreign, on any scale of its own. ``Detector`` calibrates and fuses them, turns them into
p-values and alert levels, and keeps the memory of verdicts, in one place for all models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.table import FloatArray, IntArray, Table
from immunos_tui.model.explanation import FeatureReason

Progress = Callable[[str, float, str], None]
"""Called with the stage's name, the fraction of the stage that is done (0..1) and a note such as "800 of 1 000 rows"."""

Direction = NDArray[np.int8]
ABOVE, BELOW, UNSEEN = 1, -1, 0

Arrays = dict[str, NDArray[Any]]
Meta = dict[str, Any]


def quiet(_stage: str, _fraction: float, _note: str) -> None:
    """A progress callback that does nothing."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Raw component scores of ``n`` rows, and what the model needs to say later why.

    ``scores`` is (n, c) float64. Each array of ``detail`` has ``n`` entries along its first axis; a model keeps there
    whatever its ``attribution`` and ``reasons`` read, such as the nearest self row, so that nothing is computed twice.
    """

    scores: FloatArray
    detail: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def take(self, indices: NDArray[Any]) -> Evidence:
        """The evidence of the rows at ``indices``: integers or a boolean mask."""
        return Evidence(self.scores[indices], {name: array[indices] for name, array in self.detail.items()})


@dataclass(frozen=True, slots=True)
class RowReasons:
    """Why one row is foreign: its strongest features, and the self row it is nearest to."""

    reasons: tuple[FeatureReason, ...]
    nearest_row: int = -1
    nearest_distance: float = float("nan")
    margin: float | None = None
    notes: tuple[str, ...] = ()


@runtime_checkable
class ComponentModel(Protocol):
    """A fitted model of self. All methods but ``fit`` leave it unchanged, so threads may share it.

    ``kind`` names the class in an artifact. ``names`` are the components in score order. ``features`` are the names that an
    operator knows, in the order of ``attribution``: the table's columns, or kinds of evidence such as "unseen words".
    ``columns`` are the columns that must be present at scan time. ``exact_loo`` says whether ``loo_scores`` are
    exchangeable with the scores of fresh self rows; where not, the detector refits on parts of self to calibrate.

    Optional: ``weights`` (c,) of the components; ``loo_rows``, the rows that ``loo_scores`` covers where not all; ``refit(table,
    seed=)`` for a model that looks at the data as a whole before it decides how to learn; ``near_rows``, the fitted rows that its
    reasons may name as the nearest. Two arrays of an evidence's detail
    are read by the detector itself: ``bonus`` (n,), nats on top of the score, and ``vectors``, equal to ``vectors(table)``.
    """

    kind: ClassVar[str]

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def features(self) -> tuple[str, ...]: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def exact_loo(self) -> bool: ...

    @classmethod
    def fit(cls, table: Table, *, seed: int, preset: str, progress: Progress = quiet) -> Self:
        """Learn self from every row of ``table``. Raises DataError where it cannot be learned from."""
        ...

    def loo_scores(self) -> FloatArray:
        """Leave-one-out component scores of the fitted rows, (n, c), in the order of the fitted table."""
        ...

    def evidence(self, table: Table) -> Evidence:
        """Component scores of the rows of ``table``; a row's scores do not depend on the other rows."""
        ...

    def attribution(self, evidence: Evidence) -> tuple[FloatArray, Direction]:
        """Shares (n, len(features)), each row summing to 1, and directions: ABOVE, BELOW or UNSEEN."""
        ...

    def reasons(self, table: Table, evidence: Evidence, top: int = 5) -> list[RowReasons]:
        """The material of an explanation for each row of ``table``, whose evidence is given."""
        ...

    def vectors(self, table: Table) -> NDArray[np.float32]:
        """One dense vector a row, (n, k), in which near twins are near: what memory cells are made of."""
        ...

    def state(self) -> tuple[Arrays, Meta]:
        """Everything that ``from_state`` needs: plain arrays (no objects) and a JSON-ready mapping."""
        ...

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """The model that ``state`` described, equal bit for bit. Raises ArtifactError where a part is missing."""
        ...


def leading(shares: FloatArray, direction: Direction) -> tuple[IntArray, Direction]:
    """The feature with the largest share of each row, (n,), and its direction, (n,)."""
    if shares.shape[0] == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int8)
    first = np.argmax(shares, axis=1).astype(np.int64)
    return first, direction[np.arange(len(first)), first]
