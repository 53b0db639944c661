"""The filter language: whatever is typed is understood or refused with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immunos_tui.model.errors import UsageError
from immunos_tui.model.query import FIELD_ALIASES, FIELDS, Term, parse_query

WORDS = st.sampled_from(
    [
        "is:open", "-is:new", "prio:>=high", "p:crit", "status:ack", "owner:me", "-owner:none", "age:<2d", "seen:>1.5h",
        "count:>=10", "id:#4", "#12", "tag:ssh", '"two words"', "verdict:fp", "verdict:none", "word", "-word", 'project:"a b"',
    ]
)  # fmt: skip
NEARLY = st.builds(
    "{}{}:{}{}".format,
    st.sampled_from(["", "-"]),
    st.sampled_from([*FIELDS, *FIELD_ALIASES, "foo"]),
    st.sampled_from(["", ">", "<=", "=", ">>"]),
    st.text(max_size=8),
)


@given(st.text(st.characters(categories=None), max_size=60) | st.lists(NEARLY, max_size=4).map(" ".join))
def test_anything_is_understood_or_refused(text: str) -> None:
    try:
        terms = parse_query(text, "me")
    except UsageError as error:
        assert error.message
        return
    assert all(isinstance(term, Term) for term in terms)
    assert all(term.field in (*FIELDS, "text") for term in terms)


@given(st.lists(WORDS, max_size=6))
def test_terms_are_read_in_order_and_spaces_do_not_matter(words: list[str]) -> None:
    once = parse_query(" ".join(words), "me")
    assert once == parse_query("  " + "   ".join(words) + " ", "me")
    assert len(once) == len(words)
    assert [term.negated for term in once] == [word.startswith("-") for word in words]


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("prio:>=high", Term("prio", ">=", "high")),
        ("p:crit", Term("prio", "=", "critical")),
        ("-owner:me", Term("owner", "=", "alice", True)),
        ("owner:none", Term("owner", "=", "")),
        ("age:<2d", Term("age", "<", "172800000")),
        ("seen:>1.5h", Term("seen", ">", "5400000")),
        ("verdict:fp", Term("verdict", "=", "false_positive")),
        ("status:work", Term("status", "=", "in_progress")),
        ("#12", Term("id", "=", "12")),
        ("id:>#12", Term("id", ">", "12")),
        ('"two words"', Term("text", "=", "two words")),
        ('"unclosed one', Term("text", "=", "unclosed one")),
        ('project:"north gate"', Term("project", "=", "north gate")),
        ("IS:Open", Term("is", "=", "open")),
        ("tag:a:b", Term("tag", "=", "a:b")),
    ],
)
def test_a_term(text: str, term: Term) -> None:
    assert parse_query(text, "alice") == (term,)


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("statis:new", "Did you mean status:?"),
        ("prio:hgh", "Did you mean high?"),
        ("is:opne", "Did you mean open?"),
        ("owner:>me", "cannot be compared"),
        ("age:2", "30m, 2h, 7d"),
        ("count:many", "whole number"),
        ("verdict:maybe", "It takes threat"),
        ("prio:", "It takes critical"),
    ],
)
def test_a_refusal_says_what_would_do(text: str, needle: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_query(text)
    assert needle in str(caught.value)
    assert caught.value.exit_code == 2
