"""Shows a page of jobs as a table. Must not fetch anything."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.answers import Job, JobPage

COLOURS = {"completed": "green", "failed": "red", "cancelled": "yellow"}
PROMPT_CHARACTERS, PIPE_COLUMNS = 60, 160


def show_jobs(page: JobPage, console: Console) -> None:
    """Print the jobs, newest first."""
    if not page.jobs:
        console.print("There are no jobs.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("job", "mode", "state", "created", "prompt"):
        table.add_column(heading, no_wrap=heading != "prompt")
    for job in page.jobs:
        table.add_row(*_row(job))
    # Whoever reads a pipe wants whole lines.
    piped = Console(file=console.file, width=PIPE_COLUMNS)
    (console if console.is_terminal else piped).print(table)
    if page.next_cursor:
        console.print("There are older ones; --limit shows more.")


def _row(job: Job) -> tuple[str, ...]:
    colour = COLOURS.get(job.status, "cyan")
    state = f"[{colour}]{escape(job.status)}[/]"
    if job.progress and not job.ended:
        state += f" {job.progress.percent:.0f} %"
    state += " [yellow]simulated[/]" if job.simulated else ""
    created = job.created_at.astimezone().strftime("%m-%d %H:%M")
    prompt = job.prompt.replace("\n", " ")[:PROMPT_CHARACTERS]
    return job.job_id, job.mode.removesuffix("_performance"), state, created, escape(prompt)
