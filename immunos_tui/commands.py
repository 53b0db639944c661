"""The palette: every binding of the screen is a command, so that nobody has to know a key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

from immunos_tui.screens.base import shown_key
from immunos_tui.screens.help import in_order


class BindingCommands(Provider):
    """What can be done on the screen below the palette."""

    def _bindings(self) -> Iterator[tuple[DOMNode, Binding, str]]:
        seen = set()
        for active in in_order(self.screen):
            binding = active.binding
            if binding.description and binding.id and binding.id not in seen and active.enabled:
                seen.add(binding.id)
                yield active.node, binding, f"{binding.description}  ({shown_key(binding.key)})"

    async def discover(self) -> Hits:
        for node, binding, label in self._bindings():
            yield DiscoveryHit(label, partial(self.app.run_action, binding.action, node), help=binding.tooltip or None)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for node, binding, label in self._bindings():
            score = matcher.match(f"{label} {binding.tooltip}")
            if score > 0:
                yield Hit(
                    score, label, partial(self.app.run_action, binding.action, node), help=binding.tooltip or None
                )
