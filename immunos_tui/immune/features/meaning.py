"""Dense vectors of texts as a further view: how far a text's meaning lies from that of every self text.

The vectors come with the table, as a column of the kind ``vector``; who made them does not matter here. ``meaning`` is the cosine
distance to the nearest self text, ``company`` the mean distance to the ten nearest. With real sentence embeddings these did better
than principal components, residuals and Mahalanobis distances: the first for spam and log lines, the second for moods.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.components import (
    ABOVE,
    Arrays,
    ComponentModel,
    Direction,
    Evidence,
    Meta,
    Progress,
    RowReasons,
    quiet,
)
from immunos_tui.immune.fusion import weights_of
from immunos_tui.immune.nearest import near_rows
from immunos_tui.immune.table import Column, FloatArray, IntArray, Table
from immunos_tui.model.errors import ArtifactError, DataError
from immunos_tui.model.explanation import FeatureReason

VECTORS = "(text vectors)"
"""The column that holds the dense vectors of a table's texts."""
ANTIGENS = 2048
"""Self texts whose vectors are kept, at most."""
COMPANY = 10
"""Self texts whose mean distance is the second component."""
WEIGHT = 0.5
"""What each of the two weighs: together as much as one component of the wording."""
BLOCK = 256
"""Rows of one matrix product. The shape never varies, so that a row's product does not depend on its neighbours."""
LEAST_USUAL = 0.01
"""The least distance that a margin counts in: self may be made of copies."""
ROUNDING = 1e-6
"""A cosine distance below it is that of a copy."""
FEATURE = "meaning"
_NAMES = ("meaning", "company")


def with_vectors(table: Table, vectors: Any, which: Sequence[int] | None = None) -> Table:
    """The table with the (m, k) vectors of its texts as a further column.

    ``which`` (n,) says which of the vectors each row has, by default its own. Raises DataError where the numbers do not fit.
    """
    try:
        found = np.asarray(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError("What came is no (texts, numbers) of vectors.", "Is it an embedding model?") from error
    if found.ndim != 2 or found.shape[1] < 2 or not np.isfinite(found).all():
        raise DataError(f"Numbers of the shape {found.shape} are no vectors of texts.", "Is it an embedding model?")
    own = which is None or (len(which) == len(found) and list(which) == list(range(len(found))))
    rows = found if own else found[np.asarray(which, dtype=np.int64)]
    return Table((*table.columns, Column(VECTORS, "vector", rows)))


def with_flat_vectors(table: Table, flat: array[float], count: int, which: Sequence[int]) -> Table:
    """The same from ``count`` vectors one after another in an array of floats, which costs little memory."""
    if not count:
        return Table((*table.columns, Column(VECTORS, "vector", np.zeros((0, 2), dtype=np.float32))))
    return with_vectors(table, np.frombuffer(flat, dtype=np.float32).reshape(count, -1), which)


def has_vectors(table: Table) -> bool:
    """Whether the texts of a table come with dense vectors."""
    return any(column.name == VECTORS and column.kind == "vector" for column in table.columns)


def vectors_of(table: Table, width: int) -> NDArray[np.float32]:
    """The (n, width) vectors of a table's texts. Raises DataError where they are missing or of another length."""
    column = table.column(VECTORS)
    if column.kind != "vector":
        raise DataError(f"Column {VECTORS!r} holds {column.kind} values where vectors are expected.")
    found: NDArray[np.float32] = column.values
    if len(found) and found.shape[1] != width:
        raise DataError(
            f"The vectors have {found.shape[1]} numbers; the detector was trained on {width}.",
            "Use the embedding model that it was trained with, or train it again.",
        )
    return found.reshape(-1, width)


class DenseSelf:
    """Self as a set of ``m`` unit vectors (m, k), which were the rows ``rows`` (m,) of the data. Immutable once made."""

    def __init__(self, antigens: NDArray[np.float32], rows: IntArray) -> None:
        self.antigens, self.rows = np.ascontiguousarray(antigens), rows
        self._product = np.ascontiguousarray(antigens.T)

    @classmethod
    def fit(cls, vectors: NDArray[np.float32], seed: int, first: IntArray | None = None) -> DenseSelf:
        """Learn from the vectors of self texts, (n, k) with n >= 2; ``first`` are the first rows of the different ones."""
        different = _different(vectors)[0] if first is None else first
        rows = np.sort(np.random.default_rng([seed, 17]).permutation(different)[:ANTIGENS])
        return cls(_unit(vectors[rows]), rows)

    @property
    def width(self) -> int:
        """The length of a vector, k."""
        return int(self.antigens.shape[1])

    def distances(self, vectors: NDArray[np.float32], own: IntArray | None = None) -> tuple[FloatArray, IntArray]:
        """The components (n, 2) and the nearest self row (n,) of vectors (n, k); ``own`` (n,) are the rows they are of self."""
        unit, n, company = _unit(vectors), len(vectors), max(1, min(COMPANY, len(self.rows) - 1))
        mine = None if own is None else self._antigens_of(own)
        out, nearest = np.empty((n, 2)), np.empty(n, dtype=np.int64)
        block = np.zeros((BLOCK, self.width), dtype=np.float32)
        for start in range(0, n, BLOCK):
            part = slice(start, min(start + BLOCK, n))
            block[: part.stop - start] = unit[part]
            similar = (block @ self._product)[: part.stop - start]
            if mine is not None:
                inside = np.flatnonzero(mine[part] >= 0)
                similar[inside, mine[part][inside]] = -1.0
            nearest[part] = similar.argmax(axis=1)
            closest = np.partition(similar, -company, axis=1)[:, -company:].astype(np.float64)
            out[part, 0], out[part, 1] = 1.0 - closest.max(axis=1), 1.0 - np.sort(closest, axis=1).mean(axis=1)
        return np.where(out < ROUNDING, 0.0, out), self.rows[nearest]

    def _antigens_of(self, own: IntArray) -> IntArray:
        place = np.minimum(np.searchsorted(self.rows, own), len(self.rows) - 1)
        return np.where(self.rows[place] == own, place, -1)

    def state(self) -> Arrays:
        return {"antigens": self.antigens, "rows": self.rows}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]]) -> DenseSelf:
        return cls(arrays["antigens"], arrays["rows"])


