"""The nearest self text by cosine similarity, over sparse hashed features; memory is bounded by the batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.features.hashing import Bags
from immunos_tui.immune.table import FloatArray, IntArray

_ENTRIES = 1 << 21
_ROUNDING = 1e-9


class TextAntigens:
    """``m`` self texts as an inverted index: for each feature, the texts that have it and its weight in them."""

    def __init__(
        self, features: NDArray[np.uint32], start: IntArray, texts: IntArray, weights: FloatArray, m: int
    ) -> None:
        self.features, self.start, self.texts, self.weights, self.m = features, start, texts, weights, m

    @classmethod
    def of(cls, bags: Bags, weights: FloatArray) -> TextAntigens:
        """The index of self texts; ``weights`` (entries,) are unit length for each text."""
        order = np.argsort(bags.keys, kind="stable")
        features, first = np.unique(bags.keys[order], return_index=True)
        start = np.append(first, len(order)).astype(np.int64)
        return cls(features, start, bags.rows[order], weights[order], len(bags))

    def nearest(self, bags: Bags, weights: FloatArray, own: IntArray | None = None) -> tuple[FloatArray, IntArray]:
        """The cosine distance of each text to the nearest antigen, 0 to 1, and that antigen, (n,) each.

        ``own`` (n,) is the antigen that a text itself is, -1 for none: it is left out. -1 where nothing is shared.
        """
        distance, antigen = np.ones(len(bags)), np.full(len(bags), -1, dtype=np.int64)
        if not len(self.features):
            return distance, antigen
        place = np.minimum(np.searchsorted(self.features, bags.keys), len(self.features) - 1)
        known = self.features[place] == bags.keys
        sizes = np.where(known, self.start[place + 1] - self.start[place], 0)
        for rows in self._blocks(bags, sizes):
            entries = slice(bags.start[rows.start], bags.start[rows.stop])
            similar = self._similar(bags, weights, place, sizes, rows, entries)
            if own is not None:
                mine = own[rows]
                inside = np.flatnonzero(mine >= 0)
                similar[inside, mine[inside]] = 0.0
            best = similar.argmax(axis=1)
            value = similar[np.arange(len(best)), best]
            distance[rows] = np.where(value > 1 - _ROUNDING, 0.0, 1 - value)
            antigen[rows] = np.where(value > 0, best, -1)
        return distance, antigen

    def _blocks(self, bags: Bags, sizes: IntArray) -> list[slice]:
        """Runs of texts whose index entries and whose similarities fit in memory together."""
        load = np.concatenate([[0], np.cumsum(sizes)])[bags.start]
        limit = max(1, _ENTRIES // self.m)
        blocks, first = [], 0
        while first < len(bags):
            last = int(np.searchsorted(load, load[first] + _ENTRIES, side="right")) - 1
            last = min(max(last, first + 1), first + limit, len(bags))
            blocks.append(slice(first, last))
            first = last
        return blocks

    def _similar(
        self, bags: Bags, weights: FloatArray, place: IntArray, sizes: IntArray, rows: slice, entries: slice
    ) -> FloatArray:
        count = sizes[entries]
        total = int(count.sum())
        ends = np.cumsum(count)
        index = np.repeat(self.start[place[entries]] - (ends - count), count) + np.arange(total)
        owner = np.repeat(bags.rows[entries] - rows.start, count)
        product = np.repeat(weights[entries], count) * self.weights[index]
        cells = (rows.stop - rows.start) * self.m
        flat: FloatArray = np.bincount(owner * self.m + self.texts[index], weights=product, minlength=cells).astype(
            float
        )
        return flat.reshape(-1, self.m)

    def state(self) -> dict[str, NDArray[Any]]:
        return {"features": self.features, "start": self.start, "texts": self.texts, "weights": self.weights}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], m: int) -> TextAntigens:
        return cls(arrays["features"], arrays["start"], arrays["texts"], arrays["weights"], m)
