"""What a command says when it cannot go on: a plain sentence and what to do about it.

Must not decide what is wrong.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

P = ParamSpec("P")
R = TypeVar("R")


class Trouble(Exception):
    """A command cannot go on. `remedy` says what the user can do; `details` are further lines."""

    def __init__(self, sentence: str, remedy: str = "", details: tuple[str, ...] = ()) -> None:
        """The sentence, the remedy (may be empty) and further lines."""
        super().__init__(sentence)
        self.sentence, self.remedy, self.details = sentence, remedy, details


def tell(trouble: Trouble) -> None:
    """Write it to the error output."""
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"[bold red]{escape(trouble.sentence)}[/]", highlight=False)
    for line in trouble.details:
        console.print(f"  {escape(line)}", highlight=False)
    if trouble.remedy:
        console.print(escape(trouble.remedy), highlight=False)


def told_plainly(command: Callable[P, R]) -> Callable[P, R]:
    """A command whose Trouble is told in words and ends with exit code 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Trouble as trouble:
            tell(trouble)
            raise typer.Exit(1) from trouble
        except KeyboardInterrupt as stopped:
            raise typer.Exit(130) from stopped

    return run
