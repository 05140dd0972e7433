"""`animatrix keys` and `animatrix audit`: who may get in, and who did what.

The first key is made on the machine itself (`--here`), by the gateway's own program.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import Url, Var
from cli.trouble import Trouble, told_plainly

if TYPE_CHECKING:
    from rich.table import Table

keys_app = typer.Typer(help="API keys: make, list and revoke them.", no_args_is_help=True)
PIPE_COLUMNS = 200


@keys_app.command()
@told_plainly
def create(
    owner: Annotated[str, typer.Option(help="Whose jobs and files the key opens.")],
    role: Annotated[str, typer.Option(help="viewer, creator or operator.")] = "creator",
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires_in_days: Annotated[
        int | None, typer.Option(min=1, max=3660, help="Until revoked without it.")
    ] = None,
    here: Annotated[
        bool, typer.Option("--here", help="Straight into the database: for the first key.")
    ] = False,
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Make a key and print it, this once."""
    from cli.client import connect

    if here:
        key = _made_here(owner, role, name, expires_in_days, var)
    else:
        fields: dict[str, Any] = {"owner": owner, "role": role, "name": name}
        if expires_in_days is not None:
            fields["expires_in_days"] = expires_in_days
        with connect(url or None, var) as client:
            key = client.create_key(fields).key
    typer.echo(key)
    typer.echo("This is the only time it is shown.", err=True)


@keys_app.command("list")
@told_plainly
def list_keys(url: Url = "", var: Var = Path("var")) -> None:
    """List the keys, without what opens."""
    from cli.client import connect

    with connect(url or None, var) as client:
        keys = client.keys().keys
    table = _table("key", "owner", "role", "good", "created", "expires", "last used", "name")
    for key in keys:
        good, used = "yes" if key.valid else "no", _day(key.last_used_at)
        days = (_day(key.created_at), _day(key.expires_at), used)
        _add(table, key.key_id, key.owner, key.role, good, *days, key.name)
    _show(table)


@keys_app.command()
@told_plainly
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `list` shows it.")],
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Make a key open nothing from now on."""
    from cli.client import connect

    with connect(url or None, var) as client:
        client.revoke_key(key_id)
    typer.echo(f"{key_id} opens nothing any more.")


@told_plainly
def audit(
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 50,
    owner: Annotated[str, typer.Option(help="Only what this owner did.")] = "",
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """List who did what, newest first."""
    from cli.client import connect

    with connect(url or None, var) as client:
        deeds = client.audit(limit, owner or None).deeds
    table = _table("at", "owner", "by", "outcome", "what", "target")
    for deed in deeds:
        at = deed.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        by = deed.key_id or deed.how
        _add(table, at, deed.owner, by, str(deed.outcome), deed.action, deed.target)
    _show(table)


def _made_here(owner: str, role: str, name: str, days: int | None, var: Path) -> str:
    from cli.folders import folders_at

    asked = ["--owner", owner, "--role", role, "--name", name]
    asked += ["--expires-in-days", str(days)] if days is not None else []
    environment = {"ANIMATRIX_STATE_DIR": str(folders_at(var).state), **os.environ}
    made = subprocess.run(
        [sys.executable, "-m", "services.gateway.access.issuing", *asked],
        env={**environment, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise Trouble(
            "The key could not be made.",
            "Is the role viewer, creator or operator, and the database where the gateway has it?",
            tuple(made.stderr.splitlines()[-3:]),
        )
    return str(json.loads(made.stdout.splitlines()[-1])["key"])


def _day(at: datetime | None) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M") if at else "-"


def _table(*headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    return table


def _add(table: Table, *cells: str) -> None:
    from rich.markup import escape

    table.add_row(*map(escape, cells))


def _show(table: Table) -> None:
    from rich.console import Console

    console = Console()
    # Whoever reads a pipe wants whole lines.
    (console if console.is_terminal else Console(width=PIPE_COLUMNS)).print(table)
