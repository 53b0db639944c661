"""Trained numbers on disk: one ``.npz`` and one ``.json`` manifest, never a pickle.

The manifest holds the archive's sha256 and a sha256 over its own content, so a change to either file is found. Equal training
gives an equal archive, byte for byte: zip members carry a fixed date and nothing in them names a host or a time.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunos_tui import __version__
from immunos_tui.model.errors import ArtifactError

FORMAT = 2
"""The version of the artifact's layout; another one is refused."""
_META = "meta"
_RETRAIN = "Train the agent again, or restore the file from a backup."


def paths(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The archive and the manifest that ``path`` (with or without one of their suffixes) means."""
    base = Path(path)
    if base.suffix in (".npz", ".json"):
        base = base.with_suffix("")
    return base.with_name(base.name + ".npz"), base.with_name(base.name + ".json")


def write_artifact(
    path: str | os.PathLike[str],
    arrays: Mapping[str, NDArray[Any]],
    meta: Mapping[str, Any],
    about: Mapping[str, Any],
) -> Path:
    """Write both files atomically, private to the user, and return the archive's path.

    ``meta`` is what the numbers mean and goes into the archive; ``about`` (seed, parameters, metrics, columns) is for people
    and goes into the manifest only. Raises ArtifactError where a file cannot be written.
    """
    archive, manifest = paths(path)
    content = _pack({**arrays, _META: np.frombuffer(_canonical(meta), dtype=np.uint8)})
    record = {
        **about,
        "format": FORMAT,
        "code_version": __version__,
        "numpy_version": np.__version__,
        "python_version": platform.python_version(),
        "host": platform.node(),
        "machine": platform.machine(),
        "npz_sha256": hashlib.sha256(content).hexdigest(),
        "npz_bytes": len(content),
    }
    record["manifest_sha256"] = _seal(record)
    try:
        archive.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(archive, content)
        _replace(manifest, json.dumps(record, indent=1, sort_keys=True).encode() + b"\n")
    except OSError as error:
        raise ArtifactError(f"The artifact {archive} cannot be written: {error.strerror}.") from error
    return archive


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of an artifact, checked against its own sha256. Raises ArtifactError where it was changed."""
    manifest = paths(path)[1]
    try:
        record = json.loads(_bytes(manifest))
    except ValueError as error:
        raise ArtifactError(f"{manifest} is not a manifest: {error}.", _RETRAIN) from error
    if not isinstance(record, dict) or record.get("manifest_sha256") != _seal(record):
        raise ArtifactError(f"{manifest} was changed since it was written.", _RETRAIN)
    if record.get("format") != FORMAT:
        raise ArtifactError(f"{manifest} has the format {record.get('format')}, this version reads {FORMAT}.", _RETRAIN)
    return record


def read_artifact(
    path: str | os.PathLike[str],
) -> tuple[dict[str, NDArray[Any]], dict[str, Any], dict[str, Any]]:
    """The arrays, their meaning and the manifest. Raises ArtifactError for any mismatch, missing part or damage."""
    archive = paths(path)[0]
    record = read_manifest(path)
    content = _bytes(archive)
    if hashlib.sha256(content).hexdigest() != record.get("npz_sha256"):
        raise ArtifactError(f"{archive} does not match its manifest: it was changed or cut short.", _RETRAIN)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in packed.files}
        meta = json.loads(arrays.pop(_META).tobytes())
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise ArtifactError(f"{archive} is not an artifact: {error}.", _RETRAIN) from error
    return arrays, meta, record


def _pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An uncompressed npz whose bytes depend on nothing but the arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(arrays):
            part = io.BytesIO()
            np.lib.format.write_array(part, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            packed.writestr(zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0)), part.getvalue())
    return buffer.getvalue()


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _seal(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical({k: v for k, v in record.items() if k != "manifest_sha256"})).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactError(f"The artifact's file {path} is missing.", _RETRAIN) from error
    except OSError as error:
        raise ArtifactError(f"The artifact's file {path} cannot be read: {error.strerror}.", _RETRAIN) from error


def _replace(path: Path, content: bytes) -> None:
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
