"""Chat (ask): says what will be here, and what to use until then."""

from __future__ import annotations

from immunos_tui.screens.planned import PlannedScreen


class ChatScreen(PlannedScreen):
    """Not built yet."""

    TAB = "chat"
    NAME = "Chat (ask)"
    SAYING = "Here you will ask a local language model about issues and pages. It is not built yet; Spleen (3) and KB (6) are."


TAB_SCREEN = ChatScreen
