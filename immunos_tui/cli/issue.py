"""``issue``: looking at issues, and every step of triage, several at once where that makes sense."""

from __future__ import annotations

import sys
from typing import Any

import click

from immunos_tui.cli.options import ISSUE, NUMBER, group, issues_argument, json_option, jsonl_option, pass_setup
from immunos_tui.cli.output import emit, emit_items, out, plural, say
from immunos_tui.cli.setup import Setup
from immunos_tui.model.errors import UsageError
from immunos_tui.model.issue import Priority, VerdictKind
from immunos_tui.model.query import SORTS
from immunos_tui.model.text import clean

CLEARABLE = ("body", "project", "tags", "due", "domain")
NOBODY = ("nobody", "-", "none")


@group("issue", "Triage: list, show and work through issues. Every step can be undone, also after a restart.")
def command() -> None:
    pass


# Looking --------------------------------------------------------------------------------------


@command.command("list")
@click.option("--query", "-q", default="", metavar="Q", help="A filter such as 'is:open prio:>=high -owner:me ssh'.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="At most this many.")
@click.option("--sort", default="urgency", metavar="S", help=f"Order: {', '.join(SORTS)}.")
@click.option("--reverse", is_flag=True, help="The other way round.")
@json_option
@jsonl_option
@pass_setup
def list_(
    setup: Setup, /, query: str, limit: int | None, sort: str, reverse: bool, as_json: bool, as_lines: bool
) -> None:
    """List the issues that a filter keeps.

    By default all of them, the most urgent first and resolved ones last.
    """
    from immunos_tui.cli.issue_view import print_list

    spleen = setup.house.spleen
    found = spleen.list(query, sort, reverse, -1 if limit is None else limit)
    known = spleen.many(found.ids)
    issues = [known[number] for number in found.ids if number in known]
    if as_json or as_lines:
        emit_items((issue.as_dict() for issue in issues), lines=as_lines, query=query, total=found.total)
        return
    if not issues:
        say("No issue matches." if found.total else "There are no issues.")
        return
    print_list(issues, setup.house.store.clock())
    if len(issues) < found.total:
        say(f"{len(issues)} of {plural(found.total, 'issue')}.")


@command.command()
@click.argument("number", type=ISSUE, metavar="ID")
@click.option(
    "--evidence", type=click.IntRange(min=0), metavar="N", help="At most this many detections: 3, in JSON 20."
)
@json_option
@pass_setup
def show(setup: Setup, /, number: int, evidence: int | None, as_json: bool) -> None:
    """Show an issue with its evidence, comments and activity."""
    from immunos_tui.cli.issue_view import detail_dict, print_detail

    detail = setup.house.spleen.detail(number, (20 if as_json else 3) if evidence is None else evidence)
    if as_json:
        emit(detail_dict(detail))
    else:
        print_detail(detail, setup.house.store.clock())


# Steps ----------------------------------------------------------------------------------------


@command.command()
@click.argument("title")
@click.option("--body", default="", metavar="B", help="A longer text; - reads it from standard input.")
@click.option("--priority", metavar="P", help=f"{', '.join(Priority)}; medium where it is not given.")
@click.option("--owner", metavar="O", help="Whom to assign it to; 'me' is yourself.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="A label; may be given several times.")
@click.option("--project", metavar="NAME")
@click.option("--due", metavar="YYYY-MM-DD")
@click.option("--domain", metavar="NAME")
@json_option
@pass_setup
def new(setup: Setup, /, title: str, body: str, owner: str | None, as_json: bool, **fields: Any) -> None:
    """Make an issue by hand and print its number."""
    spleen = setup.house.spleen
    fields |= {"body": read_text(body), "owner": spleen.me if owner == "me" else owner}
    made = spleen.new(title, **fields)
    if as_json:
        emit(made.as_dict())
    else:
        out(str(made.id))


@command.command()
@issues_argument
@json_option
@pass_setup
def ack(setup: Setup, /, ids: tuple[int, ...], as_json: bool) -> None:
    """Acknowledge new issues: somebody has seen them."""
    report_change(setup.house.spleen.acknowledge(ids), as_json)


@command.command()
@click.argument("words", nargs=-1, required=True, metavar="ID... [OWNER]")
@click.option("--owner", metavar="O", help="The owner, where the name is not the last word.")
@json_option
@pass_setup
def assign(setup: Setup, /, words: tuple[str, ...], owner: str | None, as_json: bool) -> None:
    """Assign issues to OWNER, or hand them back.

    OWNER is a name, 'me' for yourself, or 'nobody'.
    """
    ids = list(words)
    if owner is None:
        if len(ids) < 2:
            raise UsageError(
                "Say whom to assign to.", "For example `immunos-tui issue assign 12 me`; `nobody` hands back."
            )
        owner = ids.pop()
    name = None if owner in NOBODY else owner
    report_change(setup.house.spleen.assign(numbers(ids), name), as_json)


@command.command()
@issues_argument
@click.option("--title", metavar="TITLE")
@click.option("--body", metavar="B", help="The longer text; - reads it from standard input.")
@click.option("--priority", metavar="P", help=f"{', '.join(Priority)}.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="The labels, in place of those that it has.")
@click.option("--project", metavar="NAME")
@click.option("--due", metavar="YYYY-MM-DD")
@click.option("--domain", metavar="NAME")
@click.option("--clear", multiple=True, type=click.Choice(CLEARABLE), help="Empty a field.")
@json_option
@pass_setup
def edit(
    setup: Setup, /, ids: tuple[int, ...], body: str | None, clear: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Change fields of issues."""
    fields = {name: value for name, value in given.items() if value not in (None, ())}
    if body is not None:
        fields["body"] = read_text(body)
    both = set(fields) & set(clear)
    if both:
        raise UsageError(f"{', '.join(sorted(both))} cannot be set and cleared at once.", "Leave one of the two out.")
    fields |= {name: () if name == "tags" else "" for name in clear}
    report_change(setup.house.spleen.edit(ids, fields), as_json)


@command.command()
@click.argument("words", nargs=-1, required=True, metavar="ID... TEXT")
@json_option
@pass_setup
def comment(setup: Setup, /, words: tuple[str, ...], as_json: bool) -> None:
    """Add TEXT as a comment to issues.

    A TEXT of - is read from standard input.
    """
    if len(words) < 2:
        raise UsageError(
            "A comment needs an issue and a text.", "For example `immunos-tui issue comment 12 'seen on host 3'`."
        )
    change = setup.house.spleen.comment(numbers(words[:-1]), read_text(words[-1]))
    report_change(change, as_json)


@command.command()
@click.argument("words", nargs=-1, required=True, metavar="ID... KIND")
@click.option("--of", type=ISSUE, metavar="ID", help="The issue that it is a duplicate of.")
@click.option("--why", metavar="W", help="The reason.")
@json_option
@pass_setup
def verdict(setup: Setup, /, words: tuple[str, ...], of: int | None, why: str | None, as_json: bool) -> None:
    """Say what issues were.

    KIND is threat, false_positive, benign or duplicate (--of ID). All but threat resolve them.
    """
    if len(words) < 2:
        raise UsageError("A verdict needs an issue and a kind.", f"Kinds: {', '.join(VerdictKind)}.")
    change = setup.house.spleen.verdict(numbers(words[:-1]), words[-1], of=of, why=why)
    report_change(change, as_json)


@command.command()
@issues_argument
@json_option
@pass_setup
def resolve(setup: Setup, /, ids: tuple[int, ...], as_json: bool) -> None:
    """Resolve issues.

    Those that came from detections need a verdict first.
    """
    report_change(setup.house.spleen.resolve(ids), as_json)


@command.command()
@issues_argument
@json_option
@pass_setup
def reopen(setup: Setup, /, ids: tuple[int, ...], as_json: bool) -> None:
    """Open resolved issues again."""
    report_change(setup.house.spleen.reopen(ids), as_json)


@command.command()
@click.argument("activity", type=NUMBER, required=False)
@json_option
@pass_setup
def undo(setup: Setup, /, activity: int | None, as_json: bool) -> None:
    """Take back your latest step that still stands.

    With the number of an activity, as `issue show` has them, take back that step, whoever took it.
    """
    _say_done(setup.house.spleen.undo(activity), as_json)


@command.command()
@json_option
@pass_setup
def redo(setup: Setup, /, as_json: bool) -> None:
    """Bring back what your latest undo took away."""
    _say_done(setup.house.spleen.redo(), as_json)


# Shared ---------------------------------------------------------------------------------------


def numbers(words: tuple[str, ...] | list[str]) -> list[int]:
    """Issue numbers from words such as 12 and #12."""
    try:
        return [ISSUE.convert(word, None, None) for word in words]
    except click.BadParameter as error:
        raise UsageError(error.message, "Put a text of several words in quotes.") from error


def read_text(text: str) -> str:
    """The text, or standard input where it is a single dash."""
    if text != "-":
        return text
    if sys.stdin is None:
        raise UsageError("Standard input is closed.", "Give the text itself.")
    return sys.stdin.buffer.read().decode("utf-8", "backslashreplace").rstrip("\n")


def report_change(change: Any, as_json: bool) -> None:
    """What a step did, one issue a line; what was so already is said on standard error."""
    from immunos_tui.cli.issue_view import step_line

    if as_json:
        emit_items([issue.as_dict() for issue in change.issues], skipped={str(k): v for k, v in change.skipped.items()})
        return
    for issue in change.issues:
        out(step_line(issue))
    for reason in change.skipped.values():
        say(clean(reason))


def _say_done(sentence: str, as_json: bool) -> None:
    if as_json:
        emit({"message": sentence})
    else:
        out(clean(sentence))
