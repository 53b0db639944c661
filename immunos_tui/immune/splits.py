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
PARTS = 5
"""Parts that small labelled data is cut into."""
CROSS_ROWS = 2000
"""With fewer labelled rows each part is held out in turn."""
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


def splits_labelled(context: Table, is_self: NDArray[np.bool_], copies: IntArray, seed: int) -> list[Split]:
    """Hold out a fifth of all rows, self (n,) and others alike, so that no row has a twin on the other side.

    Whole groups where groups are known, the latest rows where a time is, else rows at random; ``copies`` (n,) numbers rows that
    are copies of each other, which are kept together. In small data without a time each fifth is held out in turn: one draw of a
    few groups would say little. Splits that leave nothing to learn from are not among them.
    """
    group, time = group_column(context), time_column(context)
    rows = np.arange(len(is_self))
    name, units = group if group is not None and len(np.unique(group[1])) >= PARTS else ("", copies)
    whole = f"in whole groups of {name}" if name else "drawn at random"
    if time is not None and not name:
        held, how = _latest(*time, is_self)
        return _usable([(held, how)], is_self, copies)
    part = _part_of_row(units, is_self, seed)
    if len(rows) < CROSS_ROWS:
        return _usable([(part == i, f"each fifth of the rows in turn, {whole}") for i in range(PARTS)], is_self, units)
    draws = [part == 0]
    if name:
        count = max(1, round(HELD_OUT * len(rows)))
        found = [_by_group(units, rows, count, seed + 1000 * draw) for draw in range(DRAWS)]
        draws = [held for held in found if held is not None]
    held = next((held for held in draws if _has_both(is_self, held)), part == 0)
    return _usable([(held, f"a fifth of the rows, {whole}")], is_self, units)


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


def _latest(name: str, moments: FloatArray, is_self: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], str]:
    """The latest fifth of the rows; where it has only one kind of rows, the latest fifth of each kind."""
    held = np.zeros(len(is_self), dtype=bool)
    held[np.argsort(moments, kind="stable")[len(held) - max(1, round(HELD_OUT * len(held))) :]] = True
    if _has_both(is_self, held):
        return held, f"the latest fifth by {name}"
    held[:] = False
    for kind in (is_self, ~is_self):
        rows = np.flatnonzero(kind)
        count = max(round(HELD_OUT * len(rows)), int(len(rows) > 1))
        held[rows[np.argsort(moments[rows], kind="stable")][len(rows) - count :]] = True
    return held, f"the latest fifth of self and of the rest by {name}"


def _part_of_row(units: NDArray[Any], is_self: NDArray[np.bool_], seed: int) -> IntArray:
    """One of PARTS parts for each row, whole units together; units that begin with self and the others are dealt out alike."""
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    rng = np.random.default_rng([seed, 3])
    part = np.zeros(len(first), dtype=np.int64)
    for kind in (is_self[first], ~is_self[first]):
        members = rng.permutation(np.flatnonzero(kind))
        part[members] = (np.arange(len(members)) + 1) % max(2, min(PARTS, len(members)))
    return part[unit.reshape(-1)]


def _usable(
    found: list[tuple[NDArray[np.bool_], str]], is_self: NDArray[np.bool_], groups: NDArray[Any]
) -> list[Split]:
    rows = np.arange(len(is_self))
    splits = [Split(rows[~held], rows[held], how, groups) for held, how in found if held.any()]
    return [split for split in splits if is_self[split.learn].any() and not is_self[split.learn].all()]
