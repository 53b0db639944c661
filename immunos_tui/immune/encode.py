"""Turn a table into a matrix of numbers, and say which table column each number came from.

Columns are taken in the order of their names, so a reordered table encodes to the same matrix. Numbers stay as they are, or
are log-scaled where self spans orders of magnitude; a category becomes one column for each common value and one for its rarity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.table import Column, FloatArray, IntArray, Table
from immunos_tui.model.errors import DataError

MAX_ENCODED = 4096
"""More encoded columns than this are refused: distances mean nothing there, and memory grows with them."""
ONE_HOT = 24
"""The commonest values of a category that get a column each; all others share one."""
NUMBER_LIMIT = 1e300
"""Infinite and larger values are cut to this."""
STRIPE = 256
"""Columns that are looked at together."""
LOG_SPREAD = 10_000.0
"""A column of values >= 0 is log-scaled where its largest value is this many times its small ones ..."""
LOG_REACH = 200.0
"""... and this many times its median: rates and shares reach down over many orders, but not up."""
RARE_UNSEEN = 0.002
"""Below this Good-Turing estimate of the chance of a new value, a new value is a finding of its own."""


@dataclass(frozen=True, slots=True)
class NumberCode:
    """How one number column is encoded. ``log_unit`` 0 means as it is; ``constant`` columns get no matrix column."""

    name: str
    fill: float
    log_unit: float
    constant: bool
    with_missing: bool
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CategoryCode:
    """How one category column is encoded: ``values`` in falling order of ``counts``; the first ``hot`` get a column."""

    name: str
    values: tuple[str, ...]
    counts: tuple[int, ...]
    hot: int
    surprising: bool

    @property
    def constant(self) -> bool:
        return len(self.values) == 1

    @property
    def width(self) -> int:
        return 0 if self.constant else self.hot + (self.hot < len(self.values)) + 1


@dataclass(frozen=True, slots=True)
class Encoded:
    """``matrix`` (n, k) float64, finite. ``changed`` (n, features) marks values that self never had, or is None."""

    matrix: FloatArray
    changed: NDArray[np.bool_] | None


class Encoder:
    """The fitted encoding of a table's columns.

    ``features`` are the column names in sorted order; ``owner`` (k,) is the feature that each matrix column came from.
    """

    def __init__(self, numbers: tuple[NumberCode, ...], categories: tuple[CategoryCode, ...]) -> None:
        self.numbers = numbers
        self.categories = categories
        self.features: tuple[str, ...] = tuple(sorted([c.name for c in numbers] + [c.name for c in categories]))
        place = {name: i for i, name in enumerate(self.features)}
        self._live = [code for code in numbers if not code.constant]
        self._flagged = [code for code in numbers if code.with_missing]
        owner = [place[c.name] for c in self._live] + [place[c.name] for c in self._flagged]
        for code in categories:
            owner += [place[code.name]] * code.width
        self.owner: IntArray = np.array(owner, dtype=np.int64)
        self._place = place
        self.number_places = np.array([place[code.name] for code in numbers], dtype=np.int64)
        self._fixed = [code for code in numbers if code.constant]
        self._units = np.array([c.log_unit for c in self._live])

    @classmethod
    def fit(cls, table: Table) -> Encoder:
        """Learn the encoding from every row. Raises DataError for no rows, no columns or too many columns."""
        if table.rows == 0 or not table.columns:
            raise DataError("There is nothing to learn from: the table has no rows or no columns.")
        if len(table.columns) > MAX_ENCODED:
            raise DataError(f"{len(table.columns)} columns are more than the {MAX_ENCODED} that can be learned.", _DROP)
        ordered = [table.column(name) for name in sorted(table.names)]
        numbers = tuple(_number_codes([c for c in ordered if c.kind == "number"]))
        encoder = cls(numbers, tuple(_category_code(c) for c in ordered if c.kind != "number"))
        if encoder.width > MAX_ENCODED:
            raise DataError(f"{encoder.width} encoded columns are more than the {MAX_ENCODED} allowed.", _DROP)
        return encoder

    @property
    def width(self) -> int:
        """The number of matrix columns, k; 0 when every column is constant."""
        return len(self.owner)

    @property
    def dense(self) -> bool:
        """True when the features are plain numbers that were never missing: what an embedding looks like."""
        return not self.categories and not self._flagged

    def plain(self) -> Encoder:
        """The same encoding without log scales."""
        if not self._units.any():
            return self
        return Encoder(tuple(replace(code, log_unit=0.0) for code in self.numbers), self.categories)

    @property
    def closed(self) -> int:
        """The number of features in which self allows no new value: constants, and categories that are always the same few."""
        return len(self._fixed) + sum(code.surprising for code in self.categories)

    def encode(self, table: Table) -> Encoded:
        """The matrix of ``table``'s rows; raises DataError naming a column that is missing or not of its trained kind."""
        raw = table.numbers([code.name for code in self.numbers])
        absent = np.isnan(raw)
        any_absent = bool(absent.any())
        changed = self._changed_numbers(raw, absent if any_absent else None)
        blocks = [self._number_block(raw, absent if any_absent else None)]
        if self._flagged:
            blocks.append(absent[:, [i for i, c in enumerate(self.numbers) if c.with_missing]].astype(np.float64))
        for code in self.categories:
            block, unseen = _category_block(code, table.column(code.name))
            if code.width:
                blocks.append(block)
            if unseen is not None and code.surprising:
                changed = np.zeros((table.rows, len(self.features)), dtype=bool) if changed is None else changed
                changed[:, self._place[code.name]] |= unseen
        matrix = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        return Encoded(matrix, changed)

    def _number_block(self, raw: FloatArray, absent: NDArray[np.bool_] | None) -> FloatArray:
        if absent is not None:
            raw = np.where(absent, np.array([code.fill for code in self.numbers]), raw)
        if len(self._live) < len(self.numbers):
            raw = raw[:, [i for i, code in enumerate(self.numbers) if not code.constant]]
        block = np.clip(raw, -NUMBER_LIMIT, NUMBER_LIMIT)
        scaled = np.flatnonzero(self._units)
        if len(scaled):
            with np.errstate(over="ignore"):
                part = np.clip(block[:, scaled] / self._units[scaled], -NUMBER_LIMIT, NUMBER_LIMIT)
            block[:, scaled] = np.copysign(np.log1p(np.abs(part)), part)
        return block

    def _changed_numbers(self, raw: FloatArray, absent: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        changed: NDArray[np.bool_] | None = None
        for i, code in enumerate(self.numbers):
            if absent is None:
                odd = raw[:, i] != code.low if code.constant else None
            elif code.constant:
                missing_is_self = bool(np.isnan(code.low))
                odd = (
                    ~absent[:, i] if missing_is_self else (raw[:, i] != code.low) & ~(absent[:, i] & code.with_missing)
                )
            else:
                odd = None if code.with_missing else absent[:, i]
            if odd is not None and odd.any():
                changed = np.zeros((len(raw), len(self.features)), dtype=bool) if changed is None else changed
                changed[:, self._place[code.name]] |= odd
        return changed

    def state(self) -> dict[str, Any]:
        """A JSON-ready description that ``from_state`` reads back."""
        return {
            "numbers": [[c.name, c.fill, c.log_unit, c.constant, c.with_missing, c.low, c.high] for c in self.numbers],
            "categories": [[c.name, list(c.values), list(c.counts), c.hot, c.surprising] for c in self.categories],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Encoder:
        numbers = tuple(NumberCode(*entry) for entry in state["numbers"])
        return cls(numbers, tuple(CategoryCode(n, tuple(v), tuple(c), h, s) for n, v, c, h, s in state["categories"]))


_DROP = "Drop the columns that carry no meaning, such as ids and hashes."


def _number_codes(columns: list[Column]) -> Iterator[NumberCode]:
    """The codes of number columns, some at a time: a table may have thousands of them."""
    for start in range(0, len(columns), STRIPE):
        some = columns[start : start + STRIPE]
        values = np.stack([column.values for column in some])
        absent = np.isnan(values)
        np.clip(values, -NUMBER_LIMIT, NUMBER_LIMIT, out=values)
        missing = absent.any(axis=1).tolist()
        low, high = values.min(axis=1).tolist(), values.max(axis=1).tolist()
        middle = values.shape[1] // 2
        fill = np.partition(values, middle, axis=1)[:, middle].tolist()
        for i, column in enumerate(some):
            if missing[i]:
                yield _gappy_code(column.name, values[i][~absent[i]])
            else:
                unit = _log_unit(values[i], low[i], high[i])
                yield NumberCode(column.name, fill[i], unit, low[i] == high[i], False, low[i], high[i])


def _gappy_code(name: str, values: FloatArray) -> NumberCode:
    """The code of a column that has missing values, from those that are there."""
    if len(values) == 0:
        nan = float("nan")
        return NumberCode(name, 0.0, 0.0, True, False, nan, nan)
    low, high = float(values.min()), float(values.max())
    middle = len(values) // 2
    fill = float(np.partition(values, middle)[middle])
    return NumberCode(name, fill, _log_unit(values, low, high), low == high, True, low, high)


def _log_unit(values: FloatArray, low: float, high: float) -> float:
    """The unit of log1p(x / unit), from quantiles only so that the column's own unit does not matter; 0 for no log."""
    if low < 0 or high <= 0:
        return 0.0
    positive = values[values > 0]
    if high <= LOG_SPREAD * float(positive.min()):
        return 0.0
    unit, middle = np.quantile(positive, [0.05, 0.5])
    return float(unit) if high > LOG_SPREAD * unit and high > LOG_REACH * middle else 0.0


def _category_code(column: Column) -> CategoryCode:
    counts = Counter(column.values.tolist())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    singles = sum(1 for _, count in ranked if count == 1)
    surprising = singles <= RARE_UNSEEN * len(column)
    values = tuple(value for value, _ in ranked)
    return CategoryCode(column.name, values, tuple(count for _, count in ranked), min(len(values), ONE_HOT), surprising)


def _category_block(code: CategoryCode, column: Column) -> tuple[FloatArray, NDArray[np.bool_] | None]:
    """The (n, width) matrix of a category column, and which rows hold a value that self never had."""
    index = {value: i for i, value in enumerate(code.values)}
    unknown = len(index)
    places = np.fromiter((index.get(v, unknown) for v in column.values.tolist()), dtype=np.int64, count=len(column))
    unseen = places == unknown
    n = sum(code.counts)
    rarity = -np.log(np.array([*code.counts, 0.5]) / n)
    lookup = np.zeros((unknown + 1, code.width))
    if code.width:
        lookup[np.arange(code.hot), np.arange(code.hot)] = 1.0
        lookup[code.hot : unknown, code.hot : -1] = 1.0
        lookup[:, -1] = rarity
    return lookup[places], unseen if unseen.any() else None
