"""Foundry (agents): says what will be here, and what to use until then."""

from __future__ import annotations

from immunos_tui.screens.planned import PlannedScreen


class FoundryScreen(PlannedScreen):
    """Not built yet."""

    TAB = "foundry"
    NAME = "Foundry (agents)"
    SAYING = "Here you will design agents from templates. It is not built yet; the intake in Thymus (2, then n) makes one, and so does `immunos-tui agent new`."


TAB_SCREEN = FoundryScreen
