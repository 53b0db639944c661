"""What every tab has in common: the frame, the snapshot, and calls to the services off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.css.query import NoMatches
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker

from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.posture import Snapshot
from immunos_tui.model.text import clean
from immunos_tui.screens.compositing import LineCompositor
from immunos_tui.widgets.chrome import HeadLine, KeyLine, PostureLine
from immunos_tui.widgets.lines import LinesView
from immunos_tui.widgets.table import RowTable

if TYPE_CHECKING:
    from immunos_tui.app import ImmunosApp
    from immunos_tui.services.house import House

T = TypeVar("T")

TABS = (
    ("chat", "Chat"),
    ("thymus", "Thymus"),
    ("spleen", "Spleen"),
    ("system", "System"),
    ("foundry", "Foundry"),
    ("kb", "KB"),
)


SMALLEST = (60, 15)
"""Columns and rows below which a tab is one line of posture, and its own keys do nothing: one acts on what one sees."""


class TabScreen(Screen[None]):
    """One tab. A hidden one only notes that it is stale, and looks again when it is shown."""

    AUTO_FOCUS = ""
    TAB: ClassVar[str] = ""
    HINTS: ClassVar[tuple[tuple[str, str], ...]] = ()
    """(binding id, verb) of the keys to show, most important first."""

    snapshot: reactive[Snapshot] = reactive(Snapshot(), init=False, repaint=False)

    if TYPE_CHECKING:

        @property
        def app(self) -> ImmunosApp: ...  # type: ignore[override]

    def __init__(self) -> None:
        super().__init__()
        self._compositor = LineCompositor()
        # A screen that is born with the style sheet in force needs no second reading of it.
        self._css_update_count = self.app._css_update_count
        self._drawn: Snapshot | None = None
        self._asking: object | None = None

    def compose(self) -> ComposeResult:
        yield HeadLine()
        yield PostureLine()
        yield from self.compose_body()
        yield KeyLine()

    def compose_body(self) -> Iterable[Widget]:
        """The widgets between the two lines of the frame."""
        return ()

    def on_mount(self) -> None:
        if self.children:  # there are none where the program is left while the tab is being made
            self.show_frame()
            self.begin()

    def begin(self) -> None:
        """The tab has its widgets: show what is known already, and give one of them the focus."""

    # The snapshot -------------------------------------------------------------------------

    def watch_snapshot(self) -> None:
        if self.is_current or (self.app.screen_stack and self.app.screen_stack[0] is self):
            self._catch_up()

    def on_screen_resume(self) -> None:
        self._catch_up()
        if self.app.key_changes:
            self.call_after_refresh(self.find_lost_keys)

    def find_lost_keys(self) -> None:
        """Actions whose key the settings gave to another one."""
        changes = self.app.key_changes
        given = {key.strip() for keys in changes.values() for key in keys.split(",")}
        here = (self.focused or self).ancestors_with_self
        known = {
            binding.id: changes.get(binding.id, binding.key)
            for node in here
            for _, binding in node._bindings
            if binding.id
        }
        held = {active.binding.id for active in self.active_bindings.values()}
        self.app.say_lost_keys(
            {name for name, key in known.items() if name not in held and given & set(key.split(","))}
        )

    def _catch_up(self) -> None:
        """Draw what has changed since this screen last drew."""
        if not self.is_mounted or not self.children:
            return
        before, now = self._drawn, self.snapshot
        self.show_frame()
        if before != now:
            self._drawn = now
            self.snapshot_changed(before, now)

    def restyle(self) -> None:
        """The colours have changed: draw everything again, once it is shown."""
        self._drawn = None
        if self.app.screen_stack and self.app.screen_stack[0] is self:
            self._catch_up()

    def snapshot_changed(self, before: Snapshot | None, now: Snapshot) -> None:
        """Something that the monitor watches is different, or everything where ``before`` is None; only while shown."""

    # The frame ----------------------------------------------------------------------------

    def show_frame(self) -> None:
        """Bring both lines up to date; they repaint only where they differ."""
        if not self.children:
            return  # the screen is being taken down
        self.query_one(HeadLine).set_state(self.app.host_name, TABS, self.TAB, self.app.head_pieces(self.snapshot))
        self.query_one(PostureLine).set_posture(self.snapshot.posture)
        self.query_one(KeyLine).set_keys(self.hints())

    def hints(self) -> list[tuple[str, str]]:
        """(key, verb) for the bottom line."""
        return [(self.key_of(binding), verb) for binding, verb in self.hint_ids()]

    def hint_ids(self) -> Iterable[tuple[str, str]]:
        """(binding id, verb) of the keys that matter under the cursor."""
        return self.HINTS

    def key_of(self, binding_id: str) -> str:
        """The key that the operator has for a binding, as it is written on screen."""
        changed = self.app.key_changes.get(binding_id)
        if changed:
            return shown_key(changed)
        for owner in (type(self), type(self.app), RowTable, LinesView):
            for binding in owner.BINDINGS:
                if isinstance(binding, Binding) and binding.id == binding_id:
                    return shown_key(binding.key)
        return "?"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self._asking and not self.has_class("-tiny"):
            return True
        return not hasattr(type(self), f"action_{action}") or hasattr(Screen, f"action_{action}")

    def on_resize(self, _event: events.Resize) -> None:
        self.set_class(self.app.size.width >= 110, "-wide")
        self.set_class(self.app.size.height < 20, "-short")
        self.set_class(self.app.size.width < SMALLEST[0] or self.app.size.height < SMALLEST[1], "-tiny")
        self.call_after_refresh(self.show_frame)

    # The services -------------------------------------------------------------------------

    def run_worker(self, work: Any, *args: Any, **options: Any) -> Worker[Any]:
        """As Textual's; where the program is left meanwhile, a worker that finds no widgets any more is no fault."""
        return super().run_worker(partial(self._while_running, work), *args, **options)

    async def _while_running(self, work: Any) -> Any:
        try:
            return await (work() if callable(work) else work)
        except NoMatches:
            if self.app.is_running:
                raise
            return None

    async def read(self, work: Callable[[House], T]) -> T:
        """Run a look-up in the reading lane."""
        return await asyncio.wrap_future(self.app.reading.submit(work))

    async def look_at(self, work: Callable[[House], T]) -> T:
        """Run something that may take long, such as looking at a file, in a lane of its own."""
        return await asyncio.wrap_future(self.app.looking.submit(work))

    async def write(self, work: Callable[[House], T]) -> T:
        """Run a change in the writing lane, and let the monitor see it at once."""
        self._asking = None  # the answers are all given: the next key is a command again
        try:
            return await asyncio.wrap_future(self.app.writing.submit(work))
        finally:
            self.app.look_again()

    def ask(self, step: Coroutine[Any, Any, None]) -> None:
        """Carry out a step that opens a dialog.

        The tab's own keys rest until it has ended: what is typed ahead into a dialog that is not open yet is no command.
        """
        self._asking = mine = object()
        self.run_worker(self._asked(step, mine), group="step")

    async def _asked(self, step: Coroutine[Any, Any, None], mine: object) -> None:
        try:
            await self.attempt(step)
        finally:
            if self._asking is mine:  # not where another step has begun to ask meanwhile
                self._asking = None

    async def attempt(self, step: Awaitable[None]) -> None:
        """Await a step; what it raises for the operator becomes a sentence on the screen."""
        try:
            await step
        except ImmunosError as error:
            self.app.complain(error)

    @work(group="tell", exit_on_error=True)
    async def tell(self, step: Awaitable[str | None]) -> None:
        """Await a step and say how it went: its sentence, or its error."""
        try:
            said = await step
        except ImmunosError as error:
            self.app.complain(error)
        else:
            if said:
                self.app.notify(clean(said, 400), markup=False, timeout=4)


def shown_key(keys: str) -> str:
    """The first of a binding's keys as it is written on screen."""
    key = keys.split(",", 1)[0].strip()
    names = {
        "slash": "/",
        "question_mark": "?",
        "colon": ":",
        "exclamation_mark": "!",
        "plus": "+",
        "minus": "-",
        "escape": "esc",
        "left_square_bracket": "[",
        "right_square_bracket": "]",
        "pagedown": "PgDn",
        "pageup": "PgUp",
        "full_stop": ".",
    }
    return names.get(key, key.replace("ctrl+", "^") if key.startswith("ctrl+") else key)
