"""The settings loader: any file and any variable is loaded or refused with a sentence."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immunos_tui.config import Settings, check_file, load_settings, ollama_address, setting_fields
from immunos_tui.model.errors import UsageError
from immunos_tui.paths import find_paths

KEYS = st.sampled_from([*setting_fields(), "ui", "ui.nothing", "other", "thymus.nice.deep"])
VALUES = st.sampled_from(
    [
        "1", "-1", "1.5", "nan", "inf", "true", '"text"', '""', "[]", '["a"]', "[1]", "{}", "{ a = 1 }", "1979-05-27",
        "0x" + "f" * 5000, "9" * 5000, '"\\u202e"', "'''x\ny'''", "x", "",
    ]
)  # fmt: skip


def load(text: str | bytes, environ: dict[str, str] | None = None) -> None:
    """Load a user's settings file, and check it; both must agree on whether it is right."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"IMMUNOS_BASE_PATH": folder, **(environ or {})}
        paths = find_paths(env)
        paths.config_file.parent.mkdir()
        paths.config_file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        errors, _ = check_file(paths.config_file)
        try:
            loaded = load_settings(paths, env, folder=Path(folder))
        except UsageError as error:
            assert str(error)
            assert errors or environ
            if errors:
                assert str(paths.config_file) in str(error)
        else:
            assert not errors
            assert isinstance(loaded.settings, Settings)
            assert set(loaded.origins) == set(setting_fields())


@given(st.lists(st.tuples(KEYS, VALUES), max_size=5))
@settings(max_examples=150)
def test_nearly_right_files(lines: list[tuple[str, str]]) -> None:
    load("\n".join(f"{key} = {value}" for key, value in lines))


@given(st.binary(max_size=60) | st.text(st.characters(categories=None), max_size=60))
def test_any_file(content: str | bytes) -> None:
    load(content)


@given(st.sampled_from(["IMMUNOS_PROFILE", "IMMUNOS_OLLAMA_URL", "OLLAMA_HOST"]), st.text(max_size=30))
def test_any_variable(name: str, value: str) -> None:
    load("", {name: value})


@given(st.text(max_size=30) | st.from_regex(r"(https?://)?[a-z0-9.]{0,8}(:\d{0,6})?(/x)?", fullmatch=True))
def test_an_address_is_made_whole_or_refused(text: str) -> None:
    try:
        address = ollama_address(text)
    except UsageError as error:
        assert "Ollama" in str(error)
        return
    assert address.startswith(("http://", "https://"))
    assert ollama_address(address) == address


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("gpu.lan", "http://gpu.lan:11434"),
        ("http://gpu.lan", "http://gpu.lan:80"),
        ("https://gpu.lan/ollama/", "https://gpu.lan:443/ollama"),
        ("[::1]:11434", "http://[::1]:11434"),
        ("[::]", "http://[::1]:11434"),
    ],
)
def test_what_ollama_host_may_hold(given: str, address: str) -> None:
    assert ollama_address(given) == address


def test_every_setting_has_its_sentence() -> None:
    for key, spec in setting_fields().items():
        sentence = spec.metadata["help"]
        assert sentence.endswith("."), key
        assert len(sentence) < 120, key
