"""Node classes that bring something in: models, uploads, constants.

Models are files by name only; nothing is read from them. A missing or undecodable upload
raises here, while running, as on the real server.
"""

import tempfile
from pathlib import Path
from typing import Any

from simulators.comfyui.clips import folded
from simulators.comfyui.latents import read_latent
from simulators.comfyui.media import Video, open_picture, open_sound, open_video
from simulators.comfyui.nodes import Context, Done, node


def _model(context: Context, folder: str, name: str) -> Done:
    if name not in (context.files.model_names(folder) or []) and name != "pixel_space":
        raise FileNotFoundError(f"Model in folder '{folder}' with filename '{name}' not found.")
    return Done((name,))


@node("UNETLoader")
def load_unet(context: Context, inputs: dict[str, Any]) -> Done:
    """A diffusion model."""
    return _model(context, "diffusion_models", inputs["unet_name"])


@node("CLIPLoader")
def load_clip(context: Context, inputs: dict[str, Any]) -> Done:
    """A text encoder."""
    return _model(context, "text_encoders", inputs["clip_name"])


@node("VAELoader")
def load_vae(context: Context, inputs: dict[str, Any]) -> Done:
    """A picture codec."""
    return _model(context, "vae", inputs["vae_name"])


@node("CLIPVisionLoader")
def load_clip_vision(context: Context, inputs: dict[str, Any]) -> Done:
    """A picture encoder."""
    return _model(context, "clip_vision", inputs["clip_name"])


@node("AudioEncoderLoader")
def load_audio_encoder(context: Context, inputs: dict[str, Any]) -> Done:
    """A sound encoder."""
    return _model(context, "audio_encoders", inputs["audio_encoder_name"])


@node("LoraLoaderModelOnly")
def load_lora(context: Context, inputs: dict[str, Any]) -> Done:
    """A model with an adapter."""
    _model(context, "loras", inputs["lora_name"])
    return Done((inputs["model"],))


@node("DownloadAndLoadSAM2Model")
def load_sam2(_: Context, inputs: dict[str, Any]) -> Done:
    """A segmentation model; its files belong to the custom node, not to models/."""
    return Done((inputs["segmentor"],))


@node("LoadImage", "LoadImageOutput")
def load_image(context: Context, inputs: dict[str, Any]) -> Done:
    """An uploaded picture and its mask."""
    return Done(open_picture(context.files.annotated(inputs["image"])))


@node("LoadImageMask")
def load_image_mask(context: Context, inputs: dict[str, Any]) -> Done:
    """One channel of an uploaded picture."""
    picture, mask = open_picture(context.files.annotated(inputs["image"]))
    return Done((mask if inputs["channel"] == "alpha" else picture,))


@node("LoadVideo")
def load_video(context: Context, inputs: dict[str, Any]) -> Done:
    """An uploaded video, not opened yet."""
    path = context.files.annotated(inputs["file"])
    if not path.is_file():
        raise FileNotFoundError(f"no such file: '{path}'")
    return Done((Video(path=path),))


@node("GetVideoComponents")
def video_components(_: Context, inputs: dict[str, Any]) -> Done:
    """Frames, sound (None when silent) and rate of a video."""
    video: Video = inputs["video"].components()
    return Done((video.clip, video.sound, video.fps))


@node("LoadAudio")
def load_audio(context: Context, inputs: dict[str, Any]) -> Done:
    """Uploaded sound."""
    return Done((open_sound(context.files.annotated(inputs["audio"])),))


@node("LoadLatent")
def load_latent(context: Context, inputs: dict[str, Any]) -> Done:
    """A latent saved earlier, here or on another simulator."""
    carried = read_latent(context.files.annotated(inputs["latent"]))
    # The carried video outlives the upload, which may be replaced under the same name.
    folder = Path(tempfile.mkdtemp(dir=context.files.folder("temp")))
    path = folder / "latent.mkv"
    path.write_bytes(carried)
    clip = open_video(path).clip
    if clip is None:
        raise ValueError("the latent holds no frames")
    return Done((folded(clip),))


@node("PrimitiveInt", "PrimitiveFloat", "PrimitiveString")
def primitive(_: Context, inputs: dict[str, Any]) -> Done:
    """A constant."""
    return Done((inputs["value"],))
