"""The prompt packs that are there. They are released with the product and never change."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from planning.prompt_packs import PackVideo
from services.gateway.deps import Needs

router = APIRouter(prefix="/api", tags=["capabilities"])


class PackView(BaseModel):
    """A released version of a prompt pack; a job names it as `name@version`."""

    name: str
    version: str
    title: str
    sha256: str
    prompt: str
    negative_prompt: str
    video: PackVideo


class PackList(BaseModel):
    """All of them, by name, newest version first."""

    packs: list[PackView]


@router.get("/prompt-packs")
async def prompt_packs(deps: Needs) -> PackList:
    """Every released version of every prompt pack, with its defaults for video stages."""
    return PackList(
        packs=[
            PackView(
                name=pack.ref.name,
                version=pack.ref.version,
                title=pack.content.title,
                sha256=pack.ref.sha256,
                prompt=pack.content.prompt,
                negative_prompt=pack.content.negative_prompt,
                video=pack.content.video,
            )
            for pack in deps.packs.packs
        ]
    )
