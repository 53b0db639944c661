"""The key and the remembered head: made once, private, and only ever moving forward."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immunos_tui.model.activity import GENESIS, canonical, link
from immunos_tui.model.errors import StoreError
from immunos_tui.store import AuditHead, AuditKey, load_key

FIELDS = {
    "seq": 1, "at": 2, "actor": "me", "origin": "cli", "action": "issue.new", "subject": "issue", "subject_id": 3,
    "payload": "{}", "group": 1, "undoes": None, "key_id": "abc",
}  # fmt: skip


def test_eight_first_starts_agree_on_one_key(tmp_path: Path) -> None:
    path, database = tmp_path / "new" / "secret.key", tmp_path / "new" / "x.db"
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: load_key(path, {}, database).id, range(8)))
    assert len(set(keys)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["secret.key"]


def test_a_key_does_not_give_itself_away(tmp_path: Path) -> None:
    key = load_key(tmp_path / "secret.key", {"IMMUNOS_SECRET_KEY": "hunter2"}, tmp_path / "x.db")
    assert key.secret == b"hunter2"
    assert "hunter2" not in key.id
    assert AuditKey(b"hunter3").id != key.id


def test_a_place_where_no_key_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="ascii")
    with pytest.raises(StoreError) as caught:
        load_key(tmp_path / "file" / "secret.key", {}, tmp_path / "x.db")
    assert str(tmp_path / "file") in str(caught.value)


@given(st.sampled_from(sorted(FIELDS)), st.text(max_size=5))
def test_every_field_is_under_the_hash(name: str, value: str) -> None:
    changed = {**FIELDS, name: value}
    same = changed[name] == FIELDS[name]
    assert (link(b"k", GENESIS, **changed) == link(b"k", GENESIS, **FIELDS)) is same  # type: ignore[arg-type]
    assert link(b"other", GENESIS, **FIELDS) != link(b"k", GENESIS, **FIELDS)  # type: ignore[arg-type]
    assert link(b"k", "1" * 64, **FIELDS) != link(b"k", GENESIS, **FIELDS)  # type: ignore[arg-type]


@given(
    st.dictionaries(
        st.text(max_size=5), st.text(st.characters(categories=None), max_size=5) | st.integers() | st.none()
    )
)
def test_a_payload_has_one_text(payload: dict[str, object]) -> None:
    text = canonical(payload)
    assert text.isascii()
    assert canonical(dict(reversed(payload.items()))) == text


def test_the_head_only_moves_forward(tmp_path: Path) -> None:
    head = AuditHead(tmp_path / "state" / "head.json")
    assert head.read() is None
    for seq in (3, 1, 2):
        head.advance(seq, f"hash {seq}")
    assert head.read() == (3, "hash 3")
    head.advance(2, "back", force=True)
    assert head.read() == (2, "back")
    assert stat.S_IMODE(head.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"seq": "x", "hash": 1}', b"\xff\xfe"])
def test_a_broken_head_is_none_and_is_made_anew(tmp_path: Path, content: bytes) -> None:
    head = AuditHead(tmp_path / "head.json")
    head.path.write_bytes(content)
    assert head.read() is None
    head.advance(1, "x")
    assert head.read() == (1, "x")


def test_a_head_that_cannot_be_kept_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="ascii")
    head = AuditHead(tmp_path / "file" / "head.json")
    head.advance(1, "x")
    assert head.read() is None
