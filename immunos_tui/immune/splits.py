"""Which rows an evaluation keeps from the trial detector: whole groups, the latest ones, or a random part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui.immune.table import FloatArray, IntArray, Table

HELD_OUT = 0.2
"""The share of rows that the evaluation keeps from the trial detector."""
GROUP_NAMES = (
    "group",
    "group_id",
    "session",
    "block_id",
    "repository",
    "repo",
    "project",
    "question",
    "question_id",
    "user",
)
"""Columns, kept out of the features, whose equal values mark rows that belong together."""
TIME_NAMES = ("timestamp", "time", "date", "datetime", "ts")
"""Columns, kept out of the features, that order rows in time."""
DRAWS = 16
"""How often whole groups are drawn until both sides of the split have both kinds of rows."""


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to learn from and rows held out, and in words how they were parted; ``groups`` as the detector wants them."""

    learn: IntArray
    held: IntArray
    how: str
    groups: NDArray[Any] | None = None


def split_self(context: Table, own: IntArray, seed: int) -> Split:
    """Hold out a fifth of the self rows ``own``: the latest where a time is known, whole groups where groups are known."""
    count = max(1, round(HELD_OUT * len(own))) if len(own) > 1 else 0
    group, time = group_column(context), time_column(context)
    if group is not None:
        name, values = group
        found = _by_group(values, own, count, seed)
        if found is not None:
            return Split(own[~found], own[found], f"a fifth of self in whole groups of {name}", values)
    if time is not None:
        name, moments = time
        order = own[np.argsort(moments[own], kind="stable")]
        return Split(order[: len(own) - count], order[len(own) - count :], f"the latest fifth by {name}")
    order = np.random.default_rng([seed, 3]).permutation(own)
    learn = np.sort(order[count:]) if len(own) > 1 else own
    return Split(learn, np.sort(order[:count]), "a random fifth of self")


def split_labelled(context: Table, is_self: NDArray[np.bool_], copies: IntArray, seed: int) -> Split:
    """Hold out a fifth of all rows, self (n,) and others alike, so that no row has a twin on the other side.

    Whole groups where groups are known, the latest rows where a time is, else rows at random; ``copies`` (n,) numbers rows that
    are copies of each other, which a random split keeps together.
    """
    rows = np.arange(len(is_self))
    count = max(1, round(HELD_OUT * len(rows)))
    group, time = group_column(context), time_column(context)
    if group is not None:
        name, values = group
        for draw in range(DRAWS):
            found = _by_group(values, rows, count, seed + 1000 * draw)
            if found is not None and _has_both(is_self, found):
                return Split(rows[~found], rows[found], f"a fifth of the rows in whole groups of {name}", values)
    if time is not None:
        name, moments = time
        order = np.argsort(moments, kind="stable")
        found = np.isin(rows, order[len(rows) - count :])
        if _has_both(is_self, found):
            return Split(rows[~found], rows[found], f"the latest fifth by {name}", copies)
        found = _latest_of_each(moments, is_self)
        return Split(rows[~found], rows[found], f"the latest fifth of self and of the rest by {name}", copies)
    found = _random_units(is_self, copies, seed)
    return Split(rows[~found], rows[found], "a random fifth of self and of the rest", copies)


def group_column(context: Table) -> tuple[str, NDArray[Any]] | None:
    """The name and values of the column that says which rows belong together."""
    names = {name.lower(): name for name in context.names}
    name = next((names[name] for name in GROUP_NAMES if name in names), None)
    return None if name is None else (name, context.column(name).values)


def time_column(context: Table) -> tuple[str, FloatArray] | None:
    """The name and values of the column that orders rows in time; only numbers do."""
    names = {name.lower(): name for name in context.names}
    name = next((names[name] for name in TIME_NAMES if name in names), None)
    if name is None or context.column(name).kind != "number":
        return None
    return name, context.column(name).values


def _by_group(values: NDArray[Any], own: IntArray, count: int, seed: int) -> NDArray[np.bool_] | None:
    """Which of the rows ``own`` are held out, at least ``count``; None where there are too few groups."""
    _, group = np.unique(values[own], return_inverse=True)
    group = group.reshape(-1)
    if not 5 <= int(group.max()) + 1 < len(own):
        return None
    order = np.random.default_rng([seed, 3]).permutation(int(group.max()) + 1)
    sizes = np.cumsum(np.bincount(group)[order])
    return np.isin(group, order[: int(np.searchsorted(sizes, count)) + 1])


def _has_both(is_self: NDArray[np.bool_], held: NDArray[np.bool_]) -> bool:
    """Whether both sides of a split hold self rows and others."""
    return all(bool(part.any() and not part.all()) for part in (is_self[held], is_self[~held]))


def _latest_of_each(moments: FloatArray, is_self: NDArray[np.bool_]) -> NDArray[np.bool_]:
    held = np.zeros(len(is_self), dtype=bool)
    for kind in (is_self, ~is_self):
        rows = np.flatnonzero(kind)
        count = round(HELD_OUT * len(rows)) if len(rows) < 3 else max(1, round(HELD_OUT * len(rows)))
        held[rows[np.argsort(moments[rows], kind="stable")][len(rows) - count :]] = True
    return held


def _random_units(is_self: NDArray[np.bool_], copies: IntArray, seed: int) -> NDArray[np.bool_]:
    """A fifth of the different self rows and of the different others; of mixed copies the first decides."""
    _, first, unit = np.unique(copies, return_index=True, return_inverse=True)
    rng = np.random.default_rng([seed, 3])
    held = np.zeros(len(first), dtype=bool)
    for kind in (is_self[first], ~is_self[first]):
        units = rng.permutation(np.flatnonzero(kind))
        held[units[: max(round(HELD_OUT * len(units)), int(len(units) > 2))]] = True
    return held[unit.reshape(-1)]
