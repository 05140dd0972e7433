"""Options that commands of several modules share. Must not import what runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Var = Annotated[
    Path, typer.Option("--var", envvar="ANIMATRIX_VAR", help="Folder of all data and logs.")
]
Url = Annotated[
    str,
    typer.Option("--url", envvar="ANIMATRIX_URL", help="The server; else the one running on VAR."),
]
