"""The request bodies of /sdapi, typed as far as the real server types them.

Owns field names, types and defaults. Unknown fields are ignored and odd sizes are taken, as
the real server does.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Body(BaseModel):
    """A body whose unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")


class Txt2Img(Body):
    """POST /sdapi/v1/txt2img."""

    prompt: str = ""
    negative_prompt: str = ""
    seed: int = -1
    steps: int = 50
    cfg_scale: float = 7.0
    width: int = 512
    height: int = 512
    batch_size: int = 1
    n_iter: int = 1
    sampler_name: str | None = None
    override_settings: dict[str, Any] = Field(default_factory=dict)
    override_settings_restore_afterwards: bool = True
    script_name: str | None = None
    script_args: list[Any] = Field(default_factory=list)
    alwayson_scripts: dict[str, Any] = Field(default_factory=dict)
    send_images: bool = True
    save_images: bool = False
    force_task_id: str | None = None


class Img2Img(Txt2Img):
    """POST /sdapi/v1/img2img."""

    init_images: list[str] | None = None
    denoising_strength: float = 0.75
    mask: str | None = None
    resize_mode: int = 0
    include_init_images: bool = False


class Extra(Body):
    """What both extras routes take."""

    resize_mode: int = 0
    upscaling_resize: float = 2.0
    upscaling_resize_w: int = 512
    upscaling_resize_h: int = 512
    upscaler_1: str = "None"
    upscaler_2: str = "None"


class ExtraSingle(Extra):
    """POST /sdapi/v1/extra-single-image."""

    image: str = ""


class ExtraItem(Body):
    """One picture of a batch."""

    data: str
    name: str


class ExtraBatch(Extra):
    """POST /sdapi/v1/extra-batch-images."""

    imageList: list[ExtraItem]
