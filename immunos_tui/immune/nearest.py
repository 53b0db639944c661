"""The self rows that explanations point at, as an operator knows them: their values and not their numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.attribution import number
from immunos_tui.immune.components import ComponentModel
from immunos_tui.immune.table import FloatArray, IntArray, Table
from immunos_tui.model.text import clean, cut

LONGEST = 240
"""Characters of a word or text that are kept."""
MOST_COLUMNS = 128
"""Beyond so many columns the values of a row say nothing to anybody, and none are kept."""

Arrays = dict[str, NDArray[Any]]


class SelfRows:
    """Some rows (m,) of the fitted table, by their place in it: numbers (m, numbers) float64, and words (m, words) in UTF-8."""

    def __init__(
        self,
        rows: IntArray,
        names: tuple[tuple[str, ...], tuple[str, ...]],
        numbers: FloatArray,
        words: tuple[NDArray[np.uint8], IntArray],
    ) -> None:
        self._rows, self._names, self._numbers = rows, names, numbers
        self._bytes, self._ends = words

    @classmethod
    def empty(cls) -> SelfRows:
        """No rows."""
        none = np.zeros(0, dtype=np.int64)
        return cls(none, ((), ()), np.zeros((0, 0)), (np.zeros(0, dtype=np.uint8), none))

    @classmethod
    def of(cls, table: Table, places: IntArray) -> SelfRows:
        """Keep the rows of ``table`` as those at ``places`` (m,), sorted, of what the model was fitted on."""
        shown = [column for column in table.columns if column.kind != "vector"]
        if len(shown) > MOST_COLUMNS or not table.rows:
            return cls.empty()
        numbers = [column for column in shown if column.kind == "number"]
        words = [column for column in shown if column.kind != "number"]
        kept = [column.values for column in numbers]
        texts = [
            str(column.values[i])[:LONGEST].encode("utf-8", "replace") for i in range(table.rows) for column in words
        ]
        ends = np.cumsum([len(text) for text in texts], dtype=np.int64) if texts else np.zeros(0, dtype=np.int64)
        matrix = np.stack(kept, axis=1) if kept else np.zeros((table.rows, 0))
        names = (tuple(column.name for column in numbers), tuple(column.name for column in words))
        return cls(places, names, matrix, (np.frombuffer(b"".join(texts), dtype=np.uint8), ends))

    def told(self, place: int, features: Sequence[str]) -> str:
        """A row in words: its text where it has nothing else, else its values in the given columns; empty for an unknown one."""
        at = int(np.searchsorted(self._rows, place))
        if at == len(self._rows) or self._rows[at] != place:
            return ""
        numbers, words = self._names
        if not numbers and len(words) == 1:
            return clean(self._word(at, 0), LONGEST)
        row = self._numbers[at].tolist()
        values = {
            name: "missing" if value != value else number(value) for name, value in zip(numbers, row, strict=True)
        }
        values |= {name: self._word(at, j) or "empty" for j, name in enumerate(words)}
        named = [f"{name} {cut(values[name], 40)}" for name in features if name in values]
        return clean(", ".join(named), LONGEST)

    def _word(self, row: int, column: int) -> str:
        index = row * len(self._names[1]) + column
        start = int(self._ends[index - 1]) if index else 0
        return self._bytes[start : int(self._ends[index])].tobytes().decode("utf-8", "replace")

    def state(self) -> tuple[Arrays, list[list[str]]]:
        """Plain arrays and the columns' names, which ``from_state`` reads back."""
        arrays: Arrays = {"rows": self._rows, "numbers": self._numbers, "bytes": self._bytes, "ends": self._ends}
        return arrays, [list(names) for names in self._names]

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], names: Sequence[Sequence[str]]) -> SelfRows:
        numbers, words = (tuple(part) for part in names)
        return cls(arrays["rows"], (numbers, words), arrays["numbers"], (arrays["bytes"], arrays["ends"]))


def near_rows(model: ComponentModel) -> IntArray:
    """The rows of the fitted table that a model's explanations may name, sorted; none where it does not say."""
    rows = np.asarray(getattr(model, "near_rows", np.zeros(0)), dtype=np.int64)
    return np.unique(rows)
