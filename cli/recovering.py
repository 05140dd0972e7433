"""The operator's commands of recovery: audit trail, replay, dead letters, sweep.

Must not do the work itself.
The modules that do it are imported when their command runs, so that `--help` is quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Url, Var
from cli.trouble import told_plainly

dead_letters = typer.Typer(
    name="dead-letters",
    help="Messages that a service gave up: list, show, replay, discard.",
    no_args_is_help=True,
)
Sequences = Annotated[list[int], typer.Argument(help="Numbers as `list` shows them.")]


@dead_letters.command("list")
@told_plainly
def list_dead_letters(
    state: Annotated[
        str, typer.Option(help="open, replayed, discarded or all.", metavar="STATE")
    ] = "open",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 50,
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """List what services gave up, newest first."""
    from rich.console import Console

    from cli.client import connect
    from cli.letters import letters, show_letters

    with connect(url or None, var) as client:
        show_letters(letters(client, state, limit), Console())


@dead_letters.command("show")
@told_plainly
def show_dead_letter(
    sequence: Annotated[int, typer.Argument(help="A number as `list` shows it.")],
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Print one with the message that was given up, as JSON."""
    from cli.client import connect
    from cli.letters import letter

    with connect(url or None, var) as client:
        typer.echo(letter(client, sequence).model_dump_json(indent=2))


@dead_letters.command("replay")
@told_plainly
def replay_dead_letters(sequences: Sequences, url: Url = "", var: Var = Path("var")) -> None:
    """Deliver the messages again; a job that failed for one runs again."""
    _deal("replay", sequences, url, var)


@dead_letters.command("discard")
@told_plainly
def discard_dead_letters(sequences: Sequences, url: Url = "", var: Var = Path("var")) -> None:
    """Put them away: nothing is to be done about them."""
    _deal("discard", sequences, url, var)


def _deal(action: str, sequences: list[int], url: str, var: Path) -> None:
    from cli.client import connect
    from cli.letters import deal

    with connect(url or None, var) as client:
        for sequence in sequences:
            typer.echo(f"{sequence}: {deal(client, action, sequence).replace('_', ' ')}")


@told_plainly
def events(
    job_id: Annotated[str, typer.Argument(help="The job.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, everything in it.")
    ] = False,
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Print everything that was recorded of a job, in order: its audit trail."""
    from rich.console import Console

    from cli.client import connect
    from cli.trail import show_trail, trail

    with connect(url or None, var) as client:
        if as_json:
            for event in trail(client, job_id):
                typer.echo(event.model_dump_json())
        else:
            show_trail(trail(client, job_id), Console())


@told_plainly
def replay(
    job_id: Annotated[str, typer.Argument(help="An ended job; none with --rebuild.")] = "",
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="STAGE", help="media, composition, execution or collection."
        ),
    ] = None,
    workflow: Annotated[
        str | None,
        typer.Option("--workflow", metavar="VERSION", help="Another version of its workflow."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be published.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Drop the read model and rebuild it from the streams.")
    ] = False,
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Make an ended job again: a failed one as another attempt, any other as a new job."""
    from rich.console import Console

    from cli.client import connect
    from cli.replaying import rebuild_read_model, replay_job, show_replay

    if bool(job_id) == rebuild or (rebuild and (start or workflow or dry_run)):
        raise typer.BadParameter("name a job, or --rebuild alone")
    console = Console(soft_wrap=True)
    with connect(url or None, var) as client:
        if rebuild:
            rebuild_read_model(client, console)
        else:
            show_replay(replay_job(client, job_id, start, workflow, dry_run=dry_run), console)


@told_plainly
def gc(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be removed.")
    ] = False,
    grace_hours: Annotated[
        float | None,
        typer.Option("--grace-hours", min=1, help="Younger files stay; else as the server is set."),
    ] = None,
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Remove files that no job and no asset names."""
    from rich.console import Console

    from cli.client import connect
    from cli.orphans import show_sweep, sweep

    with connect(url or None, var) as client:
        show_sweep(sweep(client, grace_hours, dry_run=dry_run), Console(soft_wrap=True))
