"""The program's object graph, made in one place for the screens, the commands, the jobs and the tests."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from immunos_tui.config import Settings
from immunos_tui.paths import Paths
from immunos_tui.services.audit import Audit
from immunos_tui.services.foundry import Foundry
from immunos_tui.services.kb import KnowledgeBase
from immunos_tui.services.spleen import Spleen
from immunos_tui.services.thymus import Thymus
from immunos_tui.store import AuditHead, Store, load_key

if TYPE_CHECKING:
    from immunos_tui.services.malt import Malt


class House:
    """Every service over one store, for one thread."""

    def __init__(self, paths: Paths, settings: Settings, store: Store, me: str) -> None:
        self.paths = paths
        self.settings = settings
        self.store = store
        self.me = me

    @cached_property
    def spleen(self) -> Spleen:
        return Spleen(self.store, self.settings.spleen, self.me)

    @cached_property
    def foundry(self) -> Foundry:
        return Foundry(self.store, self.paths.agents)

    @cached_property
    def thymus(self) -> Thymus:
        return Thymus(self.store, self.foundry, self.paths, self.settings.thymus)

    @cached_property
    def malt(self) -> Malt:
        from immunos_tui.services.malt import Malt  # noqa: PLC0415 - imports numpy, 50 ms

        return Malt(self.store, self.foundry, self.settings)

    @cached_property
    def audit(self) -> Audit:
        return Audit(self.store)

    @cached_property
    def kb(self) -> KnowledgeBase:
        return KnowledgeBase(self.paths.kb)

    def close(self) -> None:
        self.store.close()


def open_house(
    paths: Paths, settings: Settings, origin: str = "cli", environ: Mapping[str, str] | None = None
) -> House:
    """The services; the database is made or opened when the first of them needs it.

    Raises:
        StoreError: the key of the activity record cannot be read or made.
    """
    env = os.environ if environ is None else environ
    key = load_key(paths.secret_key, env, paths.database)
    actor, me = who(env)
    store = Store(
        paths.database, key, AuditHead(paths.audit_head), actor=actor, origin=origin, read_only=settings.ui.read_only
    )
    return House(paths, settings, store, me)


def who(environ: Mapping[str, str]) -> tuple[str, str]:
    """The OS user as the record names it, with the user behind sudo, and the plain name of the person."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    behind = environ.get("SUDO_USER", "") if os.getuid() == 0 else ""
    if behind and behind != name:
        return f"{behind} as {name}", behind
    return name, name
