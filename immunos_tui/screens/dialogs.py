"""Dialogs as values: each is dismissed with what was chosen, or None, and swallows every other key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static

from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.text import clean
from immunos_tui.screens.base import shown_key
from immunos_tui.widgets.chrome import RuleLine
from immunos_tui.widgets.field import LineInput
from immunos_tui.widgets.lines import LinesView


@dataclass(frozen=True)
class Choice:
    """One line of a menu: the key that chooses it, its label, and its value."""

    key: str
    label: str
    value: str


class KeyMenu(ModalScreen[str | None]):
    """A menu of single keys. ``about`` says what it is for: a count and the first of what it changes."""

    BINDINGS = [Binding("escape,q,ctrl+c", "dismiss(None)", "Back", show=False)]

    def __init__(self, title: str, choices: Sequence[Choice], about: Sequence[str] = ()) -> None:
        super().__init__()
        self._title = clean(title)
        self._choices = tuple(choices)
        self._about = tuple(map(clean, about))

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield RuleLine(classes="dialog-title")
            for line in self._about:
                yield Static(Text(line, overflow="ellipsis", no_wrap=True), classes="about")
            for choice in self._choices:
                yield Static(
                    Text.assemble(
                        ("  " + shown_key(choice.key), "bold"), "  " + choice.label, overflow="ellipsis", no_wrap=True
                    )
                )
            yield Static(Text("esc back"), classes="hint")

    def on_mount(self) -> None:
        self.call_after_refresh(self.query_one(RuleLine).set_title, self._title)

    def on_key(self, event: events.Key) -> None:
        for choice in self._choices:
            if event.key == choice.key or event.character == choice.key:
                event.stop()
                self.dismiss(choice.value)
                return


def confirm(title: str, about: Sequence[str], verb: str) -> KeyMenu:
    """A question whose safe answer is the first and every other key's."""
    return KeyMenu(title, (Choice("n", "keep everything as it is", ""), Choice("y", verb, "yes")), about)


@dataclass(frozen=True)
class Field:
    """One field of a form. ``choices`` are offered as completion and are the only values it takes, if ``strict``."""

    name: str
    label: str
    value: str = ""
    about: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    strict: bool = False
    suggester: Suggester | None = None


class ListSuggester(Suggester):
    """Completes from a list, from the first letter on; never to a text that has to be shown in another form."""

    def __init__(self, choices: Iterable[str]) -> None:
        super().__init__(use_cache=True, case_sensitive=False)
        self._choices = tuple(choice for choice in choices if clean(choice) == choice)

    async def get_suggestion(self, value: str) -> str | None:
        return next((item for item in self._choices if item.lower().startswith(value.lower())), None)


class Prompt(ModalScreen[str | None]):
    """One line of text. Enter takes it, escape leaves."""

    BINDINGS = [Binding("escape,ctrl+c", "dismiss(None)", "Back", show=False)]

    def __init__(
        self, title: str, about: Sequence[str] = (), value: str = "", suggester: Suggester | None = None
    ) -> None:
        super().__init__()
        self._title, self._about = clean(title), tuple(map(clean, about))
        self._value, self._suggester = value, suggester

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield RuleLine(classes="dialog-title")
            for line in self._about:
                yield Static(Text(line, overflow="ellipsis", no_wrap=True), classes="about")
            yield LineInput(self._value, suggester=self._suggester)
            yield Static(
                Text("enter take  right complete  esc back" if self._suggester else "enter take  esc back"),
                classes="hint",
            )

    def on_mount(self) -> None:
        self.call_after_refresh(self.query_one(RuleLine).set_title, self._title)
        self.set_focus(self.query_one(Input))

    @on(Input.Submitted)
    def take(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)

    @on(LineInput.Left)
    def leave(self) -> None:
        self.dismiss(None)


