"""How good a detector is: ranking with bootstrap intervals, alert levels, calibration, and an honest grade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunos_tui.immune.table import FloatArray, IntArray

ALPHAS = (0.01, 0.05)
"""Alert levels: the share of self that may be flagged."""

GRADES = ((0.60, "not usable"), (0.75, "weak"), (0.90, "usable"))
"""The feasibility gate: the grade below each lower bound of the AUROC; above the last it is strong."""

STRONG, UNKNOWN = "strong", "unknown"

REPLICATES = 400
_CURVE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_ROC_POINTS = 101
_BINS = 4096
_MANY = 60_000
_FEW = 20

Interval = tuple[float, float]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Level:
    """What happens at one alert level.

    Rows with p <= ``alpha`` are flagged; ``threshold`` is the lowest flagged score in nats (None when none is).
    ``fpr`` is the flagged share of self rows, ``tpr`` that of the others, ``accuracy`` the share judged rightly.
    """

    alpha: float
    threshold: float | None
    fpr: float
    tpr: float | None
    accuracy: float
    flagged: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of one detector on labelled rows; what needs both classes is None where one is missing.

    ``auroc`` and ``aupr`` come with 95 % bootstrap intervals; ``roc`` is (fpr, tpr), ``calibration`` is
    (alpha, share of self rows with p <= alpha), ``ks`` the distance of self's p-values from uniform.
    """

    rows: int
    self_rows: int
    auroc: float | None
    auroc_interval: Interval | None
    aupr: float | None
    aupr_interval: Interval | None
    levels: tuple[Level, ...]
    majority_accuracy: float
    grade: str
    roc: Points
    calibration: Points
    ks: float | None
    seed: int

    @property
    def other_rows(self) -> int:
        return self.rows - self.self_rows

    def as_dict(self) -> dict[str, Any]:
        record = asdict(self)
        record["levels"] = [level.as_dict() for level in self.levels]
        for name in ("roc", "calibration"):
            record[name] = [list(point) for point in record[name]]
        for name in ("auroc_interval", "aupr_interval"):
            record[name] = None if record[name] is None else list(record[name])
        return record


def evaluate(score: ArrayLike, p: ArrayLike, is_self: ArrayLike, seed: int = 0) -> Evaluation:
    """Metrics of scores (n,) and p-values (n,) against the truth (n,) bool.

    A higher score is more foreign. With self rows only, just the false-positive rate and the calibration are given.
    Raises ValueError for no rows, lengths that differ, or scores that are not numbers.
    """
    s, q, own = _checked(score, p, is_self)
    other = ~own
    both = bool(own.any() and other.any())
    ranking = _Ranking.of(s, other) if both else None
    auc_interval, pr_interval = ranking.bootstrap(seed) if ranking else (None, None)
    return Evaluation(
        rows=len(s),
        self_rows=int(own.sum()),
        auroc=ranking.auroc() if ranking else None,
        auroc_interval=auc_interval,
        aupr=ranking.aupr() if ranking else None,
        aupr_interval=pr_interval,
        levels=tuple(_level(alpha, s, q, own) for alpha in ALPHAS),
        majority_accuracy=float(max(own.sum(), other.sum()) / len(s)),
        grade=grade(auc_interval[0] if auc_interval else None),
        roc=ranking.roc() if ranking else (),
        calibration=_calibration(q[own]) if own.any() else (),
        ks=ks_uniform(q[own]) if own.any() else None,
        seed=seed,
    )


def grade(lower_bound: float | None) -> str:
    """The feasibility gate: "not usable", "weak", "usable" or "strong" by the AUROC's lower bound, "unknown" for None."""
    if lower_bound is None:
        return UNKNOWN
    return next((word for limit, word in GRADES if lower_bound < limit), STRONG)


def auroc(score: ArrayLike, is_self: ArrayLike) -> float:
    """The chance that a non-self row scores above a self row, ties counting half (Hanley and McNeil 1982).

    Raises ValueError where one of the classes is missing.
    """
    return _both(score, is_self).auroc()


def aupr(score: ArrayLike, is_self: ArrayLike) -> float:
    """Average precision of the non-self rows: precision summed over the steps of recall, not interpolated.

    Raises ValueError where one of the classes is missing.
    """
    return _both(score, is_self).aupr()


def macro_f1(truth: Sequence[Any] | NDArray[Any], predicted: Sequence[Any] | NDArray[Any]) -> float:
    """The mean over the true classes of F1, the harmonic mean of precision and recall."""
    t, g = np.asarray(truth), np.asarray(predicted)
    values = []
    for name in np.unique(t):
        hits = np.count_nonzero((t == name) & (g == name))
        values.append(2 * hits / (np.count_nonzero(t == name) + np.count_nonzero(g == name)))
    return float(np.mean(values)) if values else 0.0


def ks_uniform(p: ArrayLike) -> float:
    """The Kolmogorov-Smirnov distance of p-values (n,) from the uniform distribution on 0..1."""
    q = np.sort(np.asarray(p, dtype=np.float64))
    n = len(q)
    steps = np.arange(n + 1) / n
    return float(max(np.max(steps[1:] - q), np.max(q - steps[:-1])))


def _checked(score: ArrayLike, p: ArrayLike, is_self: ArrayLike) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    s, q = np.asarray(score, dtype=np.float64), np.asarray(p, dtype=np.float64)
    own = np.asarray(is_self, dtype=bool)
    if not (s.ndim == q.ndim == own.ndim == 1 and len(s) == len(q) == len(own)):
        raise ValueError(f"shapes differ: score {s.shape}, p {q.shape}, is_self {own.shape}")
    if len(s) == 0:
        raise ValueError("there are no rows to evaluate")
    if np.isnan(s).any() or np.isnan(q).any():
        raise ValueError("a score or p-value is not a number")
    return s, q, own


