"""Graphs that run on the simulator and on a real server with the official node classes."""

import random
from typing import Any

Graph = dict[str, Any]

S2V_MODEL = "wan2.2_s2v_14B_fp8_scaled.safetensors"
INPAINT_MODEL = "wan2.2_fun_inpaint_high_noise_14B_fp8_scaled.safetensors"
ANIMATE_MODEL = "Wan2_2-Animate-14B_fp8_e4m3fn_scaled_KJ.safetensors"


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """One node."""
    return {"class_type": kind, "inputs": inputs}


def number() -> int:
    """A fresh number, so that nothing is cached."""
    return random.randrange(1 << 24)


def colour(count: int = 1, **inputs: Any) -> dict[str, Any]:
    """A plain picture of a fresh colour."""
    given = {"width": 64, "height": 64, "batch_size": count, "color": number(), **inputs}
    return node("EmptyImage", **given)


def picture(**inputs: Any) -> Graph:
    """1 EmptyImage > 2 PreviewImage."""
    return {"1": colour(**inputs), "2": node("PreviewImage", images=["1", 0])}


def saved_video(origin: str, prefix: str) -> dict[str, Any]:
    """SaveVideo of a node."""
    given = {"filename_prefix": prefix, "format": "auto", "codec": "auto"}
    return node("SaveVideo", video=[origin, 0], **given)


def video(prefix: str, count: int = 4) -> Graph:
    """1 EmptyImage > 2 CreateVideo > 3 SaveVideo."""
    return {
        "1": colour(count),
        "2": node("CreateVideo", images=["1", 0], fps=16),
        "3": saved_video("2", prefix),
    }


def _models(unet: str) -> Graph:
    return {
        "unet": node("UNETLoader", unet_name=unet, weight_dtype="default"),
        "clip": node("CLIPLoader", clip_name="umt5_xxl_fp8_e4m3fn_scaled.safetensors", type="wan"),
        "vae": node("VAELoader", vae_name="wan_2.1_vae.safetensors"),
        "text": node("CLIPTextEncode", text="a dancer", clip=["clip", 0]),
    }


def _conditions(**inputs: Any) -> dict[str, Any]:
    return {"positive": ["text", 0], "negative": ["text", 0], "vae": ["vae", 0], **inputs}


def sampler(origin: str, steps: int = 2, **inputs: Any) -> dict[str, Any]:
    """A KSampler of a conditioning node."""
    given = {
        "model": ["unet", 0],
        "seed": number(),
        "steps": steps,
        "cfg": 1.0,
        "sampler_name": "euler",
        "scheduler": "simple",
        "positive": [origin, 0],
        "negative": [origin, 1],
        "latent_image": [origin, 2],
        "denoise": 1.0,
        **inputs,
    }
    return node("KSampler", **given)


def sampled(steps: int, width: int = 64, height: int = 64, length: int = 5) -> Graph:
    """A small sampling without sound that ends in "out" (PreviewImage)."""
    size = {"width": width, "height": height, "length": length, "batch_size": 1}
    return {
        **_models(S2V_MODEL),
        "wan": node("WanSoundImageToVideo", **_conditions(**size)),
        "sampler": sampler("wan", steps),
        "decode": node("VAEDecode", samples=["sampler", 0], vae=["vae", 0]),
        "out": node("PreviewImage", images=["decode", 0]),
    }


def inpainted(width: int, height: int, length: int) -> Graph:
    """A small Fun Inp sampling that ends in "decode"."""
    size = {"width": width, "height": height, "length": length, "batch_size": 1}
    return {
        **_models(INPAINT_MODEL),
        "wan": node("WanFunInpaintToVideo", **_conditions(**size)),
        "sampler": sampler("wan", steps=1),
        "decode": node("VAEDecode", samples=["sampler", 0], vae=["vae", 0]),
    }


def endless() -> Graph:
    """A sampling that goes on until it is interrupted."""
    return sampled(steps=5000)


def animate(
    drive: str, reference: str, prefix: str, *, length: int = 9, size: int = 64, **inputs: Any
) -> Graph:
    """One chunk of Animate move, without the pose detector; "save" writes the video."""
    given = {
        "width": size,
        "height": size,
        "length": length,
        "batch_size": 1,
        "continue_motion_max_frames": 5,
        "video_frame_offset": 0,
        "reference_image": ["reference", 0],
        "pose_video": ["parts", 0],
        **inputs,
    }
    return {
        **_models(ANIMATE_MODEL),
        "reference": node("LoadImage", image=reference),
        "drive": node("LoadVideo", file=drive),
        "parts": node("GetVideoComponents", video=["drive", 0]),
        "wan": node("WanAnimateToVideo", **_conditions(**given)),
        "sampler": sampler("wan"),
        "trim": node("TrimVideoLatent", samples=["sampler", 0], trim_amount=["wan", 3]),
        "decode": node("VAEDecode", samples=["trim", 0], vae=["vae", 0]),
        "new": node("ImageFromBatch", image=["decode", 0], batch_index=["wan", 4], length=4096),
        "video": node("CreateVideo", images=["new", 0], fps=16, audio=["parts", 1]),
        "save": saved_video("video", prefix),
    }


def speech(voice: str, reference: str, prefix: str, *, chunks: int = 1, length: int = 9) -> Graph:
    """S2V in the official shape: the first latent doubled, three frames dropped."""
    size = {"width": 64, "height": 64, "batch_size": 1}
    heard = {"audio_encoder_output": ["heard", 0], "ref_image": ["reference", 0], "length": length}
    graph: Graph = {
        **_models(S2V_MODEL),
        "reference": node("LoadImage", image=reference),
        "voice": node("LoadAudio", audio=voice),
        "encoder": node(
            "AudioEncoderLoader", audio_encoder_name="wav2vec2_large_english_fp16.safetensors"
        ),
        "heard": node("AudioEncoderEncode", audio_encoder=["encoder", 0], audio=["voice", 0]),
        "wan": node("WanSoundImageToVideo", **_conditions(**size, **heard)),
        "sampler": sampler("wan"),
    }
    whole = "sampler"
    for chunk in range(2, chunks + 1):
        given = _conditions(video_latent=[whole, 0], **heard)
        graph[f"wan{chunk}"] = node("WanSoundImageToVideoExtend", **given)
        graph[f"sampler{chunk}"] = sampler(f"wan{chunk}")
        pair = {"samples1": [whole, 0], "samples2": [f"sampler{chunk}", 0]}
        graph[f"whole{chunk}"] = node("LatentConcat", dim="t", **pair)
        whole = f"whole{chunk}"
    return graph | {
        "first": node("LatentCut", samples=["sampler", 0], dim="t", index=0, amount=1),
        "all": node("LatentConcat", samples1=["first", 0], samples2=[whole, 0], dim="t"),
        "decode": node("VAEDecode", samples=["all", 0], vae=["vae", 0]),
        "new": node("ImageFromBatch", image=["decode", 0], batch_index=3, length=4096),
        "video": node("CreateVideo", images=["new", 0], fps=16, audio=["voice", 0]),
        "save": saved_video("video", prefix),
    }
