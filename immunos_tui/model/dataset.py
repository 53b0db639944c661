"""What is known of a dataset before anything is trained on it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ColumnPreview:
    """One column of a preview.

    ``kind`` is number, category or text. ``distinct`` counts different values among the rows that were read;
    ``distinct_exact`` is false where counting stopped. ``lowest`` and ``highest`` are given for numbers and dates only.
    """

    name: str
    kind: str
    missing: int = 0
    distinct: int = 0
    distinct_exact: bool = True
    example: str = ""
    lowest: str = ""
    highest: str = ""
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LabelCandidate:
    """A column that may say which rows are self: its values with their counts, most frequent first."""

    column: str
    values: tuple[tuple[str, int], ...]
    self_value: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"column": self.column, "values": dict(self.values), "self_value": self.self_value}


@dataclass(frozen=True, slots=True)
class DatasetPreview:
    """The first rows of a dataset, summed up.

    ``rows`` is exact or an estimate, as ``rows_exact`` says; ``rows_read`` were looked at. ``drop`` names columns
    that should not be trained on, such as one that gives the label away.
    """

    path: str
    format: str
    bytes: int
    rows: int
    rows_exact: bool
    rows_read: int
    columns: tuple[ColumnPreview, ...] = ()
    labels: tuple[LabelCandidate, ...] = ()
    label: str = ""
    self_value: str = ""
    drop: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "format": self.format,
            "bytes": self.bytes,
            "rows": self.rows,
            "rows_exact": self.rows_exact,
            "rows_read": self.rows_read,
            "columns": [column.as_dict() for column in self.columns],
            "labels": [label.as_dict() for label in self.labels],
            "label": self.label,
            "self_value": self.self_value,
            "drop": list(self.drop),
            "problems": list(self.problems),
        }
