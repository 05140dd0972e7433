"""How long binding takes: `python -m bench.binding [--records 1000]`.

Plans and prepares that many different records of every mode, binds each, and prints the time per
binding with one hash over all graphs; run twice, the hash is the same.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time

from contracts.media import PreparedMedia
from contracts.stages import ComfyWorkflowStage
from planning.binding import bind
from planning.requests import JobRequest
from planning.workflow import WorkflowVersion
from tests.planning.examples import (
    animate,
    audio_performance,
    bindable,
    planned,
    pose_control,
    pose_sheet,
    start_end,
)

KINDS = 6
Bindable = tuple[WorkflowVersion, ComfyWorkflowStage, list[PreparedMedia]]


def request_of(n: int) -> JobRequest:
    """The n-th request: every mode in turn, each with a prompt and a seed of its own."""
    own = {"prompt": f"take {n}", "seed": n * 7919}
    made: tuple[JobRequest, ...] = (
        animate(**own, quality_profile=("draft", "standard", "high")[n % 3]),
        animate(**own, animate_submode="mix"),
        audio_performance(**own),
        start_end(**own),
        pose_control(**own),
        pose_sheet(**own),
    )
    return made[n % KINDS]


def measure(records: int) -> tuple[list[float], str]:
    """The seconds of every binding, graph and canonical bytes, and one hash over all bytes."""
    prepared: list[Bindable] = [bindable(planned(request_of(n))) for n in range(records)]
    digest, took_s = hashlib.sha256(), []
    for version, stage, media in prepared:
        began_s = time.perf_counter()
        data = bind(version, stage, stage.segments[0], media).graph_bytes
        took_s.append(time.perf_counter() - began_s)
        digest.update(data)
    return took_s, digest.hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1000)
    took_s, sha256 = measure(parser.parse_args().records)
    ranked = sorted(took_s)
    print(f"{len(took_s)} records bound, sha256 of all graphs {sha256}")
    print(
        f"per binding: mean {statistics.fmean(took_s) * 1000:.2f} ms, "
        f"median {statistics.median(took_s) * 1000:.2f} ms, "
        f"99 % below {ranked[int(len(ranked) * 0.99)] * 1000:.2f} ms, "
        f"longest {ranked[-1] * 1000:.2f} ms"
    )
