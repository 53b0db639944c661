"""The steps of triage by key: each opens its dialog where it needs one, and calls the same service as the command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING


from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.issue import Issue, Priority, VerdictKind
from immunos_tui.model.text import clean, cut
from immunos_tui.screens.dialogs import Choice, Field, Form, KeyMenu, ListSuggester, Prompt, confirm
from immunos_tui.services.spleen import Change, Spleen, first_error

if TYPE_CHECKING:
    from immunos_tui.screens.spleen import SpleenScreen

VERDICTS = (
    Choice("t", "threat: it is real; stays open until resolved", "threat"),
    Choice("f", "false positive: it is normal; becomes part of self when the agent is trained again", "false_positive"),
    Choice("b", "benign: unusual, and harmless", "benign"),
    Choice("u", "duplicate: of another issue", "duplicate"),
)


class Triage:
    """Carries out triage for the Spleen screen: on the marked issues, or on the one under the cursor."""

    def __init__(self, screen: SpleenScreen) -> None:
        self._screen = screen

    async def change(self, step: Callable[[Spleen, Sequence[int]], Change], verb: str) -> None:
        """Apply a step to what is chosen; several are counted and listed first."""
        ids = self._screen.chosen()
        if not ids:
            return self._say("There is no issue under the cursor.")
        if len(ids) > 1 and not await self._agreed(ids, verb):
            return None
        try:
            done = await self._screen.write(lambda house: step(house.spleen, ids))
        except ImmunosError as error:
            return self._screen.app.complain(error)
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
        self._screen.app.notify(cut(text, 300), markup=False, timeout=3)

    async def verdict(self, *, then_resolve: bool = False) -> None:
        """Ask what the chosen issues were."""
        ids = self._screen.chosen()
        if not ids:
            return self._say("There is no issue under the cursor.")
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
        try:
            done = await self._screen.write(lambda house: house.spleen.verdict(ids, kind, of=of, skip=len(ids) > 1))
        except ImmunosError as error:
            return self._screen.app.complain(error)
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
        text = (answer or "").strip().lstrip("#")
        if answer is not None and not text.isdigit():
            self._say("That is no number of an issue.")
        return int(text) if text.isdigit() else None

    async def resolve(self) -> None:
        """Resolve what is chosen, asking for a verdict where one is needed."""
        ids = self._screen.chosen()
        found = await self._screen.read(lambda house: house.spleen.many(ids))
        if any(issue.from_detections and issue.verdict is None and issue.is_open for issue in found.values()):
            return await self.verdict(then_resolve=True)
        return await self.change(lambda spleen, chosen: spleen.resolve(chosen, skip=len(chosen) > 1), "resolved")

    async def assign(self) -> None:
        owners = await self._screen.read(lambda house: house.spleen.owners())
        about = await self.about(self._screen.chosen())
        names = ListSuggester(["me", *owners])
        answer = await self._screen.app.push_screen_wait(
            Prompt("Assign to whom? (empty hands it back)", about, suggester=names)
        )
        if answer is not None:
            owner = answer.strip() or None
            verb = f"assigned to {owner}" if owner else "handed back"
            await self.change(lambda spleen, ids: spleen.assign(ids, owner, skip=len(ids) > 1), verb)

    async def comment(self) -> None:
        about = await self.about(self._screen.chosen())
        answer = await self._screen.app.push_screen_wait(Prompt("Comment", about))
        if answer and answer.strip():
            await self.change(lambda spleen, ids: spleen.comment(ids, answer), "comment added")

    async def label(self) -> None:
        about = await self.about(self._screen.chosen())
        answer = await self._screen.app.push_screen_wait(Prompt("Label (again takes it away)", about))
        if answer and answer.strip():
            await self.change(lambda spleen, ids: spleen.tag(ids, answer), f"label {answer.strip()}")

    async def new_issue(self) -> None:
        fields = (
            Field("title", "Title", required=True),
            Field("body", "Text"),
            Field("priority", "Priority", "medium", choices=tuple(Priority), strict=True),
            Field("owner", "Owner", about="me, a name, or empty"),
            Field("tags", "Labels", about="separated by spaces"),
        )
        values = await self._screen.app.push_screen_wait(Form("New issue", fields))
        if values is None:
            return
        owner = values["owner"] or None
        try:
            made = await self._screen.write(
                lambda house: house.spleen.new(
                    values["title"],
                    body=values["body"],
                    priority=values["priority"] or "medium",
                    owner=house.me if owner == "me" else owner,
                    tags=values["tags"].split(),
                )
            )
        except ImmunosError as error:
            return self._screen.app.complain(error)
        self._screen.select_soon(made.id)
        self._say(f"#{made.id} made.")

    async def undo(self, *, redo: bool = False) -> None:
        try:
            said = await self._screen.write(lambda house: house.spleen.redo() if redo else house.spleen.undo())
        except ImmunosError as error:
            return self._screen.app.complain(error)
        return self._say(said)