class Form(ModalScreen[dict[str, str] | None]):
    """Several fields, one a line. Enter goes to the next and, on the last, takes the form.

    ``check`` looks at the values before they are taken and returns what is wrong, or "". ``take`` is
    awaited with them; where it raises, the form stays open with the sentence. ``preview`` is awaited
    whenever the field of its name has been left, and its lines are shown below.
    """

    BINDINGS = [
        Binding("escape,ctrl+c", "dismiss(None)", "Back", show=False),
        Binding("down,tab", "step(1)", "Next field", show=False, priority=True),
        Binding("up,shift+tab", "step(-1)", "Field before", show=False, priority=True),
        Binding("enter", "next", "Next field or take", show=False, priority=True),
        Binding("ctrl+s", "take", "Take", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        *,
        check: Callable[[dict[str, str]], str] | None = None,
        take: Callable[[dict[str, str]], Awaitable[None]] | None = None,
        preview: tuple[str, Callable[[str], Awaitable[tuple[list[Text], dict[str, str]]]]] | None = None,
    ) -> None:
        super().__init__()
        self._title, self._fields, self._check, self._preview = clean(title), tuple(fields), check, preview
        self._take = take
        self._busy = False
        self._previewed = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form"):
            yield RuleLine(classes="dialog-title")
            with VerticalScroll(classes="fields", can_focus=False):
                for field in self._fields:
                    yield self._row(field)
            yield Static("", id="problem")
            if self._preview:
                yield LinesView(id="preview")
            yield Static(
                Text("enter next  up down field  right complete  ^s take  esc back", overflow="ellipsis", no_wrap=True),
                classes="hint",
            )

    @staticmethod
    def _row(field: Field) -> Widget:
        suggester = field.suggester or (ListSuggester(field.choices) if field.choices else None)
        entry = LineInput(field.value, id=f"field-{field.name}", suggester=suggester)
        label = Static(Text(field.label, style="bold", overflow="ellipsis", no_wrap=True), classes="label")
        return Horizontal(label, entry, classes="field")

    @on(events.DescendantFocus)
    def show_about(self) -> None:
        """The line below the fields says what the one with the focus takes."""
        name = (self.focused.id or "") if self.focused else ""
        field = next((item for item in self._fields if name == f"field-{item.name}"), None)
        if field:
            about = field.about or ("one of " + ", ".join(field.choices) if field.choices else "")
            self.query_one("#problem", Static).update(Text(clean(about), style="dim"))

    def on_mount(self) -> None:
        self.call_after_refresh(self.query_one(RuleLine).set_title, self._title)
        self.set_focus(self.query(Input).first())

    def values(self) -> dict[str, str]:
        """What the fields hold now, by name."""
        return {field.name: self.query_one(f"#field-{field.name}", Input).value.strip() for field in self._fields}

    def action_step(self, by: int) -> None:
        # At once and not by ``Widget.focus``, which comes later: what is typed ahead belongs in the next field.
        entries = list(self.query(Input))
        here = entries.index(self.focused) if isinstance(self.focused, Input) else 0
        self.set_focus(entries[(here + by) % len(entries)])

    def action_next(self) -> None:
        if self.focused is self.query(Input).last():
            self.action_take()
        else:
            self.action_step(1)

    @on(Input.Blurred)
    def look(self, event: Input.Blurred) -> None:
        if (
            self._preview
            and event.input.id == f"field-{self._preview[0]}"
            and event.value.strip() not in ("", self._previewed)
        ):
            self._previewed = event.value.strip()
            self.run_worker(self._show_preview(self._previewed), group="preview", exclusive=True)

    async def _show_preview(self, value: str) -> None:
        assert self._preview is not None  # noqa: S101 - only started where there is one
        view = self.query_one("#preview", LinesView)
        view.set_lines([Text("Looking …")], keep_scroll=False)
        lines, found = await self._preview[1](value)
        if self.is_attached:
            view.set_lines(lines, keep_scroll=False)
            for name, text in found.items():
                entry = self.query_one(f"#field-{name}", Input)
                if not entry.value:
                    entry.value = text

    def action_take(self) -> None:
        values = self.values()
        problem = next(
            (f"{field.label} is needed." for field in self._fields if field.required and not values[field.name]), ""
        )
        for field in self._fields:
            if field.strict and values[field.name] and values[field.name] not in field.choices:
                problem = problem or f"{field.label} takes {', '.join(field.choices)}."
        problem = problem or (self._check(values) if self._check else "")
        if problem:
            self._complain(problem)
        elif self._take is None:
            self.dismiss(values)
        elif not self._busy:
            self._busy = True
            self.run_worker(self._try(self._take, values), group="take")

    async def _try(self, take: Callable[[dict[str, str]], Awaitable[None]], values: dict[str, str]) -> None:
        try:
            await take(values)
        except ImmunosError as error:
            self._complain(f"{error.message} {error.hint}")
        else:
            self.dismiss(values)
        finally:
            self._busy = False

    def _complain(self, problem: str) -> None:
        self.query_one("#problem", Static).update(Text(clean(problem), style=self.app.palette.critical))  # type: ignore[attr-defined]

    @on(LineInput.Left)
    def leave(self) -> None:
        self.dismiss(None)


class HelpScreen(ModalScreen[None]):
    """What every key does here, in a scrolling view."""

    BINDINGS = [Binding("escape,q,question_mark,f1,ctrl+c", "dismiss(None)", "Back", show=False)]

    def __init__(self, title: str, lines: Sequence[Text]) -> None:
        super().__init__()
        self._title, self._lines = title, tuple(lines)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield RuleLine(classes="dialog-title")
            yield LinesView(id="help")
            yield Static(Text("j k move  esc back"), classes="hint")

    def on_mount(self) -> None:
        self.call_after_refresh(self.query_one(RuleLine).set_title, self._title)
        view = self.query_one(LinesView)
        view.set_lines(self._lines)
        view.focus()
