"""Fingerprints: equal for one cause, different for another, and never a way to forge one from another's parts."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from immunos_tui.model.detection import FINGERPRINT_VERSION, line_fingerprint, table_fingerprint

ANYTHING = st.text(st.characters(categories=None), max_size=20)
PARTS = st.tuples(ANYTHING, ANYTHING, ANYTHING, ANYTHING)


@given(PARTS)
def test_it_is_versioned_short_and_the_same_again(parts: tuple[str, str, str, str]) -> None:
    made = table_fingerprint(*parts)
    assert re.fullmatch(rf"{FINGERPRINT_VERSION}:[0-9a-f]{{24}}", made)
    assert table_fingerprint(*parts) == made


@given(PARTS, PARTS)
def test_different_causes_differ(one: tuple[str, str, str, str], other: tuple[str, str, str, str]) -> None:
    def plain(parts: tuple[str, ...]) -> list[str]:
        return [part.replace("\x1f", " ") for part in parts]

    assert (table_fingerprint(*one) == table_fingerprint(*other)) is (plain(one) == plain(other))


@given(ANYTHING, ANYTHING)
def test_parts_do_not_run_into_each_other(one: str, other: str) -> None:
    assert table_fingerprint("d", "a" + one, other, "above") != table_fingerprint("d", "a", one + other + "x", "above")


def test_a_row_and_a_line_are_never_the_same() -> None:
    assert table_fingerprint("a", "b", "c", "d") != line_fingerprint("a", "b", "c")


def test_the_direction_counts() -> None:
    assert table_fingerprint("network", "net-1", "serror_rate", "above") != table_fingerprint(
        "network", "net-1", "serror_rate", "below"
    )
