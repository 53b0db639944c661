"""Foundry: agents, their versions, and which one serves."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from immunos_tui.model.errors import ConflictError, NotFoundError, UsageError
from immunos_tui.resources import resource
from immunos_tui.services.foundry import template, templates
from tests.houses import trained_agent


def test_every_shipped_template_makes_an_agent(house: Any) -> None:
    for item in templates():
        made = house.foundry.new(f"a-{item.name}", item.name)
        assert (made.state, made.domain, made.pipeline) == (
            "active" if item.role == "innate" else "stub",
            item.domain,
            item.pipeline,
        )
    assert len(templates()) == len(list(resource("templates").glob("*.toml")))
    for file in resource("templates").glob("*.toml"):
        assert tomllib.loads(file.read_text(encoding="utf-8"))["name"] == file.stem


def test_an_unknown_template_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean tabular"):
        template("tabula")


@pytest.mark.parametrize("name", ["", "A", "1a", "a b", "a/b", "..", "a" * 41, "ä", "a\n"])
def test_names_that_cannot_be_folders(house: Any, name: str) -> None:
    with pytest.raises(UsageError):
        house.foundry.new(name, "network")
    assert house.foundry.list() == []


def test_the_first_version_serves_and_later_ones_wait(house: Any) -> None:
    with pytest.raises(NotFoundError):
        house.foundry.in_service("net-1")
    house.foundry.new("net-1", "network")
    with pytest.raises(ConflictError, match="Train it first"):
        house.foundry.in_service("net-1")
    assert trained_agent(house).state == "in_service"
    assert trained_agent(house).state == "candidate"
    assert house.foundry.in_service("net-1")[1].number == 1
    house.foundry.promote("net-1")
    assert house.foundry.in_service("net-1")[1].number == 2
    assert [(item.number, item.state) for item in house.foundry.versions("net-1")] == [
        (2, "in_service"),
        (1, "candidate"),
    ]
    with pytest.raises(ConflictError, match="in service already"):
        house.foundry.promote("net-1")
    house.foundry.promote("net-1", 1)
    assert house.foundry.latest()["net-1"].number == 1
    assert house.foundry.get("net-1").state == "active"


def test_the_database_keeps_one_version_in_service(house: Any) -> None:
    trained_agent(house)
    trained_agent(house)
    with pytest.raises(Exception, match="UNIQUE"), house.store.write() as tx:
        tx.db.execute("UPDATE agent_versions SET state = 'in_service'")
