"""Typed settings: defaults < /etc/immunos < user < project < environment < flags.

Each field carries the sentence that documents it and, where the operator may set it from the
environment, the variable that does so. The classes do without equality and repr: defining those
costs half a millisecond each on the way to the first frame.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from immunos_tui.model.errors import UsageError
from immunos_tui.model.text import clean, nearest
from immunos_tui.paths import PROJECT_CONFIG, SYSTEM_CONFIG, Paths, find_paths

LARGEST = 1_000_000_000
"""What a number among the settings may be at most."""

TABS = ("chat", "thymus", "spleen", "system", "foundry", "kb")


def setting(
    default: Any, help: str, *, choices: tuple[str, ...] = (), env: tuple[str, ...] = (), low: float | None = None
) -> Any:
    """A settings field: its default, its sentence, what it takes and the variables that set it."""
    return field(default=default, metadata={"help": help, "choices": choices, "env": env, "low": low})


@dataclass(frozen=True, eq=False, repr=False)
class UiSettings:
    """The screens."""

    start_tab: str = setting("chat", "The tab that the program opens on.", choices=TABS)
    theme: str = setting("immunos-dark", "Colours: immunos-dark, immunos-light, immunos-contrast or a Textual theme.")
    ascii: bool = setting(False, "Draw with ASCII only: no braille, no box drawing.")
    mouse: bool = setting(True, "Take the mouse; off leaves text selection to the terminal.")
    slow: bool = setting(False, "Spare a slow line: fewer frames, slower polling. On by itself inside SSH.")
    read_only: bool = setting(False, "Refuse every change, in the store and not only on screen.")


@dataclass(frozen=True, eq=False, repr=False)
class OllamaSettings:
    """The local language model server."""

    url: str = setting(
        "http://127.0.0.1:11434", "Address of the Ollama server.", env=("IMMUNOS_OLLAMA_URL", "OLLAMA_HOST")
    )
    embed_model: str = setting(
        "", "Embedding model whose vectors are a further view of texts, with profile full; none by default."
    )
    poll_seconds: float = setting(5.0, "Seconds between two looks at whether it answers.", low=1.0)


@dataclass(frozen=True, eq=False, repr=False)
class NetworkSettings:
    """What may be contacted at all."""

    offline: bool = setting(True, "Refuse every connection but loopback and the addresses in network.allow.")
    allow: tuple[str, ...] = setting((), "Hosts that may be contacted in offline mode, such as 10.0.0.5.")


@dataclass(frozen=True, eq=False, repr=False)
class SpleenSettings:
    """Triage."""

    filter: str = setting("is:open", "The filter that the list starts with.")
    storm_per_minute: int = setting(100, "More than this of one fingerprint a minute is called a storm.", low=1)
    evidence_rows: int = setting(50, "Samples and explanations kept for each issue and agent version.", low=1)


@dataclass(frozen=True, eq=False, repr=False)
class ThymusSettings:
    """Training and scanning."""

    nice: int = setting(10, "Priority of a job's process: 0 is normal, 19 the most polite.", low=0)
    threads: int = setting(1, "Threads that a job's linear algebra may use; 1 makes runs reproducible.", low=1)


@dataclass(frozen=True, eq=False, repr=False)
class Settings:
    """Everything that can be set, by section."""

    ui: UiSettings = field(default_factory=UiSettings)
    ollama: OllamaSettings = field(default_factory=OllamaSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    spleen: SpleenSettings = field(default_factory=SpleenSettings)
    thymus: ThymusSettings = field(default_factory=ThymusSettings)
    profile: str = setting(
        "lite", "lite: no model is loaded by itself. full: use one.", choices=("lite", "full"), env=("IMMUNOS_PROFILE",)
    )
    keys: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"help": 'Keys by binding id, such as "spleen.ack" = "o"; the help lists the ids.'},
    )


@dataclass(frozen=True, eq=False, repr=False)
class LoadedSettings:
    """The settings in force, where each value came from, and what was odd but harmless."""

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]


def setting_fields() -> dict[str, Field[Any]]:
    """Every settable field by its dotted key, such as ``ui.theme``."""
    found: dict[str, Field[Any]] = {}
    for part in fields(Settings):
        section = getattr(part.default_factory, "__dataclass_fields__", None)
        if section is None:
            found[part.name] = part
        else:
            found.update({f"{part.name}.{inner.name}": inner for inner in fields(part.default_factory)})  # type: ignore[arg-type]
    return found


def load_settings(
    paths: Paths | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> LoadedSettings:
    """Read every layer that exists.

    Args:
        flags: values from the command line by dotted key; None means not given.
        folder: where a project's settings are looked for, by default the current directory.

    Raises:
        UsageError: a syntax error or a value of the wrong type, with file, line and key.
    """
    env = os.environ if environ is None else environ
    paths = paths or find_paths(env)
    known = setting_fields()
    values: dict[str, Any] = {}
    origins = dict.fromkeys(known, "default")
    warnings: list[str] = []
    for file in config_files(paths, folder):
        for key, value, line in _read_file(file, known, warnings):
            values[key] = _checked(key, value, known[key], f"{file}:{line}")
            origins[key] = f"{file}:{line}"
    for key, spec in known.items():
        for variable in reversed(spec.metadata.get("env", ())):
            if env.get(variable):
                values[key] = _checked(key, _from_text(env[variable], spec), spec, variable)
                origins[key] = variable
    for key, value in (flags or {}).items():
        if value is not None:
            values[key] = _checked(key, value, known[key], "the command line")
            origins[key] = "flag"
    return LoadedSettings(_build(values), origins, tuple(warnings))


def config_files(paths: Paths, folder: Path | None = None) -> tuple[Path, ...]:
    """The settings files that are read, whether they exist or not, the weakest first."""
    return (SYSTEM_CONFIG, paths.config_file, (folder or Path.cwd()) / PROJECT_CONFIG)


def check_file(file: Path) -> tuple[list[str], list[str]]:
    """Everything that is wrong in one settings file, and what is odd but harmless, each with file, line and key."""
    known = setting_fields()
    errors: list[str] = []
    warnings: list[str] = []
    try:
        entries = _read_file(file, known, warnings)
    except UsageError as error:
        return [str(error)], warnings
    for key, value, line in entries:
        try:
            _checked(key, value, known[key], f"{file}:{line}")
        except UsageError as error:
            errors.append(str(error))
    return errors, warnings


def _build(values: Mapping[str, Any]) -> Settings:
    sections: dict[str, dict[str, Any]] = {}
    top: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        if section:
            sections.setdefault(section, {})[name] = value
        else:
            top[name] = value
    for part in fields(Settings):
        if part.name in sections:
            make: Any = part.default_factory
            top[part.name] = make(**sections[part.name])
    return Settings(**top)


def _read_file(file: Path, known: Mapping[str, Any], warnings: list[str]) -> list[tuple[str, Any, int]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read the settings file {file}: {clean(error)}.", "Mend or move the file.") from error
    import tomllib  # noqa: PLC0415 - only where there is a settings file

    try:
        tree = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{file}: {clean(error)}.", "Mend that line; `immunos-tui config validate` checks it."
        ) from error
    found: list[tuple[str, Any, int]] = []
    for key, value in _flatten(tree):
        line = _line_of(text, key)
        if key in known:
            found.append((key, value, line))
        elif any(name.startswith(f"{key}.") for name in known):
            raise UsageError(
                f"{file}:{line}: {key} is a section, not a value.", f"Write its settings below a line [{key}]."
            )
        else:
            near = nearest(key, known, 0.5)
            best = f" Did you mean {near[0]}?" if near else ""
            warnings.append(f"{file}:{line}: there is no setting {clean(key)}, so it does nothing.{best}")
    return found


def _flatten(tree: Mapping[str, Any]) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, dict) and key != "keys":
            flat.extend((f"{key}.{name}", inner) for name, inner in value.items())
        else:
            flat.append((key, value))
    return flat


def _line_of(text: str, key: str) -> int:
    """The line where ``key`` is set, or 1: tomllib does not tell, so its table and name are looked for."""
    section, _, name = key.rpartition(".")
    inside, here = not section, 0
    for here, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*\[\s*([\w.\"' -]+?)\s*\]", line)
        if head:
            if not section and head[1] == name:
                return here
            inside = head[1] == section
        elif (inside and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", line)) or re.match(
            rf"\s*{re.escape(key)}\s*=", line
        ):
            return here
    return 1


def _from_text(text: str, spec: Field[Any]) -> Any:
    kind: Any = type(spec.default)
    if kind is bool:
        words = {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }
        return words.get(text.strip().lower(), text)
    try:
        return kind(text) if kind in (int, float) else text
    except ValueError:
        return text


def _checked(key: str, value: Any, spec: Field[Any], where: str) -> Any:
    if key == "keys":
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise UsageError(f"{where}: keys takes a table of binding ids and keys.", 'For example "spleen.ack" = "o".')
        return value
    want: Any = type(spec.default)
    if want is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if want is float and type(value) is int and abs(value) <= LARGEST:
        value = float(value)
    if type(value) is not want:
        kinds = {bool: "true or false", int: "a whole number", float: "a number", tuple: "a list of texts"}
        raise UsageError(
            f"{where}: {key} takes {kinds.get(want, 'a text')}, not {_shown(value)}.", spec.metadata["help"]
        )
    choices = spec.metadata.get("choices", ())
    if choices and value not in choices:
        near = nearest(str(value), choices, 0.4)
        best = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(f"{where}: {key} cannot be {_shown(value)}.", f"{best}It takes {', '.join(choices)}.")
    low = spec.metadata.get("low")
    if low is not None and not low <= value <= LARGEST:
        raise UsageError(f"{where}: {key} must be a number from {low:g} to {LARGEST:,}.", spec.metadata["help"])
    return _address(value, where) if key == "ollama.url" else value


def _shown(value: Any) -> str:
    try:
        return clean(repr(value), 60)
    except ValueError:
        return "a number of thousands of digits"


def _address(value: str, where: str) -> str:
    try:
        return ollama_address(value)
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", error.hint) from error


def ollama_address(value: str) -> str:
    """A full URL from what OLLAMA_HOST may hold: ``host``, ``host:port``, ``:port``, a URL, or 0.0.0.0.

    Raises:
        UsageError: it is no address at all.
    """
    text = value.strip().rstrip("/")
    scheme, sep, rest = text.partition("://")
    if not sep:
        scheme, rest = "http", text
    match = re.fullmatch(r"(?P<host>\[[0-9a-fA-F:.]+\]|[\w.-]*)(?::(?P<port>\d{1,5}))?(?P<path>/\S*)?", rest)
    if scheme not in ("http", "https") or not match:
        raise UsageError(
            f"{clean(value, 80)} is no address of an Ollama server.", "Write it as host:port or http://host:port."
        )
    host = match["host"] or "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - a server's bind address, made reachable
    port = match["port"] or ("11434" if not sep else {"http": "80", "https": "443"}[scheme])
    return f"{scheme}://{host}:{port}{match['path'] or ''}"
