"""The operator's commands about workflow versions and model files. Must not do the work.

The modules that do it are imported when their command runs, so that `--help` is quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Url, Var
from cli.trouble import told_plainly

workflows = typer.Typer(
    name="workflows",
    help="Workflow versions: list, show, verify, diff, activate, rollback.",
    no_args_is_help=True,
)
models = typer.Typer(
    name="models", help="The files and nodes that engines must hold.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="The workflow, as `list` shows it.")]
Note = Annotated[str, typer.Option(help="Why; others will read it.")]


@workflows.command("list")
@told_plainly
def list_workflows(url: Url = "", var: Var = Path("var")) -> None:
    """List every released version, which are active, and which profiles run here."""
    from rich.console import Console

    from cli.client import connect
    from cli.versions import list_versions

    with connect(url or None, var) as client:
        list_versions(client, Console())


@workflows.command("show")
@told_plainly
def show_workflow(name: Name, url: Url = "", var: Var = Path("var")) -> None:
    """Show a workflow's versions, what each engine lacks for them, and who activated what."""
    from rich.console import Console

    from cli.client import connect
    from cli.versions import show_workflow as run

    with connect(url or None, var) as client:
        run(client, name, Console(soft_wrap=True))


@workflows.command("verify")
@told_plainly
def verify_workflows(
    folder: Annotated[Path | None, typer.Option(help="Another folder of workflows.")] = None,
) -> None:
    """Prove that every released version is what was released."""
    from rich.console import Console

    from cli.versions import verify

    verify(folder, Console(soft_wrap=True))


@workflows.command("diff")
@told_plainly
def diff_workflows(
    name: Name,
    old: Annotated[str, typer.Argument(help="The one version.")],
    new: Annotated[str, typer.Argument(help="The other.")],
) -> None:
    """Show how two versions differ."""
    from rich.console import Console

    from cli.versions import show_diff

    show_diff(name, old, new, Console())


@workflows.command("activate")
@told_plainly
def activate_workflow(
    name: Name,
    version: Annotated[str, typer.Argument(help="The version that new jobs are to use.")],
    force: Annotated[
        bool, typer.Option("--force", help="Although the live check fails; it is recorded.")
    ] = False,
    note: Note = "",
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Let new jobs use a version; running jobs keep theirs."""
    from rich.console import Console

    from cli.client import connect
    from cli.versions import activate

    body = {"workflow_name": name, "workflow_version": version, "force": force}
    with connect(url or None, var) as client:
        activate(client, {**body, **({"note": note} if note else {})}, Console(soft_wrap=True))


@workflows.command("rollback")
@told_plainly
def roll_workflow_back(name: Name, note: Note = "", url: Url = "", var: Var = Path("var")) -> None:
    """Return to the version before; repeated, it goes back further."""
    from rich.console import Console

    from cli.client import connect
    from cli.versions import rollback

    body = {"workflow_name": name, **({"note": note} if note else {})}
    with connect(url or None, var) as client:
        rollback(client, body, Console(soft_wrap=True))


@models.command("check")
@told_plainly
def check_models(
    engine: Annotated[str, typer.Option(help="A ComfyUI's URL; else the server's engines.")] = "",
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Say which model files and nodes are there, which are missing, and where they go."""
    from rich.console import Console

    from cli.client import connect
    from cli.model_check import of_engine, of_server, show
    from cli.model_places import ModelPlaces

    if engine:
        found = of_engine(engine)
    else:
        with connect(url or None, var) as client:
            found = of_server(client)
    show(found, ModelPlaces(), Console(soft_wrap=True))
    if not found.complete:
        raise typer.Exit(1)


@models.command("page")
@told_plainly
def write_model_page(
    out: Annotated[Path | None, typer.Option("--out", help="The file; else standard output.")] = (
        None
    ),
) -> None:
    """Write the page about models and custom nodes, from the manifests."""
    from cli.model_page import model_page
    from cli.model_places import ModelPlaces
    from planning.registry import load_workflows

    text = model_page(load_workflows().active, ModelPlaces.model_construct())
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text)


@told_plainly
def export(
    job_id: Annotated[str, typer.Argument(help="The job.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="A folder, or a file that ends in .zip.")
    ] = None,
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Write a job's graphs and inputs so that any ComfyUI runs them."""
    from rich.console import Console

    from cli.client import connect
    from cli.exporting import export as run

    with connect(url or None, var) as client:
        run(client, job_id, out or Path(f"animatrix-{job_id}"), Console(soft_wrap=True))
