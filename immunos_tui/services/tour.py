"""The guided first run: an agent learns real messages, scans others, and leaves findings to triage."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable

from immunos_tui.model.agent import AgentState
from immunos_tui.model.errors import ConflictError, ImmunosError, NotFoundError
from immunos_tui.model.job import Job, JobState
from immunos_tui.model.query import Term
from immunos_tui.resources import resource
from immunos_tui.services.house import House, open_house
from immunos_tui.store import agents, detections, issues

AGENT = "tour-sms"
PROJECT = "tour"
TRAIN_ON = "samples/sms_self.csv.gz"
SCAN = "samples/sms_messages.csv.gz"

OFFER = (
    "Nothing has been learned or scanned here yet.",
    "The tour trains an agent on 2 400 real messages (SMS Spam Collection,",
    "UCI, CC BY 4.0), scans 380 others and shows what it found. It takes",
    "less than a minute, needs no network, and `immunos-tui tour --wipe` removes it.",
)


def is_untouched(house: House) -> bool:
    """Whether there is nothing at all yet, so that the tour is worth offering."""
    return not house.foundry.list() and house.spleen.posture().total == 0


def begin(house: House) -> Job:
    """Make the tour's agent and queue its training.

    Raises:
        ConflictError: the tour has been taken already.
    """
    if any(agent.name == AGENT for agent in house.foundry.list()):
        raise ConflictError(
            "The tour has been taken already.", "`immunos-tui tour --wipe` removes it, so that it can be taken again."
        )
    house.foundry.new(AGENT, "text", project=PROJECT)
    return house.thymus.add_training(AGENT, resource(TRAIN_ON), label="label", self_value="ham", notes="guided tour")


def go_on(house: House, trained: Job) -> Job:
    """Queue the scan once the training is done.

    Raises:
        ImmunosError: the training has failed.
    """
    if trained.state is not JobState.DONE:
        raise ImmunosError(
            f"The tour's training ended as {trained.state}: {trained.error or 'no reason given'}.",
            f"See {house.thymus.log_path(trained.id)}.",
        )
    return house.thymus.add_scan(AGENT, resource(SCAN))


def run_tour(house: House, say: Callable[[str], None]) -> Job:
    """Take the tour from the command line: train, scan, and say what was found."""
    stop = threading.Event()
    runner = threading.Thread(target=_work, args=(house, stop), daemon=True)
    trained = begin(house)
    runner.start()
    try:
        say("Training on 2 400 messages that are known to be normal ...")
        trained = house.thymus.wait(trained.id)
        say(f"Trained: {trained.result.get('summary', '')}")
        say("Scanning 380 others ...")
        scanned = house.thymus.wait(go_on(house, trained).id)
    finally:
        stop.set()
        runner.join(timeout=5)
    found = scanned.result
    say(f"Scanned {found.get('rows', 0)} messages: {len(found.get('issues_made', ()))} issues to triage.")
    return scanned


def _work(house: House, stop: threading.Event) -> None:
    """Work the queue in a thread, with a connection of its own."""
    mine = open_house(house.paths, house.settings, house.store.origin)
    mine.thymus.work(stop.is_set, until_empty=False)
    mine.close()


def wipe(house: House) -> int:
    """Remove the tour's agent and all that came from it; returns how many issues went.

    Raises:
        NotFoundError: the tour has not been taken.
        ConflictError: one of its jobs is running.
    """
    if any(job.agent == AGENT and job.state is JobState.RUNNING for job in house.thymus.list()):
        raise ConflictError("A job of the tour is running.", "Wait for it, or cancel it in Thymus.")
    with house.store.write() as tx:
        agent = agents.by_name(tx.db, AGENT)
        if agent is None:
            raise NotFoundError("The tour has not been taken.", "`immunos-tui tour` takes it.")
        mine = issues.ids(tx.db, (Term("agent", "=", AGENT),), tx.at)
        detections.forget_agent(tx.db, agent.id, mine)
        tx.record("tour.wipe", "agent", agent.id, {"name": AGENT, "issues": len(mine), "state": AgentState.RETIRED})
    shutil.rmtree(house.foundry.artifacts / AGENT, ignore_errors=True)
    return len(mine)
