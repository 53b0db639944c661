"""The locked requirements: complete, hashed, with no address, and true to pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = {"requirements.lock": (), "requirements-dev.lock": ("dev",), "requirements-bench.lock": ("bench",)}


def wanted(groups: tuple[str, ...]) -> list[Requirement]:
    """What pyproject.toml asks for: the program's dependencies and those of the groups, included groups too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    entries: list[Any] = list(project["project"]["dependencies"])
    for group in groups:
        entries += project["dependency-groups"][group]
    plain = [entry for entry in entries if isinstance(entry, str)]
    included = [
        name
        for entry in entries
        if isinstance(entry, dict)
        for name in project["dependency-groups"][entry["include-group"]]
    ]
    return [Requirement(entry) for entry in plain + included]


def locked(name: str) -> dict[str, list[str]]:
    """Package -> the versions pinned for it (one for each range of Python versions)."""
    versions: dict[str, list[str]] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line):
            versions.setdefault(canonicalize_name(match[1]), []).append(match[2])
    return versions


@pytest.mark.parametrize("name", LOCKS)
def test_lock_holds_every_requirement(name: str) -> None:
    pins = locked(name)
    for requirement in wanted(LOCKS[name]):
        versions = pins.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement} is not in {name}: run make lock"
        wrong = [version for version in versions if not requirement.specifier.contains(version, prereleases=True)]
        assert not wrong, f"{name} pins {requirement.name} {wrong}, {requirement} is due: run make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_lock_has_hashes_and_no_address(name: str) -> None:
    entry = ""
    hashes: dict[str, int] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        text = line.removesuffix("\\").strip()
        if text.startswith("--hash=sha256:"):
            hashes[entry] += 1
        elif not text.startswith("#"):
            assert re.match(r"[A-Za-z0-9._-]+==[^ ;]+( ; [^/]+)?$", text), f"neither a pin nor a hash: {text}"
            entry = text
            hashes[entry] = 0
    assert hashes
    assert not [entry for entry, count in hashes.items() if not count]


def test_the_locks_agree() -> None:
    """One version of a package, whichever file it is installed from."""
    program, *others = (locked(name) for name in LOCKS)
    for other in others:
        assert {name: other.get(name) for name in program} == program
