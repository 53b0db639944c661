"""The model of a table's self: nearest antigens in four views, random subspaces and histograms.

``z1``, ``r1``, ``g1`` are distances to the nearest antigen; ``zrat``, ``grat``, ``wrat`` are distances relative to that antigen's own
tolerance (above 1 lies outside every self sphere); ``zsub`` and ``rsub`` average over random subspaces (Ho, "The random subspace
method", 1998); ``h`` sums the surprisal of each value on its own (Goldstein and Dengel, "Histogram-based outlier score", 2012).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.antigens import Antigens, Nearest, winners
from immunos_tui.immune.attribution import MEDIAN, Describer, by_feature, quantiles, row_values, shares_of, sides
from immunos_tui.immune.components import Arrays, Direction, Evidence, Meta, Progress, RowReasons, quiet
from immunos_tui.immune.encode import Encoded, Encoder
from immunos_tui.immune.presets import PRESETS, SIEVE, plan_of
from immunos_tui.immune.projection import LEAST_COLUMNS, Embedding, suits
from immunos_tui.immune.table import FloatArray, IntArray, Table
from immunos_tui.immune.twins import Twins
from immunos_tui.immune.views import Float32, Projection, Views
from immunos_tui.model.errors import UsageError

CHUNK = 2048
"""Rows that are projected at once: the memory of a scan is bounded by this and not by the file."""
TOLERANCE = 0.3
"""Part of the 95 % quantile of tolerances that is added to every antigen's own, so that twins in self do not make a radius of 0."""
ANTIGENS = 2048
"""Antigens where self has no rows to spare."""
PRODUCT = 2048 * 56
"""Antigens times columns that one search may cost: few columns allow more antigens, many columns fewer."""
LOO_ROWS = 2048
"""Self rows beyond the antigens that are scored to calibrate."""
POOL = 20_000
"""Rows that the antigens are chosen from, at most."""
LOO_LEAST = 1000
"""So many other rows suffice to leave the antigens themselves out of the calibration."""
SUBSPACE_WIDTH = 48
"""The most columns of a random subspace."""
RESIDUAL_WEIGHT = 4.0
"""What the length of the residual weighs where columns were projected."""
BONUS = 5.0
"""The most nats added to a row's score where a constant column changed or a closed category got a new value."""


class Subspace:
    """One random choice of columns and of antigens, and the median distance of self rows in it."""

    def __init__(self, view: str, columns: IntArray, members: IntArray, median: float, base: Float32) -> None:
        self.view, self.columns, self.members, self.median = view, columns, members, median
        self._antigens = Antigens(base[members][:, columns], 1)

    def distance(self, rows: Float32, own: IntArray | None = None) -> FloatArray:
        """The distance of each row (n, k) to the nearest member, in units of ``median``; (n,) float64."""
        part = np.take(rows, self.columns, axis=1)
        distance: FloatArray = self._antigens.nearest(part, own).distance[:, 0].astype(np.float64) / self.median
        return distance


