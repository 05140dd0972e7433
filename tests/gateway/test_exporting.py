"""What an export of a job holds: graphs as sent, else as planned, with every file they load."""

from __future__ import annotations

from contracts.base import StoredFile
from contracts.plan import (
    Delivery,
    ExpectedOutput,
    Frame,
    NodeInput,
    RunPlan,
    Step,
    StepCheckpoint,
    StepOutput,
    StepResult,
    StepSlot,
    StepUpload,
)
from runtime.ids import new_id
from services.gateway.exporting import export_of, exported_files
from tests.support.examples import step_result
from tests.support.gateway import World, whole_job


def stored(number: int, name: str) -> StoredFile:
    return StoredFile(key=f"jobs/x/{name}", sha256=f"{number:064x}", size_bytes=number)


GRAPHS = (stored(1, "graph0.json"), stored(2, "graph1.json"))
MEDIUM, LATENT, SENT = stored(3, "m.mp4"), stored(4, "c.latent"), stored(5, "sent.json")


def run_plan(job_id: str) -> RunPlan:
    """Two steps: the second goes on from what the first leaves."""
    upload = StepUpload(
        source=MEDIUM,
        engine_subfolder="animatrix",
        engine_filename="m.mp4",
        at=(NodeInput(node="motion", input="file"),),
    )
    carried = StepCheckpoint(
        step=0, output="checkpoint", at=(NodeInput(node="carried", input="latent"),)
    )
    steps = tuple(
        Step(
            index=n,
            stage=0,
            segment=n,
            lane="comfyui-animate-fp8",
            graph=GRAPHS[n],
            uploads=(upload,),
            checkpoints=(carried,) * n,
            slots=(
                StepSlot(name="output_prefix", at=NodeInput(node="save", input="filename_prefix")),
            ),
            outputs=(ExpectedOutput(name="video", node="save", media="video"),),
            output_key_prefix=f"jobs/{job_id}/steps/{n}",
            expected_frames=77,
            deadline_s=60,
        )
        for n in range(2)
    )
    keys = ("video", "poster", "first_frame", "preview", "manifest", "debug_metadata")
    return RunPlan(
        job_id=job_id,
        record=stored(9, "record.json"),
        steps=steps,
        delivery=Delivery(
            frame=Frame(width_px=64, height_px=64, fps=16, frames=149),
            **{f"{key}_key": f"jobs/{job_id}/{key}" for key in keys},
        ),
    )


def first_result() -> StepResult:
    """The first step, run, with its checkpoint."""
    left = StepOutput(name="checkpoint", node="save_latent", filename="c.latent", file=LATENT)
    return step_result().model_copy(update={"step": 0, "outputs": (left,), "graph": SENT})


def test_a_step_that_goes_on_from_one_that_never_ran_is_left_out_and_said() -> None:
    made = export_of(run_plan(new_id()), {})
    assert [(s.step, s.ran, s.graph_sha256) for s in made.steps] == [(0, False, GRAPHS[0].sha256)]
    assert "Step 2 goes on from what step 1 leaves" in made.left_out[0]


def test_a_further_step_comes_with_what_the_one_before_left() -> None:
    plan, finished = run_plan(new_id()), {0: first_result()}
    made = export_of(plan, finished)
    assert made.left_out == []
    assert [(s.ran, s.graph_sha256) for s in made.steps] == [
        (True, SENT.sha256),
        (False, GRAPHS[1].sha256),
    ]
    carried = made.steps[1].inputs[1]
    assert (carried.subfolder, carried.filename) == ("animatrix", f"{LATENT.sha256}.latent")
    assert carried.at == [NodeInput(node="carried", input="latent")]
    files = exported_files(plan, finished)
    urls = [s.graph_url for s in made.steps] + [i.url for s in made.steps for i in s.inputs]
    assert {url.rpartition("/")[2] for url in urls} == set(files)


async def test_a_job_is_exported_once_it_has_a_graph_and_only_its_own_files(world: World) -> None:
    job_id = new_id()
    submitted, prepared, composed, *_ = whole_job(job_id)
    await world.say(submitted)
    answer = await world.http.get(f"/api/jobs/{job_id}/export")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_finished")

    medium = await world.media.put_bytes("derivatives/motion.mp4", b"a video")
    graph = await world.media.put_bytes(f"jobs/{job_id}/graph.json", b"{}")
    plan = run_plan(job_id)
    upload = plan.comfy_steps[0].uploads[0].model_copy(update={"source": medium})
    step = plan.comfy_steps[0].model_copy(update={"graph": graph, "uploads": (upload,)})
    plan = plan.model_copy(update={"steps": (step,)})
    file = await world.media.put_bytes(
        f"jobs/{job_id}/run_plan.json", plan.model_dump_json().encode()
    )
    await world.say(prepared, composed.model_copy(update={"run_plan": file, "steps": 1}))
    made = (await world.http.get(f"/api/jobs/{job_id}/export")).json()
    (only,) = made["steps"]
    assert (await world.http.get(only["graph_url"])).content == b"{}"
    assert (await world.http.get(only["inputs"][0]["url"])).content == b"a video"
    foreign = await world.http.get(f"/api/jobs/{job_id}/export/{file.sha256}")
    assert foreign.status_code == 404
    assert (await world.http.get(f"/api/jobs/{new_id()}/export")).status_code == 404
