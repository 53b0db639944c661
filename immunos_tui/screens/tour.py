"""The offer of the guided first run, and the way through it on the screens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.job import Job, JobState
from immunos_tui.screens.base import TabScreen
from immunos_tui.screens.dialogs import Choice, KeyMenu
from immunos_tui.services import tour

if TYPE_CHECKING:
    from immunos_tui.app import ImmunosApp

POLL = 0.2
"""Seconds between two looks at the tour's job."""


async def offer_tour(app: ImmunosApp) -> None:
    """Offer the tour where nothing has been done yet, and go through it if it is taken."""
    screen = app.screen
    try:
        if not isinstance(screen, TabScreen) or not await screen.read(tour.is_untouched):
            return
    except ImmunosError as error:
        return app.complain(error)
    choices = (Choice("t", "take the tour", "tour"), Choice("n", "look around without it", ""))
    if not await app.push_screen_wait(KeyMenu("Welcome", choices, tour.OFFER)):
        return
    try:
        await _take(app, screen)
    except ImmunosError as error:
        app.complain(error)


async def _take(app: ImmunosApp, screen: TabScreen) -> None:
    app.action_tab("thymus")
    app.notify(
        "The agent learns what normal messages look like. You may look around meanwhile.",
        title="Tour 1 of 3",
        markup=False,
    )
    trained = await _ended(screen, await screen.write(tour.begin))
    app.notify("Now it reads messages that it has never seen.", title="Tour 2 of 3", markup=False)
    scanned = await _ended(screen, await screen.write(lambda house: tour.go_on(house, trained)))
    if scanned.state is not JobState.DONE:
        raise ImmunosError(f"The tour's scan ended as {scanned.state}.", scanned.error or "")
    app.action_tab("spleen")
    app.notify(
        "Work the list from the top: j k move, enter opens, d says what it was, u takes it back, ? lists every key.",
        title="Tour 3 of 3: triage",
        markup=False,
        timeout=12,
    )


async def _ended(screen: TabScreen, job: Job) -> Job:
    number = job.id
    while not job.state.ended:
        await asyncio.sleep(POLL)
        job = await screen.read(lambda house: house.thymus.get(number))
    return job
