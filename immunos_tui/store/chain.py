"""The key of the activity chain and the copy of its head outside of the database."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from immunos_tui.model.errors import StoreError
from immunos_tui.paths import private_dir


@dataclass(frozen=True)
class AuditKey:
    """The secret that activity hashes are made with; ``id`` tells keys apart without giving them away."""

    secret: bytes

    @property
    def id(self) -> str:
        return hashlib.sha256(b"immunos key id\0" + self.secret).hexdigest()[:8]


def load_key(path: Path, environ: Mapping[str, str], database: Path) -> AuditKey:
    """The key of this database, made on first run.

    ``IMMUNOS_SECRET_KEY`` is adopted only while the database does not exist yet; afterwards the
    key file decides, so that a pane started with another environment still continues the chain.

    Raises:
        StoreError: the key file cannot be read or made, or others may read it.
    """
    try:
        if not path.exists():
            _make_key(path, environ.get("IMMUNOS_SECRET_KEY", "") if not database.exists() else "")
        info = path.lstat()
        if not stat.S_ISREG(info.st_mode):
            raise StoreError(f"The key file {path} is not a regular file.", "Put the real 0600 file there.")
        if info.st_mode & 0o077:
            raise StoreError(f"Others may read the key file {path}.", f"Run `chmod 600 {path}`.")
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StoreError(
            f"Cannot use the key file {path}: {error.strerror}.", "Check its owner and permissions."
        ) from error
    if not text:
        raise StoreError(
            f"The key file {path} is empty.", "Bring it back from a backup, or remove it to start a new key."
        )
    return AuditKey(text.encode())


def _make_key(path: Path, given: str) -> None:
    """Write the key once: of several programs that start at the same time, the first one wins."""
    private_dir(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write((given or secrets.token_hex(32)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


@dataclass(frozen=True)
class AuditHead:
    """The newest row of the chain as the state directory remembers it; only ever moves forward."""

    path: Path

    def advance(self, seq: int, digest: str, *, force: bool = False) -> None:
        """Remember a newer head. A lost write costs nothing but a little of what can be proved."""
        try:
            private_dir(self.path.parent)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except (OSError, StoreError):
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            held = _parsed(os.pread(handle, 4096, 0))
            if force or held is None or held[0] < seq:
                body = json.dumps({"seq": seq, "hash": digest}).encode() + b"\n"
                os.pwrite(handle, body, 0)
                os.ftruncate(handle, len(body))
        except OSError:
            return
        finally:
            os.close(handle)

    def read(self) -> tuple[int, str] | None:
        """The remembered (seq, hash), or None where nothing is remembered."""
        try:
            return _parsed(self.path.read_bytes())
        except OSError:
            return None


def _parsed(raw: bytes) -> tuple[int, str] | None:
    try:
        body = json.loads(raw)
        return int(body["seq"]), str(body["hash"])
    except (ValueError, KeyError, TypeError):
        return None
