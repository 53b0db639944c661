"""Innate rules: the shipped packs say what they mean, a faulty pack names its line, no pattern can take long."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immunos_tui.immune.dataset import read_dataset
from immunos_tui.immune.pattern import MAX_TRIES, WINDOW, compile_bounded, parser, tries, windows
from immunos_tui.immune.rules import SEVERITIES, RulePack, load_pack, parse_pack, shipped_packs
from immunos_tui.model.errors import DataError, NotFoundError

PACKS = {pack.name: pack for pack in shipped_packs()}
RULES = [rule for pack in PACKS.values() for rule in pack.rules]

HARMLESS = {
    "secrets": [
        "password = os.environ['DB_PASSWORD']",
        "password: ${PASSWORD}",
        "see https://a.example:8080/x",
        "key = 1",
    ],
    "permissions": ["chmod 640 /etc/app.conf", "chmod 755 run.sh", "umask 027", "os.chmod(path, 0o600)"],
    "modes": ["-rw-r--r-- notes.txt", "-rw------- id_ed25519", "drwxrwxrwt tmp", "-rwxr-xr-x run.key.sh"],
    "logs": ["Accepted publickey for root", "GET /a/../b HTTP/1.1", "worker is ready", "select a union member"],
}


def names(pack: RulePack, line: str) -> list[str]:
    return [hit.rule.name for hit in pack.hits(line)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_has_an_example_and_advice(rule: object) -> None:
    assert rule.example
    assert rule.advice.endswith(".")
    assert rule.severity in SEVERITIES
    assert rule.name in names(PACKS[rule.pack], rule.example)


@pytest.mark.parametrize(("pack", "line"), [(pack, line) for pack, lines in HARMLESS.items() for line in lines])
def test_harmless_lines_stay_quiet(pack: str, line: str) -> None:
    assert names(PACKS[pack], line) == []


def test_the_packs_cover_what_is_promised() -> None:
    assert set(PACKS) == {"logs", "modes", "permissions", "secrets"}
    categories = {rule.category for rule in PACKS["logs"].rules}
    assert categories >= {"error", "authentication", "injection", "traversal", "resource exhaustion"}


def test_a_secret_is_not_shown() -> None:
    hit = PACKS["secrets"].hits("aws_access_key_id = AKIAIOSFODNN7EXAMPLE")[0]
    assert "IOSFODNN7EXAMPLE" not in hit.sample
    assert hit.as_dict()["severity"] == "critical"


def test_a_hit_behind_a_long_start_is_found_and_cut_harmless() -> None:
    hits = PACKS["logs"].hits("x" * 5000 + "\x1b[31m Out of memory: Killed")
    assert [hit.rule.name for hit in hits] == ["out-of-memory"]
    assert "\x1b" not in hits[0].sample


def test_lines_are_numbered() -> None:
    found = list(PACKS["logs"].scan(["fine", "Invalid user admin", "fine"], first=10))
    assert [(hit.line, hit.rule.name) for hit in found] == [(11, "unknown-user")]


def test_a_file_s_mode_is_inspected(tmp_path: Path) -> None:
    path = tmp_path / "id_rsa"
    path.write_text("")
    path.chmod(0o644)
    assert [hit.rule.name for hit in PACKS["modes"].inspect(path)] == ["private-key-readable"]
    path.chmod(0o600)
    assert PACKS["modes"].inspect(path) == []
    with pytest.raises(DataError):
        PACKS["modes"].inspect(tmp_path / "none")


def test_ordinary_lines_seldom_hit(shared_data: Path) -> None:
    data = read_dataset(shared_data / "logs/bgl_2k.csv.gz", label="label", self_value="normal", pipeline="logs")
    lines = data.table.columns[0].values[data.is_self]
    assert sum(bool(PACKS["logs"].hits(line)) for line in lines) <= len(lines) // 100


RULE = """[pack]
name = "mine"

[[rule]]
name = "first"
pattern = 'abc'
severity = "low"
category = "c"
advice = "Look."

[[rule]]
name = "second"
{}
category = "c"
advice = "Look."
"""

GOOD = "pattern = 'd+e'\nseverity = \"low\""
FAULTS = {
    "pattern = '(a+)+$'\nseverity = \"low\"": "Line 13 .*'second' is refused.*too many ways",
    "pattern = '(a'\nseverity = \"low\"": "Line 13 .*no regular expression",
    "pattern = 'a*'\nseverity = \"low\"": "Line 13 .*matches an empty line",
    "pattern = 'abc'\nseverity = \"urgent\"": "Line 14 .*severity is 'urgent'",
    "pattern = 'abc'": "Line 11 .*has no 'severity'",
    'pattern = 7\nseverity = "low"': "Line 13 .*'pattern' has the wrong type",
    "pattern = 'abc'\nseverity = \"low\"\npriority = 3": "Line 15 .*'priority' is not a key",
    'pattern = \'abc\'\nseverity = "low"\nexample = "xyz"': "Line 15 .*does not match its own example",
    'pattern = \'abc\nseverity = "low"': r"not valid TOML.*line \d+, the end",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_names_its_line(fault: str) -> None:
    with pytest.raises(DataError, match=FAULTS[fault]) as caught:
        parse_pack(RULE.format(fault), "mine.toml")
    assert caught.value.hint


def test_a_good_pack_is_read() -> None:
    assert [rule.name for rule in parse_pack(RULE.format(GOOD), "mine.toml").rules] == ["first", "second"]
    with pytest.raises(DataError, match=r"Line 12 .*there twice"):
        parse_pack(RULE.format(GOOD).replace('"second"', '"first"'), "mine.toml")
    with pytest.raises(DataError, match=r"no \[pack\]"):
        parse_pack("a = 1", "mine.toml")


def test_files_that_are_no_pack(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load_pack(tmp_path / "none.toml")
    path = tmp_path / "a.toml"
    path.write_bytes(b"[pack]\nname = '\xff'\n")
    with pytest.raises(DataError, match=r"Line 2 .*UTF-8"):
        load_pack(path)
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(DataError, match="larger"):
        load_pack(path)


@settings(max_examples=60)
@given(st.text(max_size=400))
def test_any_text_is_a_pack_or_refused_in_words(text: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_pack(text, "a.toml")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("pattern", [r"(a+)+b", r"(a|bc)*d", r"(.*)*", r"\s*x\s*y\s*z", r"(x{0,5}y){0,9}z", r"a.*b.*c"])
def test_patterns_that_may_take_long_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"too many ways|empty line"):
        compile_bounded(pattern)


@pytest.mark.parametrize(
    "pattern", [r"a.*b", r"(?:\.\./){3,}", r"\s*+x\s*+y\s*+z", r"(?:ab)*+c", r"[ab]+c", r"(?<!x)(y)\1"]
)
def test_patterns_that_are_bounded_pass(pattern: str) -> None:
    assert tries(parser.parse(pattern)) <= MAX_TRIES
    compile_bounded(pattern)


@given(st.text(st.sampled_from("ab"), max_size=9000))
def test_windows_cover_a_line(line: str) -> None:
    parts = windows(line)
    assert all(line[start : start + len(part)] == part and len(part) <= WINDOW for start, part in parts)
    assert parts[-1][0] + len(parts[-1][1]) == len(line)
