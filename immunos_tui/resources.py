"""The files that ship with the program: schema, migrations, templates, pages, rules, samples.

In a wheel they lie inside the package, in a checkout beside it; this is the one place that knows.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_dir() -> Path:
    """The folder ``data/``, from a wheel or an editable install alike."""
    inside = _PACKAGE / "data"
    return inside if inside.is_dir() else _PACKAGE.parent / "data"


def resource(name: str) -> Path:
    """The path of one shipped file or folder, such as ``kb`` or ``schema.sql``."""
    return data_dir() / name
