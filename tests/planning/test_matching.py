"""What is offered and refused for what the known engines have."""

from __future__ import annotations

from contracts.engines import EngineSnapshot
from planning.binding import bind
from planning.lanes import all_lanes
from planning.matching import (
    Match,
    engine_lanes,
    match,
    mode_availability,
)
from planning.needs import choice_keys, graph_shortfalls
from planning.planner import PlanLimits
from planning.profiles import switches_of
from tests.planning.examples import WORKFLOWS, animate, bindable, engine, planned

SAM2 = ("Sam2Segmentation", "DownloadAndLoadSAM2Model")
NO_BF16 = tuple(
    model.file
    for version in WORKFLOWS.versions
    for model in version.manifest.required_models
    if model.folder == "diffusion_models" and "bf16" in model.file
)


def _standard(name: str, *engines: EngineSnapshot, **asked: bool) -> Match:
    version = next(v for v in WORKFLOWS.active if v.ref.name == name)
    profile = version.manifest.profiles["standard"]
    return match(version, profile, switches_of(version, profile, **asked), engines)


def test_one_able_engine_among_many_is_enough() -> None:
    found = _standard("wan22_animate_mix", engine("a", without_classes=SAM2), engine("b"))
    assert found.refused is False
    assert [e.engine_id for e in found.capable] == ["b"]


def test_a_job_is_refused_only_when_every_known_engine_lacks_something() -> None:
    lacking = [engine(name, without_classes=SAM2) for name in ("a", "b")]
    assert _standard("wan22_animate_mix", *lacking).refused
    assert not _standard("wan22_animate_move", *lacking).refused


def test_an_engine_that_is_away_still_counts_and_the_job_says_that_it_waits() -> None:
    made = planned(animate(), engines=(engine(health="unreachable", reason="connection refused"),))
    assert any("not reachable now" in note for note in made.notes)


def test_without_any_known_engine_a_job_may_wait_and_says_so() -> None:
    assert any("No generator has reported yet" in n for n in planned(animate(), engines=()).notes)


def test_an_engine_that_was_never_examined_refuses_nothing() -> None:
    unseen = engine(health="unreachable", node_classes=(), choices={})
    assert not _standard("wan22_animate_move", unseen).refused


def test_engines_of_another_kind_do_not_count() -> None:
    webui = engine("webui-0", kind="webui", node_classes=("x",), choices={})
    assert not _standard("wan22_animate_move", webui).refused


def test_a_simulated_engine_is_named_in_the_plan() -> None:
    made = planned(animate(), engines=(engine(simulated=True),))
    assert "A simulated generator will make this video." in made.notes


def test_a_file_that_a_profile_does_not_load_is_not_needed() -> None:
    lora = ("lightx2v_I2V_14B_480p_cfg_step_distill_rank64_bf16.safetensors",)
    assert not _standard("wan22_animate_move", engine(without_files=lora)).refused
    version = WORKFLOWS.for_mode("animate", "move")
    draft = version.manifest.profiles["draft"]
    found = match(version, draft, switches_of(version, draft), [engine(without_files=lora)])
    assert found.missing == (f"the file {lora[0]} in models/loras",)


def test_capabilities_say_what_is_missing_in_plain_words() -> None:
    modes = {m.mode: m for m in mode_availability(WORKFLOWS, [engine(without_classes=SAM2)])}
    move, mix = modes["animate"].submodes
    assert (move.submode, move.available, mix.submode, mix.available) == (
        "move",
        True,
        "mix",
        False,
    )
    assert mix.missing == tuple(
        f"the node {c} (from ComfyUI-segment-anything-2)" for c in sorted(SAM2)
    )
    assert modes["animate"].available


