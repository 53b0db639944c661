"""The detector: a model of self, calibrated, with a memory of verdicts. The engine's one public door.

nk = Detector.fit(table, preset="immune", seed=0)
nk.score(X); nk.p_values(X); nk.judge(X); nk.explain(X)
nk = nk.remember(threats=X_t, tolerate=X_f); nk.save(path); nk = Detector.load(path)
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunos_tui.immune.affinity import Affinity, SelfSpace
from immunos_tui.immune.artifact import read_artifact, write_artifact
from immunos_tui.immune.calibration import Calibration
from immunos_tui.immune.components import ComponentModel, Evidence, Progress, leading, quiet
from immunos_tui.immune.drift import DriftWatch
from immunos_tui.immune.explain import sentence
from immunos_tui.immune.features.meaning import MeaningModel, has_vectors
from immunos_tui.immune.fitting import Fit, Learned, learn, purge, purge_by_halves
from immunos_tui.immune.fusion import fuse, weights_of
from immunos_tui.immune.judgement import ALPHA_HIGH, ALPHA_LOW, Judgement, confidences, verdicts
from immunos_tui.immune.memory import THREAT, TOLERATED, Match, Memory
from immunos_tui.immune.nearest import SelfRows, near_rows
from immunos_tui.immune.pipelines import model_of, model_of_kind
from immunos_tui.immune.table import FloatArray, IntArray, Kind, Table, as_kinds, as_table
from immunos_tui.immune.views import spread
from immunos_tui.model.errors import ArtifactError, DataError, UsageError
from immunos_tui.model.explanation import Explanation
from immunos_tui.model.text import clean

LEARN_ROWS = 50_000
"""Rows of self, evenly spaced, that a model learns from; more change nothing but the time and the memory."""
LEAST_SIEVED = 8
"""With fewer rows the robust preset sets none aside."""
PRESETS = ("immune", "lite", "robust")
MATCH_NATS = 3.0
"""A remembered threat scores at least this much above self's highest reference score."""
BATCH = 8192

Data = Table | ArrayLike


@dataclass(frozen=True, slots=True)
class _Scored:
    """One pass over a table: evidence, component nats, score and memory match of each row."""

    evidence: Evidence
    nats: FloatArray
    score: FloatArray
    match: Match | None