class TabularModel:
    """Self, as a table's rows show it. Immutable once made; threads may share it."""

    kind: ClassVar[str] = "tabular"

    def __init__(self, encoder: Encoder, views: Views, embedding: Embedding | None, preset: str, rows: int) -> None:
        self.encoder, self.views, self.embedding = encoder, views, embedding
        self.preset, self.rows = preset, rows
        self.plan = plan_of(preset, embedding is not None)
        self.rows_of_antigens: IntArray = np.zeros(0, dtype=np.int64)
        self.base: dict[str, Float32] = {}
        self.antigens: dict[str, Antigens] = {}
        self.radius: dict[str, FloatArray] = {}
        self.subspaces: tuple[Subspace, ...] = ()
        self.percentiles: FloatArray = np.zeros((0, 0))
        self.twins = Twins(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64))
        self.loo_rows: IntArray = np.zeros(0, dtype=np.int64)
        self._loo: FloatArray = np.zeros((0, len(self.plan.components)))

    @property
    def _medians(self) -> FloatArray:
        medians: FloatArray = self.percentiles[:, MEDIAN]
        return medians

    @property
    def near_rows(self) -> IntArray:
        """The rows that explanations may name as the nearest; a row's exact twin needs no showing."""
        return self.rows_of_antigens

    @property
    def names(self) -> tuple[str, ...]:
        return self.plan.components + (("res",) if self.embedding else ())

    @property
    def weights(self) -> FloatArray:
        """What each component weighs in the score, (c,)."""
        own = list(self.plan.weights.values())
        return np.array([*own, RESIDUAL_WEIGHT] if self.embedding else own, dtype=np.float64)

    @property
    def features(self) -> tuple[str, ...]:
        return self.encoder.features

    @property
    def columns(self) -> tuple[str, ...]:
        return self.encoder.features

    @property
    def exact_loo(self) -> bool:
        """Leave-one-out scores stand for fresh rows only where no single row weighs much in the covariance."""
        columns = len(self.embedding.mean) if self.embedding else self.width
        return self.rows >= 1000 and self.rows >= 20 * columns

    @property
    def width(self) -> int:
        """The number of columns that the views see."""
        return len(self.views.arrays["centre"])

    @classmethod
    def fit(cls, table: Table, *, seed: int, preset: str, progress: Progress = quiet) -> Self:
        return cls._fit(table, seed, preset, progress, None)

    def refit(self, table: Table, *, seed: int, progress: Progress = quiet) -> Self:
        """The same kind of model from other rows: what depends on a look at the data as a whole is not decided again."""
        return self._fit(table, seed, self.preset, progress, self.embedding is not None)

    @classmethod
    def _fit(cls, table: Table, seed: int, preset: str, progress: Progress, project: bool | None) -> Self:
        if preset not in PRESETS:
            raise UsageError(f"There is no preset {preset!r}.", "Choose immune, lite or robust.")
        progress("encode", 0.0, f"{table.rows} rows")
        encoder = Encoder.fit(table)
        if project is None:
            project = (
                encoder.dense and len(encoder.owner) >= LEAST_COLUMNS and suits(encoder.plain().encode(table).matrix)
            )
        encoder = encoder.plain() if project else encoder
        raw = encoder.encode(table).matrix
        embedding = Embedding.fit(raw) if project else None
        matrix, residual = embedding(raw) if embedding else (raw, None)
        progress("encode", 1.0, f"{table.rows} rows, {raw.shape[1]} encoded columns")
        plan = plan_of(preset, project)
        model = cls(encoder, Views.fit(matrix, plan.seen()), embedding, preset, len(matrix))
        model.percentiles = quantiles(encoder, table)
        model.twins = Twins.of(raw)
        model._learn(matrix, residual, np.random.default_rng(seed), progress)
        return model

    def _learn(
        self, matrix: FloatArray, residual: FloatArray | None, rng: np.random.Generator, progress: Progress
    ) -> None:
        count = self._antigen_count()
        seen = self._choose(matrix, count, rng)
        self.rows_of_antigens = seen[:count].copy()
        projection = self.views.project(matrix[seen], True, self.plan.seen())
        own = np.where(np.arange(len(seen)) < count, np.arange(len(seen)), -1)
        found: dict[str, Nearest] = {}
        for step, view in enumerate(self.plan.seen()):
            progress("fit", step / 5, f"antigens in view {view}")
            rows: Float32 = getattr(projection, view)
            self.base[view] = rows[:count].copy()
            if view in self.plan.views():
                self.antigens[view] = Antigens(self.base[view], self.plan.groups)
                found[view] = self.antigens[view].nearest(rows, own)
                self.radius[view] = found[view].distance[:count].mean(axis=1, dtype=np.float64)
        progress("fit", 0.8, "random subspaces")
        subs = self._draw_subspaces(projection, rng)
        # Rows that are no antigens stand for fresh ones best: an antigen's own tolerance is part of its neighbours'.
        skip = count if self.preset != SIEVE and len(seen) - count >= LOO_LEAST else 0
        self.loo_rows = seen[skip:]
        self._loo = self._components(projection, found, subs, None if residual is None else residual[seen])[skip:]
        progress("fit", 1.0, f"{count} antigens")

    def _choose(self, matrix: FloatArray, count: int, rng: np.random.Generator) -> IntArray:
        """Row numbers: ``count`` antigens first, then the rows that the calibration is counted against.

        Those are drawn before the antigens, so that they stand for fresh rows. Half of the antigens are drawn evenly and half
        by their distance to the first half (after k-means++, Arthur and Vassilvitskii 2007), which covers rare self better.
        """
        order = rng.permutation(self.rows)
        if self.preset == SIEVE or self.rows < count + LOO_ROWS:
            return order
        apart, pool = order[:LOO_ROWS], order[LOO_ROWS:][:POOL]
        base, rest = pool[: count // 2], pool[count // 2 :]
        if len(pool) > count:
            z = self.views.project(matrix[pool], views="z").z
            gap = Antigens(z[: len(base)], 1).nearest(z[len(base) :]).distance[:, 0].astype(np.float64)
            # The smallest of exponential waiting times with rates ``gap`` is a draw without replacement by ``gap``.
            waiting = rng.exponential(size=len(rest)) / np.maximum(gap, 1e-12)
            rest = rest[np.argsort(waiting, kind="stable")[: count - len(base)]]
        return np.concatenate([base, rest, apart])

    def _antigen_count(self) -> int:
        """As many antigens as the product's budget allows, leaving enough other rows to calibrate on."""
        wanted = int(np.clip(PRODUCT // max(self.width, 1), *self.plan.antigens))
        return min(max(min(wanted, self.rows - LOO_ROWS), min(wanted, ANTIGENS)), self.rows)

    def _draw_subspaces(self, projection: Projection, rng: np.random.Generator) -> FloatArray:
        """Draw the subspaces; returns the leave-one-out distances of the projected rows in each, (n, T)."""
        made: dict[tuple[str, bytes], Subspace] = {}
        distances = []
        n, k = projection.z.shape
        for view in [name[0] for name in self.names if name.endswith("sub")] if k else []:
            rows: Float32 = getattr(projection, view)
            for _ in range(self.plan.subspaces):
                size = int(min(rng.integers(-(-k // 2), k + 1), SUBSPACE_WIDTH))
                columns = np.sort(rng.choice(k, size, replace=False))
                members = rng.permutation(len(self.base[view]))[: self.plan.subspace_antigens]
                if (view, columns.tobytes()) in made:
                    continue
                own = np.full(n, -1, dtype=np.int64)
                own[members] = np.arange(len(members))
                draft = Subspace(view, columns, members, 1.0, self.base[view])
                distance = draft.distance(rows, own)
                draft.median = float(np.median(distance)) or float(distance.mean()) or 1.0
                made[view, columns.tobytes()] = draft
                distances.append(distance / draft.median)
        self.subspaces = tuple(made.values())
        return np.stack(distances, axis=1) if distances else np.zeros((n, 0))

    def _components(
        self, projection: Projection, found: Mapping[str, Nearest], subs: FloatArray, residual: FloatArray | None
    ) -> FloatArray:
        out = np.zeros((len(projection.z), len(self.names)))
        for j, name in enumerate(self.names):
            if name == "res" and residual is not None:
                out[:, j] = residual
            elif name == "h":
                out[:, j] = projection.surprisal.sum(axis=1, dtype=np.float64)
            elif name.endswith("sub"):
                mine = [i for i, sub in enumerate(self.subspaces) if sub.view == name[0]]
                out[:, j] = subs[:, mine].mean(axis=1) if mine else 0.0
            elif name.endswith("rat"):
                out[:, j] = self._margin(name[0], found[name[0]])
            else:
                out[:, j] = found[name[0]].distance.min(axis=1)
        return out

    def _margin(self, view: str, nearest: Nearest) -> FloatArray:
        """How many times outside its nearest antigen's tolerance a row lies in a view: above 1 is outside."""
        radius = self.radius[view]
        wide = float(np.quantile(radius, 0.95)) or 1.0
        spread = nearest.distance.mean(axis=1, dtype=np.float64)
        margin: FloatArray = spread / (radius[winners(nearest)] + TOLERANCE * wide)
        return margin

    @property
    def _bonus(self) -> float:
        """-ln of the chance that one of the closed features of a fresh self row has a new value, at most BONUS nats."""
        return float(np.clip(np.log((self.rows + 1) / max(self.encoder.closed, 1)), 0.0, BONUS))

    def loo_scores(self) -> FloatArray:
        """Leave-one-out component scores of the rows ``loo_rows`` of the fitted table, (q, c)."""
        return self._loo

    def evidence(self, table: Table) -> Evidence:
        parts = [self._evidence(table.take(slice(s, s + CHUNK))) for s in range(0, max(table.rows, 1), CHUNK)]
        if len(parts) == 1:
            return parts[0]
        detail = {name: np.concatenate([part.detail[name] for part in parts]) for name in parts[0].detail}
        return Evidence(np.concatenate([part.scores for part in parts]), detail)

    def _project(self, table: Table) -> tuple[Encoded, Projection, FloatArray | None]:
        encoded = self.encoder.encode(table)
        if not self.embedding:
            return encoded, self.views.project(encoded.matrix, views=self.plan.seen()), None
        matrix, residual = self.embedding(encoded.matrix)
        return encoded, self.views.project(matrix, views=self.plan.seen()), residual

    def _evidence(self, table: Table) -> Evidence:
        encoded, projection, residual = self._project(table)
        found = {view: self.antigens[view].nearest(getattr(projection, view)) for view in self.plan.views()}
        subs = np.zeros((table.rows, len(self.subspaces)))
        for t, sub in enumerate(self.subspaces):
            subs[:, t] = sub.distance(getattr(projection, sub.view))
        scores = self._components(projection, found, subs, residual)
        changed = encoded.changed
        changed = np.zeros((table.rows, len(self.features)), dtype=bool) if changed is None else changed
        count = changed.sum(axis=1)
        detail: dict[str, NDArray[Any]] = {
            "bonus": np.where(count > 0, self._bonus + np.log(np.maximum(count, 1)), 0.0),
            "changed": changed,
            "side": sides(self.encoder, table, self._medians),
            "surprisal": projection.surprisal,
            "vectors": projection.r,
        }
        if "z" in found:
            detail["nearest"] = winners(found["z"])
            detail["distance"] = found["z"].distance.min(axis=1)
        return Evidence(scores, detail)

    def attribution(self, evidence: Evidence) -> tuple[FloatArray, Direction]:
        detail = evidence.detail
        gap = (detail["vectors"] - self.base["r"][detail["nearest"]]).astype(np.float64) ** 2
        nats = np.maximum(detail["surprisal"] - self.views.arrays["typical"], 0.0)
        if self.embedding:
            gap, nats = self.embedding.back(gap), self.embedding.back(nats)
        owner, count = self.encoder.owner, len(self.features)
        shares = shares_of(
            by_feature(nats, owner, count, np.maximum), by_feature(gap, owner, count, np.add), detail["changed"]
        )
        return shares, detail["side"]

    def reasons(self, table: Table, evidence: Evidence, top: int = 5) -> list[RowReasons]:
        shares, side = self.attribution(evidence)
        values = row_values(table, self.features)
        describer = Describer(self.encoder, self.percentiles)
        twin = self.twins.find(self.encoder.encode(table).matrix)
        ranked = np.argsort(-shares, axis=1, kind="stable")[:, :top]
        out = []
        for i in range(table.rows):
            chosen = [int(j) for j in ranked[i] if shares[i, j] > 0]
            told = tuple(
                describer.reason(self.features[j], values[self.features[j]][i], float(shares[i, j]), int(side[i, j]))
                for j in chosen
            )
            row, distance = int(twin[i]), 0.0
            if row < 0:
                row = int(self.rows_of_antigens[evidence.detail["nearest"][i]])
                distance = float(evidence.detail["distance"][i])
            margin = max(
                (float(evidence.scores[i, j]) for j, n in enumerate(self.names) if n.endswith("rat")), default=0.0
            )
            out.append(RowReasons(told, row, distance, margin))
        return out

    def vectors(self, table: Table) -> Float32:
        """The rows in the robust view r, (n, k) float32."""
        return self._project(table)[1].r

    def state(self) -> tuple[Arrays, Meta]:
        arrays: Arrays = {f"views/{name}": array for name, array in self.views.arrays.items()}
        arrays |= {f"base/{view}": rows for view, rows in self.base.items()}
        arrays |= {f"radius/{view}": radius for view, radius in self.radius.items()}
        for t, sub in enumerate(self.subspaces):
            arrays |= {f"sub{t}/columns": sub.columns, f"sub{t}/members": sub.members}
        if self.embedding:
            arrays |= {f"embedding/{name}": array for name, array in self.embedding.state().items()}
        arrays |= {
            "rows_of_antigens": self.rows_of_antigens,
            "percentiles": self.percentiles,
            "twins/hashes": self.twins.hashes,
            "twins/rows": self.twins.rows,
        }
        subspaces = [[sub.view, sub.median] for sub in self.subspaces]
        meta = {"preset": self.preset, "rows": self.rows, "encoder": self.encoder.state(), "subspaces": subspaces}
        return arrays, meta

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        views = Views({name: arrays[f"views/{name}"] for name in Views.names()})
        embedding = None
        if "embedding/axes" in arrays:
            embedding = Embedding(arrays["embedding/mean"], arrays["embedding/axes"])
        model = cls(Encoder.from_state(meta["encoder"]), views, embedding, meta["preset"], meta["rows"])
        model.base = {view: arrays[f"base/{view}"] for view in model.plan.seen()}
        for view in model.plan.views():
            model.antigens[view] = Antigens(model.base[view], model.plan.groups)
            model.radius[view] = arrays[f"radius/{view}"]
        model.subspaces = tuple(
            Subspace(view, arrays[f"sub{t}/columns"], arrays[f"sub{t}/members"], median, model.base[view])
            for t, (view, median) in enumerate(meta["subspaces"])
        )
        model.rows_of_antigens = arrays["rows_of_antigens"]
        model.percentiles = arrays["percentiles"]
        model.twins = Twins(arrays["twins/hashes"], arrays["twins/rows"])
        return model