def _both(score: ArrayLike, is_self: ArrayLike) -> _Ranking:
    s, _, own = _checked(score, score, is_self)
    if own.all() or not own.any():
        raise ValueError("both self and other rows are needed")
    return _Ranking.of(s, ~own)


def _level(alpha: float, score: FloatArray, p: FloatArray, own: NDArray[np.bool_]) -> Level:
    flagged = p <= alpha
    count = int(flagged.sum())
    return Level(
        alpha=alpha,
        threshold=float(score[flagged].min()) if count else None,
        fpr=float(flagged[own].mean()) if own.any() else 0.0,
        tpr=float(flagged[~own].mean()) if not own.all() else None,
        accuracy=float((flagged != own).mean()),
        flagged=count,
    )


def _calibration(p: FloatArray) -> Points:
    ordered = np.sort(p)
    share = np.searchsorted(ordered, np.array(_CURVE) + 1e-12, side="right") / len(ordered)
    return tuple((alpha, float(value)) for alpha, value in zip(_CURVE, share, strict=True))


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Rows grouped by equal score, highest first: how many of each class are in each group."""

    positive: IntArray
    negative: IntArray

    @classmethod
    def of(cls, score: FloatArray, other: NDArray[np.bool_]) -> _Ranking:
        _, group = np.unique(-score, return_inverse=True)
        size = int(group.max()) + 1
        positive = np.bincount(group[other], minlength=size).astype(np.int64)
        return cls(positive, np.bincount(group[~other], minlength=size).astype(np.int64))

    def auroc(self) -> float:
        return _auroc(self.positive, self.negative)

    def aupr(self) -> float:
        return _aupr(self.positive, self.negative)

    def roc(self) -> Points:
        """At most 101 corners of the curve, denser where false alarms are few."""
        fpr = np.concatenate([[0.0], np.cumsum(self.negative) / self.negative.sum()])
        tpr = np.concatenate([[0.0], np.cumsum(self.positive) / self.positive.sum()])
        wanted = np.linspace(0.0, 1.0, _ROC_POINTS) ** 2
        chosen = np.unique(np.clip(np.searchsorted(fpr, wanted, side="right") - 1, 0, len(fpr) - 1))
        chosen = np.union1d(chosen[: _ROC_POINTS - 2], [0, len(fpr) - 1])
        return tuple((float(fpr[i]), float(tpr[i])) for i in chosen)

    def bootstrap(self, seed: int) -> tuple[Interval, Interval]:
        """95 % percentile intervals of AUROC and AUPR (Efron 1979), each class drawn anew with its own size.

        Beyond 60 000 rows, 4 096 groups of neighbouring scores are drawn instead of rows, with Poisson counts. With
        fewer than 20 rows of a class the draws cannot show how little is known, so Wilson's lower bound for that many
        rows is kept to: the variance of an AUROC is at most A(1-A)/min(m, n) (van Dantzig 1951).
        """
        rng = np.random.default_rng(seed)
        draw = self._draw_rows if self.positive.sum() + self.negative.sum() <= _MANY else self._draw_groups
        found = np.empty((REPLICATES, 2))
        for index, (positive, negative) in enumerate(draw(rng)):
            found[index] = _auroc(positive, negative), _aupr(positive, negative)
        low, high = np.percentile(found, [2.5, 97.5], axis=0)
        fewest = int(min(self.positive.sum(), self.negative.sum()))
        floors = [_wilson_low(value, fewest) if fewest < _FEW else 1.0 for value in (self.auroc(), self.aupr())]
        return (min(float(low[0]), floors[0]), float(high[0])), (min(float(low[1]), floors[1]), float(high[1]))

    def _draw_rows(self, rng: np.random.Generator) -> Any:
        size = len(self.positive)
        rows = [np.repeat(np.arange(size), counts) for counts in (self.positive, self.negative)]
        for _ in range(REPLICATES):
            yield [np.bincount(row[rng.integers(0, len(row), len(row))], minlength=size) for row in rows]

    def _draw_groups(self, rng: np.random.Generator) -> Any:
        total = np.cumsum(self.positive + self.negative)
        starts = np.unique(np.searchsorted(total, np.linspace(0, total[-1], _BINS, endpoint=False), side="right"))
        groups = [np.add.reduceat(counts, starts) for counts in (self.positive, self.negative)]
        for _ in range(REPLICATES):
            yield [_some(rng.poisson(counts), counts) for counts in groups]


def _wilson_low(share: float, count: int, z: float = 1.96) -> float:
    """The lower end of Wilson's 95 % interval of a share seen in ``count`` cases."""
    centre = share + z * z / (2 * count)
    spread = z * float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    return max(0.0, (centre - spread) / (1 + z * z / count))


def _some(drawn: IntArray, counts: IntArray) -> IntArray:
    return drawn if drawn.any() else counts


def _auroc(positive: IntArray, negative: IntArray) -> float:
    above = np.cumsum(positive) - 0.5 * positive
    return float(negative @ above / (positive.sum() * negative.sum()))


def _aupr(positive: IntArray, negative: IntArray) -> float:
    hits = np.cumsum(positive)
    seen = hits + np.cumsum(negative)
    return float(positive @ (hits / np.maximum(seen, 1)) / hits[-1])
