"""The self of texts: nearest wording, rare words, unseen fragments, and either the look or the template of a text.

``near`` is the cosine distance to the nearest self text in tf-idf space; ``surprise`` is -ln of the share of self texts that have
each feature, and ``unseen`` counts the 3- and 4-byte fragments that self never had, both set off against the length; ``layout`` sums the surprise of
lengths and shares of characters; ``template`` is -ln of the share of self that has the very same masked line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.components import (
    ABOVE,
    BELOW,
    UNSEEN,
    Arrays,
    Direction,
    Evidence,
    Meta,
    Progress,
    RowReasons,
    quiet,
)
from immunos_tui.immune.features import hashing
from immunos_tui.immune.features.hashing import GRAM_BITS, WORD_BITS, Bags
from immunos_tui.immune.features.layout import LAYOUT, LayoutModel
from immunos_tui.immune.features.learning import learn
from immunos_tui.immune.features.neighbours import TextAntigens
from immunos_tui.immune.features.reading import Features, Reading, read_features
from immunos_tui.immune.features.words import Describer
from immunos_tui.immune.table import FloatArray, IntArray, Table
from immunos_tui.model.errors import ArtifactError, DataError

EXACT_ROWS = 500
"""From this many self texts on, leave-one-out scores stand for fresh texts."""

SKETCH = 256
"""Numbers in the dense vector of a text."""

_LEAST = np.array([0.05, 0.1, 0.02, 0.1])
"""The least spread of each component that attribution counts with: self may be made of copies."""

PLAIN = ("wording", "rare words", "new fragments")


class NoveltyModel:
    """Self as a set of texts. Subclasses fix ``kind`` and how a text is read; immutable once made."""

    kind: ClassVar[str] = "novelty"
    reading: ClassVar[Reading]

    def __init__(self, column: str, rows: int, arrays: Arrays, meta: Meta) -> None:
        self.column, self.rows = column, rows
        self.arrays, self._meta = arrays, meta
        self.word_counts = _dense(arrays, "word", WORD_BITS)
        self._gram_counts = _dense(arrays, "gram", GRAM_BITS)
        self._templates = arrays["template_keys"]
        self._layout = LayoutModel.from_state(arrays, rows) if self.reading.layout else None
        self._antigens = TextAntigens.from_state(arrays, int(meta["antigens"]))
        self._loo: FloatArray = arrays["loo"]
        self._spread: FloatArray = arrays["spread"]
        self._describer = Describer(self.reading.tokenize, self.word_counts, rows, arrays, self._layout is not None)

    @property
    def names(self) -> tuple[str, ...]:
        return ("near", "surprise", "unseen", "layout" if self.reading.layout else "template")

    @property
    def features(self) -> tuple[str, ...]:
        return PLAIN + (LAYOUT if self.reading.layout else ("template",))

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def exact_loo(self) -> bool:
        return self.rows >= EXACT_ROWS

    @property
    def loo_rows(self) -> IntArray:
        """The rows of the fitted table that ``loo_scores`` stands for."""
        rows: IntArray = self.arrays["loo_rows"]
        return rows

    @property
    def near_rows(self) -> IntArray:
        """The rows that explanations may name as the nearest."""
        rows: IntArray = self.arrays["antigen_rows"]
        return rows

    @property
    def spread(self) -> FloatArray:
        """The 50 %, 90 % and 99 % quantiles of each component among self, (3, 4)."""
        return self._spread

    @classmethod
    def fit(cls, table: Table, *, seed: int, preset: str, progress: Progress = quiet) -> Self:
        column = text_column(table)
        texts = [cls.reading.mask(text) for text in table.column(column).values]
        if not any(text.strip() for text in texts):
            raise DataError(f"Every text of the column {column!r} is empty.", "Choose another column.")
        arrays, meta = learn(cls, column, texts, seed, progress)
        return cls(column, len(texts), arrays, meta)

    def loo_scores(self) -> FloatArray:
        return self._loo

    def evidence(self, table: Table) -> Evidence:
        masked = [self.reading.mask(text) for text in table.column(self.column).values]
        place: dict[str, int] = {}
        which = np.array([place.setdefault(text, len(place)) for text in masked], dtype=np.int64)
        once = list(place)
        parts = [self.judge(read_features(self.reading, once[part])) for part in hashing.chunks(once)]
        if not parts:
            parts = [self.judge(read_features(self.reading, []))]
        detail = {name: np.concatenate([part.detail[name] for part in parts]) for name in parts[0].detail}
        return Evidence(np.concatenate([part.scores for part in parts]), detail).take(which)

    def judge(self, found: Features, own: IntArray | None = None) -> Evidence:
        """Component scores of read texts. ``own`` (n,) marks texts of self: the antigen that each is, or -1."""
        mine = 0 if own is None else 1
        weights = self.tf_idf(found.words)
        alone = None if own is None else np.where(self._unique(own), own, -1)
        near, antigen = self._antigens.nearest(found.words, weights, alone)
        near[np.diff(found.words.start) == 0] = 0.0
        seen = self.word_counts[found.rare.keys].astype(np.float64) - mine
        nats = -np.log((np.maximum(seen, 0) + 0.5) / (max(1, self.rows - mine) + 1.0))
        power = self.reading.length_power
        surprise = found.rare.sum(nats) / np.maximum(np.diff(found.rare.start), 1) ** power
        new = found.grams.sum((self._gram_counts[found.grams.keys] <= mine).astype(np.float64))
        sizes = np.diff(found.grams.start) + 1.0
        unseen = new / sizes**power
        looks, last = self._last(found, bool(mine))
        detail: dict[str, NDArray[Any]] = {"nearest": antigen, "looks": looks, "values": found.look, "new": new / sizes}
        return Evidence(np.stack([near, surprise, unseen, last], axis=1), detail)

    def _last(self, found: Features, mine: bool) -> tuple[FloatArray, FloatArray]:
        """The last component: the look's nats for each number and their sum, or the template's rarity."""
        if self._layout is not None:
            looks = self._layout.surprise(found.look, own=mine)
            return looks, looks.sum(axis=1)
        place = np.minimum(np.searchsorted(self._templates, found.template), len(self._templates) - 1)
        known = self._templates[place] == found.template
        count = np.where(known, self.arrays["template_counts"][place], 0) - mine
        nats = -np.log((np.maximum(count, 0) + 0.5) / (max(1, self.rows - mine) + 1.0))
        return np.zeros((len(nats), 0)), nats

    def _unique(self, own: IntArray) -> NDArray[np.bool_]:
        """Whether the antigen of each self text stands for that text only; the twin of a copy is no stranger to it."""
        unique: NDArray[np.bool_] = self.arrays["copies"][np.maximum(own, 0)] == 1
        return unique

    def tf_idf(self, bags: Bags) -> FloatArray:
        """(1 + ln tf) idf of each entry, of unit length for each text (Salton and Buckley 1988)."""
        idf = np.log((1.0 + self.rows) / (1.0 + self.word_counts[bags.keys])) + 1.0
        return unit_length(bags, (1 + np.log(bags.counts)) * idf)

    def attribution(self, evidence: Evidence) -> tuple[FloatArray, Direction]:
        middle, high = self._spread[0], self._spread[2]
        excess = np.maximum((evidence.scores - middle) / np.maximum(high - middle, _LEAST), 0.0)
        shares = np.empty((len(excess), len(self.features)))
        direction = np.full(shares.shape, UNSEEN, dtype=np.int8)
        shares[:, :3] = excess[:, :3]
        if self._layout is not None:
            looks = np.maximum(evidence.detail["looks"] - self.arrays["usual_looks"], 0.0)
            shares[:, 3:] = excess[:, 3:] * _shares(looks)
            above = evidence.detail["values"] >= self._layout.medians
            direction[:, 3:] = np.where(above, ABOVE, BELOW)
        else:
            shares[:, 3:] = excess[:, 3:]
        return _shares(shares), direction

    def reasons(self, table: Table, evidence: Evidence, top: int = 5) -> list[RowReasons]:
        shares, direction = self.attribution(evidence)
        texts = table.column(self.column).values
        rows = self.arrays["antigen_rows"]
        found = []
        for i, text in enumerate(texts):
            nearest = int(evidence.detail["nearest"][i])
            seen = evidence.take(np.array([i]))
            masked = self.reading.mask(text)
            reasons, note = self._describer.reasons(masked, shares[i], direction[i], seen, top)
            near = float(evidence.scores[i, 0])
            margin = near / max(float(self._spread[2, 0]), 1e-6)
            row = int(rows[nearest]) if nearest >= 0 else -1
            found.append(RowReasons(reasons, row, near, margin, (note,) if note else ()))
        return found

    def vectors(self, table: Table) -> NDArray[np.float32]:
        """A count sketch of the weighted features (Charikar, Chen and Farach-Colton 2002), (n, 256)."""
        texts = [self.reading.mask(text) for text in table.column(self.column).values]
        out = np.zeros((len(texts), SKETCH), dtype=np.float32)
        for part in hashing.chunks(texts):
            bags = read_features(self.reading, texts[part]).words
            out[part] = sketch(bags, self.tf_idf(bags))
        return out

    def state(self) -> tuple[Arrays, Meta]:
        return dict(self.arrays), dict(self._meta)

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        try:
            return cls(str(meta["column"]), int(meta["rows"]), dict(arrays), dict(meta))
        except (KeyError, ValueError, IndexError) as error:
            raise ArtifactError(f"The {cls.kind} model lacks a part: {error}.", "Train the agent again.") from error


def text_column(table: Table) -> str:
    """The column of text of a table: the first that is no number. Raises DataError where there is none."""
    words = [column for column in table.columns if column.kind in ("text", "category")]
    if not words:
        raise DataError("There is no column of text to learn from.", "Name a text column, or use the tabular pipeline.")
    return next((column.name for column in words if column.kind == "text"), words[0].name)


def sketch(bags: Bags, weights: FloatArray) -> NDArray[np.float32]:
    """A count sketch of weighted features, (n, SKETCH): a sum of signed weights in the cell that each feature hashes to."""
    cell = (bags.keys * np.uint32(0x9E3779B1)) >> np.uint32(24)
    sign = 1.0 - 2.0 * ((bags.keys >> np.uint32(3)) & np.uint32(1))
    flat = np.bincount(bags.rows * SKETCH + cell, weights=sign * weights, minlength=len(bags) * SKETCH)
    return flat.reshape(-1, SKETCH).astype(np.float32)


def unit_length(bags: Bags, weights: FloatArray) -> FloatArray:
    """The weights of each text's entries divided by their Euclidean length, (entries,)."""
    length = np.sqrt(bags.sum(weights * weights))
    unit: FloatArray = weights / np.where(length > 0, length, 1.0)[bags.rows]
    return unit


def _shares(evidence: FloatArray) -> FloatArray:
    total = evidence.sum(axis=1, keepdims=True)
    even = 1.0 / max(1, evidence.shape[1])
    return np.where(total > 0, evidence / np.where(total > 0, total, 1.0), even)


def _dense(arrays: Mapping[str, NDArray[Any]], name: str, bits: int) -> IntArray:
    counts = np.zeros(1 << bits, dtype=np.int64)
    counts[arrays[f"{name}_keys"]] = arrays[f"{name}_values"]
    return counts
