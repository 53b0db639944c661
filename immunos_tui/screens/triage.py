"""The steps of triage by key: each opens its dialog where it needs one, and calls the same service as the command."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from immunos_tui.model.issue import Issue, Priority, VerdictKind
from immunos_tui.model.text import clean
from immunos_tui.screens.dialogs import Choice, Field, Form, KeyMenu, ListSuggester, Prompt, confirm
from immunos_tui.services.spleen import Change, Spleen, first_error

if TYPE_CHECKING:
    from immunos_tui.screens.spleen import SpleenScreen

VERDICTS = (
    Choice("t", "threat: it is real; stays open until resolved", "threat"),
    Choice("f", "false positive: it is normal here, and should not have fired", "false_positive"),
    Choice("b", "benign: unusual, and harmless", "benign"),
    Choice("u", "duplicate: of another issue", "duplicate"),
)

STEPS: dict[str, tuple[Callable[[Spleen, Sequence[int]], Change], str]] = {
    "ack": (lambda spleen, ids: spleen.acknowledge(ids, skip=len(ids) > 1), "acknowledged"),
    "mine": (lambda spleen, ids: spleen.assign(ids, "me", skip=len(ids) > 1), "yours"),
    "reopen": (lambda spleen, ids: spleen.reopen(ids, skip=len(ids) > 1), "reopened"),
    "up": (lambda spleen, ids: spleen.step_priority(ids, 1), "one priority up"),
    "down": (lambda spleen, ids: spleen.step_priority(ids, -1), "one priority down"),
    "escalate": (lambda spleen, ids: spleen.edit(ids, {"priority": "critical"}, skip=True), "critical"),
}
"""Steps that ask nothing, with the words for what they did."""


class Triage:
    """Carries out triage for the Spleen screen: on the marked issues, or on the one under the cursor.

    Its steps raise ``ImmunosError``; the screen says it.
    """

    def __init__(self, screen: SpleenScreen) -> None:
        self._screen = screen
        self._draft = ""

    def _chosen(self) -> tuple[int, ...]:
        """What a step is for, as it is before any dialog opens: the list may move below it."""
        ids = self._screen.chosen()
        if not ids:
            self._say("There is no issue under the cursor.")
        return ids

    async def change(self, ids: Sequence[int], step: Callable[[Spleen, Sequence[int]], Change], verb: str) -> None:
        """Apply a step to issues; several are counted and listed first."""
        if len(ids) > 1 and not await self._agreed(ids, verb):
            return None
        done = await self._screen.write(lambda house: step(house.spleen, ids))
        if not done.issues:
            return self._say(first_error(done))
        self._screen.table.clear_marks()
        left = f", {len(done.skipped)} left as they were" if done.skipped else ""
        what = f"#{done.issues[0].id}" if len(done.issues) == 1 else f"{len(done.issues)} issues"
        return self._say(f"{what}: {verb}{left}. {self._screen.key_of('spleen.undo')} takes it back.")

    async def _agreed(self, ids: Sequence[int], verb: str) -> bool:
        about = await self.about(ids)
        return await self._screen.app.push_screen_wait(confirm(f"{len(ids)} issues: {verb}?", about, verb)) == "yes"

    async def about(self, ids: Sequence[int]) -> list[str]:
        """The first few of what a step would change, for a dialog."""
        found: dict[int, Issue] = await self._screen.read(lambda house: house.spleen.many(ids[:5]))
        lines = [f"#{number} {issue.priority}, {clean(issue.title, 100)}" for number, issue in found.items()]
        return lines + ([f"and {len(ids) - 5} more"] if len(ids) > 5 else [])

    def _say(self, text: str) -> None:
        self._screen.app.notify(clean(text, 300), markup=False, timeout=3)

    async def step(self, name: str) -> None:
        """A step that asks nothing."""
        if ids := self._chosen():
            await self.change(ids, *STEPS[name])

    async def verdict(self) -> None:
        """Ask what the chosen issues were."""
        ids = self._chosen()
        if ids:
            await self._verdict(ids, then_resolve=False)

    async def _verdict(self, ids: Sequence[int], *, then_resolve: bool) -> None:
        title = f"Verdict on {'#' + str(ids[0]) if len(ids) == 1 else str(len(ids)) + ' issues'}"
        about = await self.about(ids)
        if then_resolve:
            about = ["It came from detections, so resolving it takes a verdict.", *about]
        kind = await self._screen.app.push_screen_wait(KeyMenu(title, VERDICTS, about))
        if not kind:
            return None
        of = await self._duplicate_target() if kind == VerdictKind.DUPLICATE else None
        if kind == VerdictKind.DUPLICATE and of is None:
            return None
        return await self._give(ids, VerdictKind(kind), of)

    async def _give(self, ids: Sequence[int], kind: VerdictKind, of: int | None) -> None:
        done = await self._screen.write(lambda house: house.spleen.verdict(ids, kind, of=of, skip=len(ids) > 1))
        self._screen.table.clear_marks()
        word = str(kind).replace("_", " ")
        if not done.issues:
            return self._say(first_error(done))
        what = f"#{done.issues[0].id}" if len(done.issues) == 1 else f"{len(done.issues)} issues"
        return self._say(f"{what}: {word}. {self._screen.key_of('spleen.undo')} takes it back.")

    async def _duplicate_target(self) -> int | None:
        answer = await self._screen.app.push_screen_wait(
            Prompt("Duplicate of which issue?", ["Its number, such as 12."])
        )
        if answer is None:
            return None
        found = re.fullmatch(r"#?([0-9]{1,18})", answer.strip())
        if not found:
            self._say("That is no number of an issue.")
        return int(found[1]) if found else None

    async def resolve(self) -> None:
        """Resolve what is chosen, asking for a verdict where one is needed."""
        ids = self._chosen()
        if not ids:
            return None
        found = await self._screen.read(lambda house: house.spleen.many(ids))
        if any(issue.from_detections and issue.verdict is None and issue.is_open for issue in found.values()):
            return await self._verdict(ids, then_resolve=True)
        return await self.change(ids, lambda spleen, chosen: spleen.resolve(chosen, skip=len(chosen) > 1), "resolved")

    async def assign(self) -> None:
        ids = self._chosen()
        if not ids:
            return
        owners = await self._screen.read(lambda house: house.spleen.owners())
        about = await self.about(ids)
        names = ListSuggester(["me", *owners])
        answer = await self._screen.app.push_screen_wait(
            Prompt("Assign to whom? (empty hands it back)", about, suggester=names)
        )
        if answer is not None:
            owner = answer.strip() or None
            verb = f"assigned to {owner}" if owner else "handed back"
            await self.change(ids, lambda spleen, chosen: spleen.assign(chosen, owner, skip=len(chosen) > 1), verb)

    async def comment(self) -> None:
        ids = self._chosen()
        if not ids:
            return
        answer = await self._screen.app.push_screen_wait(Prompt("Comment", await self.about(ids), self._draft))
        if answer and answer.strip():
            self._draft = answer  # offered again where it could not be stored
            await self.change(ids, lambda spleen, chosen: spleen.comment(chosen, answer), "comment added")
            self._draft = ""

    async def label(self) -> None:
        ids = self._chosen()
        if not ids:
            return
        answer = await self._screen.app.push_screen_wait(Prompt("Label (again takes it away)", await self.about(ids)))
        if answer and answer.strip():
            await self.change(ids, lambda spleen, chosen: spleen.tag(chosen, answer), f"label {answer.strip()}")

    async def new_issue(self) -> None:
        fields = (
            Field("title", "Title", required=True),
            Field("body", "Text"),
            Field("priority", "Priority", "medium", choices=tuple(Priority), strict=True),
            Field("owner", "Owner", about="me, a name, or empty"),
            Field("tags", "Labels", about="separated by spaces"),
        )
        await self._screen.app.push_screen_wait(Form("New issue", fields, take=self._make))

    async def _make(self, values: dict[str, str]) -> None:
        owner = values["owner"] or None
        made = await self._screen.write(
            lambda house: house.spleen.new(
                values["title"],
                body=values["body"],
                priority=values["priority"] or "medium",
                owner=house.me if owner == "me" else owner,
                tags=values["tags"].split(),
            )
        )
        self._screen.select_soon(made.id)
        self._say(f"#{made.id} made.")

    async def undo(self, *, redo: bool = False) -> None:
        self._say(await self._screen.write(lambda house: house.spleen.redo() if redo else house.spleen.undo()))
