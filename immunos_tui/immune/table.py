"""A table of named columns: the one form in which data reaches the detectors.

A number column is float64 with NaN for a missing value; a category or text column is an object
array of ``str`` with ``""`` for a missing value; a vector column is (n, k) float32, finite. Columns are found by name, never by position.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunos_tui.model.errors import DataError

Kind = Literal["number", "category", "text", "vector"]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

KINDS: tuple[Kind, ...] = ("number", "category", "text", "vector")
DTYPES: dict[str, type[np.generic]] = {"number": np.float64, "vector": np.float32}
"""What the values of a kind are stored as; words are objects."""


@dataclass(frozen=True, slots=True)
class Column:
    """One named column of ``n`` values: float64 for a number, (n, k) float32 for a vector, ``str`` objects for words."""

    name: str
    kind: Kind
    values: NDArray[Any]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"Column {self.name!r} has the unknown kind {self.kind!r}.", f"Use one of {KINDS}.")
        values = np.asarray(self.values, dtype=DTYPES.get(self.kind, np.object_))
        if values.ndim != (2 if self.kind == "vector" else 1):
            wanted = "(rows, numbers)" if self.kind == "vector" else "one dimension"
            raise DataError(f"Column {self.name!r} has the shape {values.shape}; {wanted} is needed.")
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: ArrayLike | slice) -> Column:
        """The column's values at ``indices`` (integers, a boolean mask or a slice)."""
        return Column(self.name, self.kind, self.values[_index(indices)])


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length and distinct names. Raises DataError where they are not."""

    columns: tuple[Column, ...]
    _places: dict[str, int] = field(init=False, repr=False, compare=False)
    _matrix: FloatArray | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        places: dict[str, int] = {}
        for place, column in enumerate(self.columns):
            if column.name in places:
                raise DataError(f"Two columns are named {column.name!r}.", "Give each column its own name.")
            if len(column) != len(self.columns[0]):
                expected = len(self.columns[0])
                raise DataError(f"Column {column.name!r} has {len(column)} values where {expected} are expected.")
            places[column.name] = place
        object.__setattr__(self, "_places", places)

    @classmethod
    def from_array(cls, array: ArrayLike, names: Sequence[str] | None = None) -> Table:
        """A table of number columns from an (n, d) array; names are x0, x1, ... unless given.

        Raises DataError for another shape, for values that are not numbers, or for a wrong count of names.
        """
        try:
            matrix = np.asarray(array, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError("The array holds values that are not numbers.", "Pass a table for text.") from error
        if matrix.ndim != 2:
            raise DataError(f"The array has the shape {matrix.shape}; (rows, columns) is needed.")
        chosen = tuple(names) if names is not None else tuple(f"x{i}" for i in range(matrix.shape[1]))
        if len(chosen) != matrix.shape[1]:
            raise DataError(f"{len(chosen)} names were given for {matrix.shape[1]} columns.")
        columns = tuple(Column(name, "number", matrix[:, i]) for i, name in enumerate(chosen))
        return cls(columns, _matrix=matrix)

    @property
    def rows(self) -> int:
        """The number of rows; 0 when there are no columns."""
        return len(self.columns[0]) if self.columns else 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._places)

    def __len__(self) -> int:
        return self.rows

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def column(self, name: str) -> Column:
        """The column of that name; DataError when there is none."""
        place = self._places.get(name)
        if place is None:
            raise DataError(f"There is no column {name!r}.", f"The columns are {', '.join(self.names[:20])}.")
        return self.columns[place]

    def take(self, indices: ArrayLike | slice) -> Table:
        """The rows at ``indices`` (integers, a boolean mask or a slice), in that order."""
        index = _index(indices)
        if self._matrix is not None:
            return Table.from_array(self._matrix[index], self.names)
        return Table(tuple(Column(c.name, c.kind, c.values[index]) for c in self.columns))

    def select(self, names: Iterable[str]) -> Table:
        """The named columns, in that order; DataError names one that is missing."""
        return Table(tuple(self.column(name) for name in names))

    def drop(self, names: Iterable[str]) -> Table:
        """The table without the named columns; names that are not there are no error."""
        gone = set(names)
        return Table(tuple(column for column in self.columns if column.name not in gone))

    def numbers(self, names: Sequence[str]) -> FloatArray:
        """The named number columns side by side, (n, len(names)) float64; DataError names one that is missing."""
        if self._matrix is not None:
            if tuple(names) == self.names:
                return self._matrix
            return self._matrix[:, [self._place(name) for name in names]]
        out = np.empty((self.rows, len(names)), dtype=np.float64)
        for place, name in enumerate(names):
            column = self.column(name)
            if column.kind != "number":
                raise DataError(f"Column {name!r} holds {column.kind} values where numbers are expected.")
            out[:, place] = column.values
        return out

    def _place(self, name: str) -> int:
        self.column(name)
        return self._places[name]


def concat(tables: Sequence[Table]) -> Table:
    """The rows of all tables one after another; the columns of the first are looked up by name in the others."""
    if not tables:
        return Table(())
    first = tables[0]
    columns = []
    for column in first.columns:
        parts = [table.column(column.name) for table in tables]
        other = next((part for part in parts if part.kind != column.kind), None)
        if other is not None:
            raise DataError(f"Column {column.name!r} holds {column.kind} values in one table, {other.kind} in another.")
        columns.append(Column(column.name, column.kind, np.concatenate([part.values for part in parts])))
    return Table(tuple(columns))


def as_table(data: Table | ArrayLike) -> Table:
    """The table itself, or the table of number columns that an (n, d) array makes."""
    return data if isinstance(data, Table) else Table.from_array(data)


def as_kinds(table: Table, kinds: Sequence[tuple[str, Kind]]) -> Table:
    """The named columns, in that order and of those kinds.

    Words are read as numbers where numbers are wanted (what cannot be read is missing), numbers are written out where words are.
    DataError names a column that is missing.
    """
    missing = [name for name, _ in kinds if name not in table]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(f"The column {missing[0]!r} is missing{more}.", "Columns are matched by name.")
    if table.names == tuple(name for name, _ in kinds) and all(
        (column.kind == "number") == (kind == "number") for column, (_, kind) in zip(table.columns, kinds, strict=True)
    ):
        return table
    return Table(tuple(_as_kind(table.column(name), kind) for name, kind in kinds))


def _as_kind(column: Column, kind: Kind) -> Column:
    if (column.kind == "number") == (kind == "number"):
        return column
    if "vector" in (column.kind, kind):
        raise DataError(f"Column {column.name!r} holds {column.kind} values where {kind} values are expected.")
    values = column.values.tolist()
    if kind == "number":
        return Column(column.name, kind, np.array([_read(value) for value in values], dtype=np.float64))
    words = ["" if np.isnan(value) else f"{value:.15g}" for value in values]
    return Column(column.name, kind, np.array(words, dtype=object))


def _read(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _index(indices: ArrayLike | slice) -> Any:
    if isinstance(indices, slice):
        return indices
    index = np.asarray(indices)
    return index.astype(np.int64) if index.size == 0 and index.dtype != np.bool_ else index
