"""Replay: an ended job made again, as a new attempt of itself or as a new job from its plan.

Owns that choice (docs/decisions/0017) and what is shown before anything is published. Must not
change a job that is still running.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from contracts.base import canonical_bytes, sha256_hex
from contracts.errors import ErrorCode
from contracts.events import JobSubmitted, RestartAt, RetryRequested
from contracts.lifecycle import JobState, apply
from contracts.plan import JobPlan
from contracts.stages import ComfyWorkflowStage
from planning.repinning import Unfit, repinned
from runtime.ids import is_id, new_id
from runtime.stamp import stamp
from services.gateway.access.caller import Caller
from services.gateway.deps import Deps
from services.gateway.ending import retry_job, retry_of
from services.gateway.lookups import no_such_job
from services.gateway.problems import refused
from services.gateway.submitting import accept_planned

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay publishes. `event` is not published yet; `keeps` and `repeats` are sentences
    about what is taken over and what is made again."""

    event: RetryRequested | JobSubmitted
    keeps: tuple[str, ...]
    repeats: tuple[str, ...]

    @property
    def is_new_job(self) -> bool:
        """True when the old job stays as it ended."""
        return isinstance(self.event, JobSubmitted)


def replay_of(
    deps: Deps,
    caller: Caller,
    state: JobState,
    start: RestartAt | None,
    workflow_version: str | None,
) -> Replay:
    """What replaying a job means in its state.

    A failed job gets another attempt; one that completed or was cancelled, or that is to run
    another workflow version, is made again as a new job from the same plan. Raises Refused
    NOT_FOUND, JOB_NOT_FINISHED, JOB_NOT_RETRYABLE, SETTINGS_CONFLICT, WORKFLOW_VERSION_UNFIT.
    """
    if state.state is None or state.submitted is None or state.deleted:
        raise no_such_job()
    if not state.ended:
        raise refused(ErrorCode.JOB_NOT_FINISHED)
    plan = state.submitted.plan
    pinned = {s.workflow.version for s in plan.stages if isinstance(s, ComfyWorkflowStage)}
    same_version = workflow_version is None or pinned == {workflow_version}
    if state.state == "failed" and same_version:
        return _another_attempt(state, retry_of(state, caller, start))
    if start not in (None, "media"):
        raise refused(
            ErrorCode.SETTINGS_CONFLICT,
            sentence="This replay is a new job, and a new job begins with its media.",
            remedy="Leave the place to start from out; prepared media are found again anyway.",
            field="start",
        )
    return _another_job(deps, state, plan, None if same_version else workflow_version)


def _another_attempt(state: JobState, event: RetryRequested) -> Replay:
    after = apply(state, event)
    steps = after.composed.steps if after.composed else None
    keeps = ["the plan with its seed"]
    keeps += ["prepared media"] if after.prepared else []
    keeps += ["record and run plan"] if after.composed else []
    keeps += [f"step {n + 1} of {steps}" for n in sorted(after.finished)]
    repeats = [] if after.prepared else ["media are prepared"]
    repeats += [] if after.composed else ["the job is composed"]
    if steps is None:
        repeats.append("every step runs")
    elif event.start != "collection":
        open_steps = [n for n in range(steps) if n not in after.finished]
        repeats += [f"step {n + 1} of {steps} runs" for n in open_steps]
    repeats.append("results are collected and verified")
    return Replay(event, tuple(keeps), tuple(repeats))


def _another_job(deps: Deps, state: JobState, plan: JobPlan, version: str | None) -> Replay:
    submitted = state.submitted
    if submitted is None:
        raise no_such_job()
    keeps = ["the plan with its seed", "media already prepared by the same recipes"]
    if version is not None:
        prepared = state.prepared.prepared if state.prepared else ()
        try:
            plan = repinned(plan, version, deps.workflows.released, prepared)
        except Unfit as unfit:
            raise refused(
                ErrorCode.WORKFLOW_VERSION_UNFIT, sentence=f"{unfit}.", field="workflow_version"
            ) from unfit
        keeps[0] = f"the plan with its seed, on version {version} of its workflow"
    event = JobSubmitted(**stamp(submitted), job_id=new_id(), owner=submitted.owner, plan=plan)
    return Replay(event, tuple(keeps), ("everything else, as a new job",))


async def replay_job(
    deps: Deps,
    caller: Caller,
    job_id: str,
    start: RestartAt | None,
    workflow_version: str | None,
    *,
    dry_run: bool,
    key: str | None,
) -> tuple[Replay, str]:
    """Replay a job, or only say what that would publish; returns that and the id of the job that
    runs. The same key gives the same new job. Raises as `replay_of`, and BusUnavailable.
    """
    if not is_id(job_id):
        raise no_such_job()
    replay = replay_of(deps, caller, (await deps.bus.job(job_id)).state, start, workflow_version)
    if dry_run:
        return replay, replay.event.job_id
    if isinstance(replay.event, RetryRequested):
        await retry_job(deps, caller, job_id, start)
        return replay, job_id
    asked = {"replay": job_id, "workflow_version": workflow_version}
    body_sha256 = sha256_hex(canonical_bytes(asked))
    accepted, _ = await accept_planned(deps, caller, replay.event, key, body_sha256)
    log.info("job made again", from_job=job_id, new_job=accepted)
    return replay, accepted