def test_capabilities_list_profiles_with_their_settings_sizes_and_limits() -> None:
    modes = {m.mode: m for m in mode_availability(WORKFLOWS, [engine(without_files=NO_BF16)])}
    profiles = {p.profile: p for p in modes["audio_performance"].submodes[0].profiles}
    assert profiles["draft"].settings == ("framing_mode", "extension_segments")
    assert "audio_adherence_profile" in profiles["standard"].settings
    assert (profiles["standard"].available, profiles["high"].available) == (True, False)
    assert profiles["standard"].max_duration_s == (80 * 8 - 2) / 16
    assert profiles["standard"].max_extension_segments == 7
    fun = modes["start_end"].submodes[0].profiles[0]
    assert (fun.max_extension_segments, fun.max_duration_s) == (0, 81 / 16)
    assert profiles["high"].sizes["9:16"] == (720, 1280)


def test_capabilities_show_an_overridden_size() -> None:
    modes = mode_availability(WORKFLOWS, [engine()], PlanLimits(size_override_px=(96, 96)))
    assert modes[0].submodes[0].profiles[0].sizes["16:9"] == (96, 96)


def test_relighting_is_offered_only_where_an_engine_holds_its_file() -> None:
    lora = ("WanAnimate_relight_lora_fp16.safetensors",)
    for snapshot, offered in ((engine(), True), (engine(without_files=lora), False)):
        mix = mode_availability(WORKFLOWS, [snapshot])[0].submodes[1]
        assert [("relighting" in p.settings) for p in mix.profiles] == [offered] * 3


def test_a_mode_made_only_by_simulated_engines_says_so() -> None:
    modes = mode_availability(WORKFLOWS, [engine(simulated=True)])
    assert [m.mode for m in modes if m.simulated] == [m.mode for m in modes]
    both = [engine("a", simulated=True), engine("b")]
    assert not any(m.simulated for m in mode_availability(WORKFLOWS, both))


def test_there_is_a_lane_for_every_family_and_precision() -> None:
    assert all_lanes() == (
        "comfyui-animate-bf16",
        "comfyui-animate-fp8",
        "comfyui-fun_control-bf16",
        "comfyui-fun_control-fp8",
        "comfyui-fun_inp-bf16",
        "comfyui-fun_inp-fp8",
        "comfyui-s2v-bf16",
        "comfyui-s2v-fp8",
        "webui-animatediff",
        "webui-deforum",
        "webui-stills",
    )


def test_an_engine_serves_the_lanes_whose_files_it_holds() -> None:
    served = tuple(lane for lane in all_lanes() if lane.startswith("comfyui-"))
    assert engine_lanes(WORKFLOWS, engine()) == served
    assert engine_lanes(WORKFLOWS, engine(without_files=NO_BF16)) == (
        "comfyui-animate-fp8",
        "comfyui-fun_control-fp8",
        "comfyui-fun_inp-fp8",
        "comfyui-s2v-fp8",
    )


def test_a_bound_graph_that_an_engine_cannot_run_names_what_it_lacks() -> None:
    version, stage, prepared = bindable(planned(animate(animate_submode="mix")))
    graph = bind(version, stage, stage.segments[0], prepared).graph
    assert graph_shortfalls(WORKFLOWS, graph, engine()) == ()
    lora = "WanAnimate_relight_lora_fp16.safetensors"
    poor = engine(without_classes=SAM2[:1], without_files=(lora,))
    assert graph_shortfalls(WORKFLOWS, graph, poor) == (f"the node {SAM2[0]}", f"the file {lora}")


def test_every_model_file_is_looked_for_at_a_loader() -> None:
    assert {"UNETLoader.unet_name", "AudioEncoderLoader.audio_encoder_name"} <= choice_keys(
        WORKFLOWS
    )


def test_trajectory_control_is_said_not_to_be_offered() -> None:
    modes = {m.mode: m for m in mode_availability(WORKFLOWS, [engine()])}
    assert modes["pose_control"].not_offered == ("Control by a drawn trajectory is not offered.",)
    assert modes["animate"].not_offered == ()
    assert {s.submode for s in modes["pose_control"].submodes} == {
        "pose",
        "canny",
        "depth",
        "pose_sheet",
    }