class Detector:
    """A trained detector. Immutable: ``remember`` returns a new one, and threads may share it.

    ``columns`` are needed at scan time (found by name), ``features`` are what ``Judgement.leading`` counts; ``meta`` says how it was
    trained: rows, seed, preset, pipeline, calibration and its resolution.
    """

    def __init__(
        self,
        model: ComponentModel,
        calibration: Calibration,
        reference: tuple[FloatArray, NDArray[np.float32]],
        rows: IntArray,
        memory: Memory,
        meta: Mapping[str, Any],
        near: SelfRows | None = None,
    ) -> None:
        self.model = model
        self._near = near or SelfRows.empty()
        self.memory = memory
        self.meta: dict[str, Any] = dict(meta)
        self._curves = calibration.curves
        self._reference = reference
        self._rows = rows
        self._space = SelfSpace(reference[1]) if len(memory) else None
        self._affinity: Affinity | None = None
        base = reference[0]
        if self._space is not None and len(memory.threats):
            self._affinity = Affinity.fit(self._space, memory.threats)
            base = base + self._affinity.reference_nats()
        self.calibration = Calibration(self._curves, base)

    @classmethod
    def fit(
        cls,
        data: Data,
        preset: str = "immune",
        seed: int = 0,
        *,
        pipeline: str = "tabular",
        groups: ArrayLike | None = None,
        row_numbers: ArrayLike | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn self from a table or an (n, d) array of numbers.

        A table of texts that comes with their dense vectors (``with_vectors``) is judged by both.
        ``preset``: immune (most accurate), lite (fastest), robust (the data may hold foreign rows). ``groups`` (n,) says which
        rows are near copies of each other; ``row_numbers`` (n,) are what explanations call the rows, else 0 to n - 1. Raises
        DataError for data that nothing can be learned from, UsageError for an unknown preset or pipeline.
        """
        if preset not in PRESETS:
            raise UsageError(f"There is no preset {preset!r}.", f"Choose one of {', '.join(PRESETS)}.")
        model_class, tell = model_of(pipeline), progress or quiet
        table = as_table(data)
        if table.rows == 0 or not table.columns:
            raise DataError("There is nothing to learn from: no rows of self, or no columns.")
        kept = spread(table.rows, LEARN_ROWS)
        used = table if len(kept) == table.rows else table.take(kept)
        inner = "immune" if preset == "robust" else preset
        fit: Fit = partial(model_class.fit, seed=seed, preset=inner, progress=tell)
        if has_vectors(table):
            fit = partial(MeaningModel.fit_over, model_class, seed=seed, preset=inner, progress=tell)
        dirty = preset == "robust" and used.rows >= LEAST_SIEVED
        by_halves = partial(purge_by_halves, seed=seed, fit=fit)
        sieve = (partial(purge, seed=seed) if model_class.kind == "tabular" else by_halves) if dirty else None
        known = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)[kept]
        learned = learn(used, fit, seed, sieve=sieve, groups=known, progress=tell)
        rows = kept[learned.rows]
        if row_numbers is not None:
            rows = np.asarray(row_numbers, dtype=np.int64)[rows]
        meta = {"preset": preset, "seed": int(seed), "pipeline": pipeline, **_about(learned, table)}
        memory = Memory.empty(learned.vectors.shape[1])
        places = near_rows(learned.model)
        near = SelfRows.of(used.take(learned.rows[places]), places)
        return cls(learned.model, learned.calibration, (learned.score, learned.vectors), rows, memory, meta, near)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that must be present at scan time."""
        return self.model.columns

    @property
    def features(self) -> tuple[str, ...]:
        """The names that ``Judgement.leading`` indexes."""
        return self.model.features

    @property
    def kinds(self) -> tuple[tuple[str, Kind], ...]:
        """Name and kind of each column that the detector was trained on, in the training data's order."""
        return tuple((name, kind) for name, kind in self.meta["columns"])

    @property
    def has_vectors(self) -> bool:
        """Whether the detector needs the dense vectors of texts beside the texts (``with_vectors``)."""
        return any(kind == "vector" for _, kind in self.kinds)

    @property
    def summary(self) -> str:
        """One sentence: what was learned, how it is calibrated, and what it remembers."""
        meta = self.meta
        rows = f"{meta['learned_rows']:,}".replace(",", " ")
        what, of_them = f"{meta['preset']} detector of {len(self.features)} features", "of them"
        if "labels" in meta:
            what, of_them = f"labelled detector that tells {len(meta['labels'])} labels apart", "rows of self"
        if "embedding" in meta:
            what += f", with vectors of {clean(meta['embedding']['model'], 80)}"
        text = f"{what}, learned from {rows} rows of self"
        text += f", calibrated on {meta['reference_rows']} {of_them} by {meta['calibration']}"
        if meta["resolution"] > ALPHA_LOW:
            text += f" (too few for the 1 % level: the smallest p-value is {meta['resolution']:.2g})"
        if len(self.memory):
            threats = int(np.count_nonzero(self.memory.kinds == THREAT))
            text += f"; remembers {threats} threats and {len(self.memory) - threats} tolerated samples"
        return text + "."

    def score(self, data: Data) -> FloatArray:
        """How foreign each row is, (n,) float64 in nats; higher is more foreign, and no row's score depends on another."""
        return self._by_batch(data)[0]

    def p_values(self, data: Data) -> FloatArray:
        """The conformal p-value of each row, (n,): the share of self that is at least as foreign."""
        return self._by_batch(data)[1]

    def _by_batch(self, data: Data) -> tuple[FloatArray, FloatArray]:
        table = self._prepared(data)
        score = np.empty(table.rows)
        for start in range(0, table.rows, BATCH):
            score[start : start + BATCH] = self._pass(table.take(slice(start, start + BATCH))).score
        return score, self.calibration.p_values(score)

    def judge(self, data: Data, watch: DriftWatch | None = None) -> Judgement:
        """Judge each row in one pass: score, p-value, result, confidence and, for flagged rows, the leading feature.

        ``watch`` counts the p-values of a source that comes in batches; without it this batch is the whole source.
        """
        table = self._prepared(data)
        watch = watch or DriftWatch(len(self._reference[0]))
        n = table.rows
        parts = [self._judge_part(table.take(slice(s, s + BATCH)), watch) for s in range(0, n, BATCH)]
        if not parts:
            parts = [self._judge_part(table, watch)]
        score, p, leading, direction, memory = (np.concatenate(column) for column in zip(*parts, strict=True))
        result = verdicts(p, memory == THREAT, watch.crowded)
        return Judgement(
            score, p, result, confidences(p, result), leading, direction, memory, self.notes(as_table(data))
        )

    def _judge_part(self, table: Table, watch: DriftWatch) -> tuple[NDArray[Any], ...]:
        scored = self._pass(table)
        p = self.calibration.p_values(scored.score)
        watch.add(p)
        memory = scored.match.kind if scored.match else np.zeros(table.rows, dtype=np.uint8)
        first = np.full(table.rows, -1, dtype=np.int64)
        side = np.zeros(table.rows, dtype=np.int8)
        flagged = np.flatnonzero((p <= ALPHA_HIGH) | (memory == THREAT))
        if len(flagged):
            first[flagged], side[flagged] = leading(*self.model.attribution(scored.evidence.take(flagged)))
        return scored.score, p, first, side, memory

    def explain(self, data: Data) -> list[Explanation]:
        """Why each row is as foreign as it is: plain words, top features, nearest self row, margin, memory match."""
        table = self._prepared(data)
        out: list[Explanation] = []
        for start in range(0, table.rows, BATCH):
            part = table.take(slice(start, start + BATCH))
            scored = self._pass(part)
            for i, why in enumerate(self.model.reasons(part, scored.evidence)):
                fired = [
                    n for n, nats in zip(self.model.names, scored.nats[i], strict=True) if nats > -np.log(ALPHA_LOW)
                ]
                told = self._told(scored.match, i)
                nearest = int(self._rows[why.nearest_row]) if why.nearest_row >= 0 else -1
                margin = float(why.margin or 0.0)
                out.append(
                    Explanation(
                        sentence=sentence(why.reasons, margin, told),
                        reasons=why.reasons,
                        margin=margin,
                        nearest_row=nearest,
                        nearest_distance=why.nearest_distance,
                        components=tuple(fired),
                        memory=told,
                        notes=why.notes,
                        nearest_text=self._near.told(why.nearest_row, [reason.name for reason in why.reasons]),
                    )
                )
        return out

    def _told(self, match: Match | None, row: int) -> str:
        if match is None or match.kind[row] == 0:
            return ""
        name = self.memory.names[int(match.cell[row])]
        exact = "the same as" if match.distance[row] == 0 else "a near twin of"
        what = "the confirmed threat" if match.kind[row] == THREAT else "the tolerated sample"
        return f"{exact} {what} {name}"

    def remember(
        self,
        threats: Data | None = None,
        tolerate: Data | None = None,
        *,
        threat_names: Sequence[str] | None = None,
        tolerate_names: Sequence[str] | None = None,
    ) -> Detector:
        """A new detector that also knows these rows: threats alert from now on, tolerated ones and their near twins do not.

        A threat wins where the two are near twins: raises ConflictError, naming the threat, for a row that lies inside a
        threat's radius. Names are how they are told apart in explanations ("issue 12").
        """
        space = self._space or SelfSpace(self._reference[1])
        memory = self.memory
        if threats is not None:
            points, names = self._points(threats, threat_names, "threat")
            memory = memory.learn_threats(points, names, space.unit, space.distance(points))
        if tolerate is not None:
            points, names = self._points(tolerate, tolerate_names, "tolerated sample")
            memory = memory.learn_tolerated(points, names, space.unit, space.distance(points))
        calibration = Calibration(self._curves, self._reference[0])
        return Detector(self.model, calibration, self._reference, self._rows, memory, self.meta, self._near)

    def _points(
        self, data: Data, names: Sequence[str] | None, word: str
    ) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        points = self.model.vectors(self._prepared(data))
        if names is not None and len(names) != len(points):
            raise UsageError(f"{len(names)} names were given for {len(points)} rows.")
        first = len(self.memory) + 1
        return points, tuple(names) if names is not None else tuple(f"{word} {first + i}" for i in range(len(points)))

    def notes(self, data: Data) -> tuple[str, ...]:
        """What is unusual about a table's columns without being an error: extra ones are ignored, and said."""
        if not isinstance(data, Table):
            return ()
        extra = [name for name in data.names if name not in self.columns]
        if not extra:
            return ()
        shown = ", ".join(extra[:5]) + (", ..." if len(extra) > 5 else "")
        return (f"{len(extra)} columns that the detector was not trained on were ignored: {shown}.",)

    def _prepared(self, data: Data) -> Table:
        """The trained columns of ``data``; an array's columns are taken in the training data's order."""
        if isinstance(data, Table):
            return as_kinds(data, self.kinds)
        names = tuple(name for name, _ in self.kinds)
        array = np.asarray(data)
        if array.ndim == 2 and array.shape[1] != len(names):
            raise DataError(f"The array has {array.shape[1]} columns; the detector was trained on {len(names)}.")
        return Table.from_array(data, names)

    def _pass(self, table: Table) -> _Scored:
        evidence = self.model.evidence(table)
        nats = self.calibration.nats(evidence.scores)
        score = fuse(nats, weights_of(self.model))
        if "bonus" in evidence.detail:
            score = score + evidence.detail["bonus"]
        if not len(self.memory):
            return _Scored(evidence, nats, score, None)
        vectors = evidence.detail["vectors"] if "vectors" in evidence.detail else self.model.vectors(table)
        if self._affinity is not None:
            score = score + self._affinity.nats(vectors)
        match = self.memory.match(vectors)
        reference = self.calibration.reference
        score = np.where(match.kind == THREAT, np.maximum(score, reference[-1] + MATCH_NATS), score)
        score = np.where(match.kind == TOLERATED, np.minimum(score, reference[len(reference) // 2]), score)
        return _Scored(evidence, nats, score, match)

    def save(self, path: str | os.PathLike[str], about: Mapping[str, Any] | None = None) -> Path:
        """Write ``path``.npz and ``path``.json atomically; ``about`` adds metrics and the like to the manifest."""
        arrays, model_meta = self.model.state()
        stored = {f"model/{name}": array for name, array in arrays.items()}
        stored |= {
            f"calibration/{name}": array for name, array in Calibration(self._curves, np.zeros(0)).state().items()
        }
        cells, names = self.memory.state()
        stored |= {f"memory/{name}": array for name, array in cells.items()}
        stored |= {"reference/score": self._reference[0], "reference/vectors": self._reference[1], "rows": self._rows}
        near, near_names = self._near.state()
        stored |= {f"near/{name}": array for name, array in near.items()}
        meta = {
            "kind": self.model.kind,
            "model": model_meta,
            "memory": names,
            "detector": self.meta,
            "near": near_names,
        }
        return write_artifact(path, stored, meta, {"detector": self.meta, **(about or {})})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Detector:
        """The detector that ``save`` wrote, equal bit for bit. Raises ArtifactError on any mismatch."""
        arrays, meta, _ = read_artifact(path)
        try:
            model = model_of_kind(meta["kind"]).from_state(_under(arrays, "model/"), meta["model"])
            calibration = Calibration.from_state(_under(arrays, "calibration/"))
            reference = (arrays["reference/score"], arrays["reference/vectors"])
            memory = Memory.from_state(_under(arrays, "memory/"), meta["memory"])
            near = SelfRows.from_state(_under(arrays, "near/"), meta["near"])
            return cls(model, calibration, reference, arrays["rows"], memory, meta["detector"], near)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ArtifactError(f"The artifact {path} lacks a part: {error}.", "Train the agent again.") from error


def _about(learned: Learned, table: Table) -> dict[str, Any]:
    return {
        "rows": int(table.rows),
        "learned_rows": len(learned.rows),
        "set_aside": learned.set_aside,
        "columns": [[column.name, column.kind] for column in table.columns],
        "calibration": learned.method,
        "reference_rows": len(learned.score),
        "resolution": 1.0 / (len(learned.score) + 1),
        "components": list(learned.model.names),
    }


def _under(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
