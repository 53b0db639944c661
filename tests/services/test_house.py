"""The object graph: who is asking, and what a house makes when."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from immunos_tui.config import Settings
from immunos_tui.model.errors import StoreError
from immunos_tui.paths import find_paths, private_dir, write_private
from immunos_tui.services.house import open_house, who


def test_the_person_behind_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    name = pwd.getpwuid(os.getuid()).pw_name
    assert who({}) == (name, name)
    monkeypatch.setattr("os.getuid", lambda: 0)
    root = pwd.getpwuid(0).pw_name
    assert who({"SUDO_USER": "alice"}) == (f"alice as {root}", "alice")
    assert who({"SUDO_USER": root}) == (root, root)
    monkeypatch.setattr("os.getuid", lambda: 4242)
    assert who({"SUDO_USER": "alice"}) == ("4242", "4242")


def test_a_house_makes_no_database_until_it_is_needed(base: Path) -> None:
    house = open_house(find_paths(), Settings())
    assert not house.paths.database.exists()
    house.spleen.posture()
    assert stat.S_IMODE(house.paths.database.stat().st_mode) == 0o600
    assert stat.S_IMODE(house.paths.data.stat().st_mode) == 0o700
    house.close()


def test_paths_follow_the_standard() -> None:
    paths = find_paths({"HOME": "/home/x", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "relative", "XDG_CONFIG_HOME": ""})
    assert paths.database == Path("/d/immunos/immunos-tui.db")
    assert paths.log_file == Path("/home/x/.local/state/immunos/immunos-tui.log")
    assert paths.config_file == Path("/home/x/.config/immunos/config.toml")
    base = find_paths({"HOME": "/home/x", "XDG_DATA_HOME": "/d", "IMMUNOS_BASE_PATH": "/b"})
    assert base.database == Path("/b/.immunos/immunos-tui.db")
    assert base.daily == Path("/b/daily")


def test_a_directory_of_our_own_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(StoreError, match="symbolic link"):
        private_dir(tmp_path / "link")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Cannot make the directory"):
        private_dir(tmp_path / "file")


def test_a_private_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "file"
    write_private(path, b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def fail(*_args: object) -> None:
        raise OSError("no")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no"):
        write_private(path, b"two")
    assert path.read_bytes() == b"one"
    assert [item.name for item in path.parent.iterdir()] == ["file"]
