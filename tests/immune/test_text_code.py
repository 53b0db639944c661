"""What is read from source code."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from immunos_tui.immune.features.code import CodeModel, code_tokens, code_words, parse, syntax_features
from immunos_tui.immune.folder import pieces
from immunos_tui.immune.table import Column, Table

UNSAFE = "    def find(self, name):\n        return self.db.execute(\"select * from t where n = '%s'\" % name)\n"
SAFE = '    def find(self, name):\n        return self.db.execute("select * from t where n = ?", (name,))\n'


def test_the_form_of_an_argument_tells_a_built_query_from_a_bound_one() -> None:
    assert "call:execute(BinOp)" in syntax_features(UNSAFE)
    assert "call:execute(Constant, Tuple)" in syntax_features(SAFE)


def test_tokens_of_any_language() -> None:
    assert code_tokens("if (a->len >= 0x10) ++i;") == ["if", "(", "a", "->", "len", ">=", "0x10", ")", "++", "i", ";"]
    assert parse("int main(void) { return 0; }") is None
    assert syntax_features("int main(void) { return 0; }") == []


@given(st.text(max_size=300))
def test_any_text_is_read(code: str) -> None:
    assert code_words(code)[: len(code_tokens(code))] == code_tokens(code)


@given(st.text(max_size=300))
def test_any_text_is_cut_into_pieces(code: str) -> None:
    for name, line, piece in pieces(code, "python"):
        assert line >= 1
        assert piece.strip()
        assert isinstance(name, str)


def test_deep_nesting_is_survived() -> None:
    assert isinstance(code_words("x = " + "(" * 5000 + ")" * 5000), list)
    assert isinstance(code_words("x = " + "-" * 9000 + "1"), list)


def test_a_detector_of_code_ranks_a_stranger_highest() -> None:
    own = [f"def f{i}(a, b):\n    return a + b * {i}\n" for i in range(60)]
    model = CodeModel.fit(Table((Column("code", "text", own),)), seed=0, preset="immune")
    new = Table((Column("code", "text", [own[3], "import os\nos.system(input())\n"]),))
    scores = model.evidence(new).scores
    assert (scores[1] > scores[0]).all()
    assert np.isfinite(scores).all()
