"""Where files live: XDG directories, or everything under ``IMMUNOS_BASE_PATH``."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from immunos_tui.model.errors import StoreError
from immunos_tui.model.text import clean

SYSTEM_CONFIG = Path("/etc/immunos/config.toml")
"""Settings of the machine, below the user's own."""

PROJECT_CONFIG = "immunos.toml"
"""Settings of the folder that the program is started in, above the user's own."""


@dataclass(frozen=True)
class Paths:
    """The four directories of the program and the files in them; nothing is made until it is needed."""

    config: Path
    data: Path
    state: Path
    daily: Path

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def database(self) -> Path:
        return self.data / "immunos-tui.db"

    @property
    def agents(self) -> Path:
        return self.data / "agents"

    @property
    def kb(self) -> Path:
        return self.data / "kb"

    @property
    def backups(self) -> Path:
        return self.data / "backups"

    @property
    def secret_key(self) -> Path:
        return self.data / "secret.key"

    @property
    def jobs(self) -> Path:
        """Job logs and the lock file that each job's process holds for life."""
        return self.state / "jobs"

    @property
    def audit_head(self) -> Path:
        return self.state / "audit-head.json"

    @property
    def log_file(self) -> Path:
        return self.state / "immunos-tui.log"

    @property
    def view_state(self) -> Path:
        return self.state / "view.json"

    def items(self) -> dict[str, Path]:
        """Every path by name, for ``config paths``."""
        names = (
            "config config_file data database agents kb backups secret_key state jobs audit_head log_file view_state"
        )
        return {name: getattr(self, name) for name in (names + " daily").split()}


def find_paths(environ: Mapping[str, str] | None = None) -> Paths:
    """The directories that the environment asks for; relative XDG values are ignored, as their standard says."""
    env = os.environ if environ is None else environ
    base = env.get("IMMUNOS_BASE_PATH", "")
    if base:
        root = Path(base).expanduser().absolute()
        house = root / ".immunos"
        return Paths(config=house, data=house, state=house / "state", daily=root / "daily")
    home = Path(env.get("HOME") or "~").expanduser()

    def xdg(variable: str, fallback: str) -> Path:
        value = env.get(variable, "")
        return (Path(value) if value.startswith("/") else home / fallback) / "immunos"

    data = xdg("XDG_DATA_HOME", ".local/share")
    return Paths(
        config=xdg("XDG_CONFIG_HOME", ".config"),
        data=data,
        state=xdg("XDG_STATE_HOME", ".local/state"),
        daily=data / "daily",
    )


def private_dir(path: Path) -> Path:
    """Make ``path`` and the folders above it with mode 0700 where they are missing.

    Raises:
        StoreError: it cannot be made, is no directory, or its last part is a symbolic link.
    """
    try:
        # mkdir's own parents=True would leave the folders in between open to others.
        for part in reversed(path.parents):
            if not part.exists():
                part.mkdir(mode=0o700, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        mode = path.lstat().st_mode
    except OSError as error:
        raise StoreError(
            f"Cannot make the directory {clean(path)}: {error.strerror}.",
            "Check its permissions, or set IMMUNOS_BASE_PATH to a folder that you may write to.",
        ) from error
    if stat.S_ISLNK(mode):
        raise StoreError(
            f"{clean(path)} is a symbolic link, which the program does not follow for its own data.",
            "Set IMMUNOS_BASE_PATH to the real folder.",
        )
    return path


def write_private(path: Path, data: bytes) -> None:
    """Replace ``path`` as a whole, mode 0600: a reader sees the old content or the new, never half of it."""
    private_dir(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
