"""The look of a text in a few numbers, and how unusual each is among self."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.features.hashing import TEXT_LIMIT
from immunos_tui.immune.table import FloatArray

LAYOUT = ("length", "digits", "capitals", "signs", "word length", "longest word", "longest number", "foreign letters")
"""The numbers, in order: characters, shares of characters, characters of the mean and longest word, digits of the
longest number, and the share of characters beyond ASCII."""

BINS = 20
_LOGGED = (0, 5)
_NUMBER = re.compile(r"\d+")
_KERNEL = np.array([0.25, 0.5, 0.25])


def layout(texts: Sequence[str]) -> FloatArray:
    """The look of each text, (n, 8) float64, in the order of ``LAYOUT``."""
    out = np.zeros((len(texts), len(LAYOUT)))
    for row, whole in enumerate(texts):
        text = whole[:TEXT_LIMIT]
        size = len(text) + 1
        sizes = [len(word) for word in text.split()]
        raw = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        ascii_part = raw[raw < 128].astype(np.uint8)
        out[row] = (
            len(text),
            _CLASS[ascii_part][:, 0].sum() / size,
            _CLASS[ascii_part][:, 1].sum() / size,
            _CLASS[ascii_part][:, 2].sum() / size,
            sum(sizes) / len(sizes) if sizes else 0.0,
            max(sizes, default=0),
            max(map(len, _NUMBER.findall(text)), default=0),
            (len(raw) - len(ascii_part)) / size,
        )
    return out


def _classes() -> NDArray[np.bool_]:
    letters = [chr(code) for code in range(128)]
    return np.array([[c.isdigit(), c.isupper(), c.isprintable() and not c.isalnum() and c != " "] for c in letters])


_CLASS = _classes()


class LayoutModel:
    """A smoothed histogram of each number among self (Goldstein and Dengel, "Histogram-based outlier score", 2012)."""

    def __init__(self, low: FloatArray, high: FloatArray, counts: FloatArray, medians: FloatArray, rows: int) -> None:
        self.low, self.high, self.counts, self.medians, self.rows = low, high, counts, medians, rows
        padded = np.pad(counts, ((0, 0), (1, 1)), mode="edge")
        self._smooth = sum(weight * padded[:, i : i + BINS] for i, weight in enumerate(_KERNEL))

    @classmethod
    def fit(cls, values: FloatArray) -> LayoutModel:
        """Learn from the looks of self, (n, 8) with n >= 1."""
        scaled = _scaled(values)
        low, high = scaled.min(axis=0), scaled.max(axis=0)
        model = cls(low, high, np.zeros((len(LAYOUT), BINS)), np.median(values, axis=0), len(values))
        place = np.clip(model._place(scaled), 0, BINS - 1).astype(np.int64)
        counts = np.stack([np.bincount(place[:, j], minlength=BINS) for j in range(len(LAYOUT))]).astype(np.float64)
        return cls(low, high, counts, model.medians, len(values))

    def _place(self, scaled: FloatArray) -> FloatArray:
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        place: FloatArray = np.floor((scaled - self.low) / span * (BINS - 1e-9))
        return place

    def surprise(self, values: FloatArray, own: bool = False) -> FloatArray:
        """-ln of each number's share of self, (n, 8) nats; ``own`` leaves the row itself out of the counts."""
        place = self._place(_scaled(values))
        inside = np.clip(place, 0, BINS - 1).astype(np.int64)
        found = self._smooth[np.arange(len(LAYOUT)), inside]
        found = np.maximum(found - 0.5, 0.0) if own else found
        total = max(1, self.rows - own) + 1.0
        nats = -np.log((found + 0.5) / total)
        outside = np.abs(place - inside)
        surprise: FloatArray = np.where(outside > 0, np.log(2 * total) + np.log1p(outside), nats)
        return surprise

    def state(self) -> dict[str, NDArray[Any]]:
        return {"low": self.low, "high": self.high, "counts": self.counts, "medians": self.medians}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], rows: int) -> LayoutModel:
        return cls(arrays["low"], arrays["high"], arrays["counts"], arrays["medians"], rows)


def _scaled(values: FloatArray) -> FloatArray:
    scaled = values.copy()
    scaled[:, _LOGGED] = np.log1p(scaled[:, _LOGGED])
    return scaled