def _different(vectors: NDArray[np.float32]) -> tuple[IntArray, IntArray]:
    """The first row of each different vector, in order, and how many rows have it."""
    place: dict[bytes, int] = {}
    which = np.array(
        [place.setdefault(hashlib.blake2b(row.tobytes(), digest_size=16).digest(), i) for i, row in enumerate(vectors)],
        dtype=np.int64,
    )
    first, copies = np.unique(which, return_counts=True)
    return first, copies


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    unit: NDArray[np.float32] = (vectors / np.where(length > 0, length, 1.0)[:, None]).astype(np.float32)
    return unit


class MeaningModel:
    """A model of self texts, with their dense vectors as two further components."""

    kind: ClassVar[str] = "meaning"

    def __init__(self, base: ComponentModel, dense: DenseSelf, loo: FloatArray, loo_rows: IntArray, rows: int) -> None:
        self.base, self.dense, self.rows = base, dense, rows
        self._loo, self.loo_rows = loo, loo_rows
        middle, high = np.quantile(loo, [0.5, 0.99], axis=0)
        self._middle, self._high = middle, high
        self._span = np.maximum(high - middle, 1e-9 + 0.05 * np.abs(high))
        self.rare_is_self = bool(getattr(base, "rare_is_self", False))

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.base.names, *_NAMES)

    @property
    def near_rows(self) -> IntArray:
        """The rows that explanations may name as the nearest, by wording or by meaning."""
        return np.union1d(near_rows(self.base), self.dense.rows)

    @property
    def weights(self) -> FloatArray:
        """What each component weighs, (c,)."""
        own = weights_of(self.base)
        return np.concatenate([np.ones(len(self.base.names)) if own is None else own, np.full(len(_NAMES), WEIGHT)])

    @property
    def features(self) -> tuple[str, ...]:
        return (*self.base.features, FEATURE)

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.base.columns, VECTORS)

    @property
    def exact_loo(self) -> bool:
        return self.base.exact_loo

    @classmethod
    def fit(cls, table: Table, *, seed: int, preset: str, progress: Progress = quiet) -> Self:
        """Refused: raises DataError, since the vectors are a further view of a model that must be named."""
        raise DataError("Vectors alone are no pipeline of texts.", "Use fit_over.")

    @classmethod
    def fit_over(
        cls, model: type[ComponentModel], table: Table, *, seed: int, preset: str, progress: Progress = quiet
    ) -> Self:
        """Learn self from texts and their vectors; ``model`` is the class that learns from the texts alone."""
        base = model.fit(table.drop([VECTORS]), seed=seed, preset=preset, progress=progress)
        first, copies = _different(table.column(VECTORS).values)
        dense = DenseSelf.fit(table.column(VECTORS).values, seed, first)
        rows: IntArray = np.asarray(getattr(base, "loo_rows", np.arange(table.rows)), dtype=np.int64)
        # The twin of a copy is no stranger to it: only a row without one leaves itself out.
        alone = np.isin(rows, first[copies == 1])
        components, _ = dense.distances(table.column(VECTORS).values[rows], np.where(alone, rows, -1))
        return cls(base, dense, np.concatenate([base.loo_scores(), components], axis=1), rows, table.rows)

    def loo_scores(self) -> FloatArray:
        return self._loo

    def evidence(self, table: Table) -> Evidence:
        found = self.base.evidence(table.drop([VECTORS]))
        components, nearest = self.dense.distances(vectors_of(table, self.dense.width))
        detail = {f"base/{name}": array for name, array in found.detail.items()} | {"meant": nearest}
        # What the detector itself reads keeps its name.
        detail |= {name: found.detail[name] for name in ("bonus", "vectors") if name in found.detail}
        return Evidence(np.concatenate([found.scores, components], axis=1), detail)

    def _of_base(self, evidence: Evidence) -> Evidence:
        own = {name[5:]: array for name, array in evidence.detail.items() if name.startswith("base/")}
        return Evidence(evidence.scores[:, : len(self.base.names)], own)

    def _share(self, evidence: Evidence) -> FloatArray:
        """The part of the whole evidence that the vectors are, (n,)."""
        excess = np.maximum((evidence.scores - self._middle) / self._span, 0.0)
        cut = len(self.base.names)
        meant, rest = excess[:, cut:].max(axis=1), excess[:, :cut].sum(axis=1)
        share: FloatArray = meant / np.maximum(meant + rest, 1e-12)
        return share

    def attribution(self, evidence: Evidence) -> tuple[FloatArray, Direction]:
        shares, direction = self.base.attribution(self._of_base(evidence))
        part = self._share(evidence)[:, None]
        above = np.full((len(part), 1), ABOVE, dtype=np.int8)
        return np.concatenate([shares * (1 - part), part], axis=1), np.concatenate([direction, above], axis=1)

    def reasons(self, table: Table, evidence: Evidence, top: int = 5) -> list[RowReasons]:
        told = self.base.reasons(table.drop([VECTORS]), self._of_base(evidence), top)
        parts = self._share(evidence)
        return [self._with_meaning(why, evidence, i, float(parts[i]), top) for i, why in enumerate(told)]

    def _with_meaning(self, why: RowReasons, evidence: Evidence, row: int, share: float, top: int) -> RowReasons:
        if share <= 0:
            return why
        cut = len(self.base.names)
        near, usual = float(evidence.scores[row, cut]), float(self._high[cut])
        rank = 100.0 * float((self._loo[:, cut] < near).mean())
        alike, least = f"{max(0.0, 1 - near):.0%} like the nearest", f"99 %: at least {1 - usual:.0%}"
        reason = FeatureReason(FEATURE, alike, "below", least, share, rank)
        rest = [replace(item, share=item.share * (1 - share)) for item in why.reasons]
        ranked = sorted([*rest, reason], key=lambda item: -item.share)[:top]
        margin = max(why.margin or 0.0, near / max(usual, LEAST_USUAL))
        if ranked[0] is not reason:
            return replace(why, reasons=tuple(ranked), margin=margin)
        return RowReasons(tuple(ranked), int(evidence.detail["meant"][row]), near, margin, why.notes)

    def vectors(self, table: Table) -> NDArray[np.float32]:
        """Near twins are near in their wording: a verdict about a text says little about others of its meaning."""
        return self.base.vectors(table.drop([VECTORS]))

    def state(self) -> tuple[Arrays, Meta]:
        arrays, meta = self.base.state()
        packed: Arrays = {f"base/{name}": array for name, array in arrays.items()}
        packed |= {f"dense/{name}": array for name, array in self.dense.state().items()}
        packed |= {"loo": self._loo, "loo_rows": self.loo_rows}
        return packed, {"base": self.base.kind, "model": meta, "rows": self.rows}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        from immunos_tui.immune.pipelines import model_of_kind  # noqa: PLC0415 - which loads this module by its name

        parts: dict[str, Arrays] = {"base": {}, "dense": {}}
        for name, values in arrays.items():
            owner, _, rest = name.partition("/")
            if rest:
                parts[owner][rest] = values
        try:
            base = model_of_kind(meta["base"]).from_state(parts["base"], meta["model"])
            dense = DenseSelf.from_state(parts["dense"])
            return cls(base, dense, arrays["loo"], arrays["loo_rows"], int(meta["rows"]))
        except KeyError as error:
            raise ArtifactError(f"The model of meaning lacks a part: {error}.", "Train the agent again.") from error
