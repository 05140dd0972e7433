"""Runs accepted prompts one after another and tells what happens.

Owns the worker thread, the result cache and the order of messages of one run. What nodes
do is in nodes.py and its modules; who listens is in sockets.py.
"""

import io
import threading
import time
from collections.abc import Callable
from typing import Any

from PIL import Image

from simulators.comfyui.catalogue import Catalogue
from simulators.comfyui.clips import Frame
from simulators.comfyui.faults import FaultBoard, strike_node
from simulators.comfyui.files import Files
from simulators.comfyui.journal import Journal
from simulators.comfyui.nodes import Context, Done, behaviours
from simulators.comfyui.queue import PromptQueue, QueuedPrompt
from simulators.comfyui.render import coarse
from simulators.comfyui.runs import Cached, Interrupted, Run, described, files_of
from simulators.comfyui.sockets import Hub
from simulators.comfyui.walk import Signatures, is_link, needed, next_node

# The real server answers /history a moment after it says execution_success.
HISTORY_LAG_S = 0.005
SLICE_S = 0.02


class Executor(threading.Thread):
    """The worker. ``step_s`` is how long one sampling step takes."""

    def __init__(
        self,
        queue: PromptQueue,
        hub: Hub,
        catalogue: Catalogue,
        files: Files,
        faults: FaultBoard,
        journal: Journal,
        step_s: float,
        previews: bool,
    ) -> None:
        super().__init__(name="executor", daemon=True)
        self._queue, self._hub, self._catalogue, self._files = queue, hub, catalogue, files
        self._faults, self._journal, self._previews = faults, journal, previews
        self.step_s = step_s
        self._behaviours = behaviours()
        self._cache: dict[str, Cached] = {}
        self._forget = threading.Event()

    def forget(self) -> None:
        """Drops cached results before the next prompt (POST /free, free_memory)."""
        self._forget.set()
        self._queue.wake()

    def run(self) -> None:
        """Takes prompts for ever."""
        while True:
            prompt = self._queue.take(timeout_s=1.0)
            if self._forget.is_set():
                self._forget.clear()
                self._cache.clear()
            if prompt is not None:
                self._run(prompt)

    def _run(self, prompt: QueuedPrompt) -> None:
        run = Run(prompt, Signatures(prompt.graph, self._catalogue, self._files))
        started_at = time.time()
        self._hub.client_id, self._hub.last_node = prompt.client_id, None
        about = {"prompt_id": prompt.prompt_id, "client_id": prompt.client_id}
        self._journal.add("started", **about, number=prompt.number)
        self._tell(run, "execution_start", {})
        try:
            self._walk(run)
            self._tell(run, "execution_success", {})
        except Interrupted:
            run.outcome = "interrupted"
            self._tell(run, "execution_interrupted", self._where(run), broadcast=True)
        except Exception as fault:
            run.outcome = "error"
            run.error = described(fault, run)
            self._tell(run, "execution_error", {**self._where(run), **run.error})
        self._hub.last_node = None
        result = self._result(run)
        late = self._faults.strike("late_history")
        time.sleep(late.seconds if late else HISTORY_LAG_S)
        self._journal.add(
            "finished",
            **about,
            started_at=started_at,
            ended_at=time.time(),
            nodes_run=run.executed,
            nodes_cached=run.reused,
            outcome=run.outcome,
            files=files_of(result["outputs"]),
            error=run.error and {k: run.error[k] for k in ("node_id", "exception_type")},
        )
        self._queue.finish(prompt, result)
        self._hub.send_to_client("executing", {"node": None, "prompt_id": prompt.prompt_id})

    def _walk(self, run: Run) -> None:
        graph = run.prompt.graph
        kept = {n: self._cache.get(run.signatures.of(n)) for n in graph}
        # Only what the newest prompt holds stays cached, as in the real server's default.
        self._cache = {run.signatures.of(n): c for n, c in kept.items() if c is not None}
        run.reused = [n for n, c in kept.items() if c is not None]
        self._tell(run, "execution_cached", {"nodes": run.reused})
        waiting, spared = needed(graph, run.prompt.outputs, set(run.reused))
        done = set(spared)
        for node_id in spared:
            run.results[node_id] = self._cache[run.signatures.of(node_id)].done
        while waiting:
            ready = next_node(graph, self._catalogue, waiting, done | (set(run.reused) - waiting))
            if ready is None:
                # A cached output whose ancestors were left out.
                ready = next(n for n in graph if n in waiting)
            self._visit(run, ready)
            waiting.discard(ready)
            done.add(ready)

    def _visit(self, run: Run, node_id: str) -> None:
        run.node = node_id
        self._heed(run)
        kept = self._cache.get(run.signatures.of(node_id))
        if kept is not None:
            run.results[node_id] = kept.done
            self._executed(run, node_id, kept.done.shown)
            self._progress(run, node_id, 1, 1, "finished")
            return
        self._hub.last_node = node_id
        self._progress(run, node_id, 0.0, 1.0, "running")
        where = {"node": node_id, "display_node": node_id, "prompt_id": run.prompt.prompt_id}
        self._hub.send_to_client("executing", where)
        done = self._act(run, node_id)
        run.results[node_id] = done
        run.executed.append(node_id)
        meta = {"node_id": node_id, "display_node": node_id, "parent_node": None}
        meta["real_node_id"] = node_id
        self._cache[run.signatures.of(node_id)] = Cached(done, meta)
        if done.shown is not None:
            self._executed(run, node_id, done.shown)
        of = run.progress[node_id]["max"]
        self._progress(run, node_id, of, of, "finished")

    def _act(self, run: Run, node_id: str) -> Done:
        kind = run.prompt.graph[node_id]["class_type"]

        def progress(value: int, of: int) -> None:
            self._progress(run, node_id, value, of, "running")
            body = {"value": value, "max": of, "prompt_id": run.prompt.prompt_id}
            self._hub.send("progress", {**body, "node": node_id}, self._hub.client_id)
            self._heed(run)

        def step(value: int, of: int, sampled: Callable[[], Frame]) -> None:
            self._wait(run)
            progress(value, of)
            if self._previews:
                self._preview(run, node_id, coarse(sampled(), value / of))

        context = Context(
            files=self._files,
            faults=self._faults,
            signature=run.signatures.of(node_id),
            graph=run.prompt.graph,
            extra=run.prompt.extra,
            progress=progress,
            step=step,
        )
        strike_node(self._faults, kind, lambda: self._heed(run))
        return self._behaviours[kind](context, self._inputs(run, node_id))

    def _inputs(self, run: Run, node_id: str) -> dict[str, Any]:
        node = run.prompt.graph[node_id]
        known = self._catalogue.nodes[node["class_type"]].inputs
        values: dict[str, Any] = {}
        for name, value in node["inputs"].items():
            if name not in known:
                continue
            value = run.results[value[0]].values[value[1]] if is_link(value) else value
            # An absent optional link and one that carries nothing are the same to a node.
            if value is not None or known[name].required:
                values[name] = value
        return values

    def _wait(self, run: Run) -> None:
        end = time.monotonic() + self.step_s
        while (left := end - time.monotonic()) > 0:
            self._heed(run)
            time.sleep(min(SLICE_S, left))

    def _heed(self, run: Run) -> None:
        if self._queue.interrupted():
            raise Interrupted

    def _tell(self, run: Run, kind: str, data: dict[str, Any], broadcast: bool = False) -> None:
        stamp = {"timestamp": round(time.time() * 1000)}
        body = {**data, "prompt_id": run.prompt.prompt_id, **stamp}
        run.messages.append([kind, body])
        self._hub.send_to_client(kind, body, broadcast)

    def _executed(self, run: Run, node_id: str, shown: dict[str, Any] | None) -> None:
        body = {"node": node_id, "display_node": node_id, "output": shown}
        self._hub.send_to_client("executed", {**body, "prompt_id": run.prompt.prompt_id})

    def _progress(self, run: Run, node_id: str, value: float, of: float, state: str) -> None:
        run.progress[node_id] = {
            "value": value,
            "max": of,
            "state": state,
            "node_id": node_id,
            "prompt_id": run.prompt.prompt_id,
            "display_node_id": node_id,
            "parent_node_id": None,
            "real_node_id": node_id,
        }
        body = {"prompt_id": run.prompt.prompt_id, "nodes": dict(run.progress)}
        self._hub.send("progress_state", body, self._hub.client_id)

    def _preview(self, run: Run, node_id: str, shown: Image.Image) -> None:
        picture = io.BytesIO()
        shown.save(picture, "JPEG", quality=95)
        metadata = dict.fromkeys(("node_id", "display_node_id", "real_node_id"), node_id)
        more = {"prompt_id": run.prompt.prompt_id, "parent_node_id": None}
        self._hub.send_preview(picture.getvalue(), {**metadata, **more})

    def _where(self, run: Run) -> dict[str, Any]:
        kind = run.prompt.graph[run.node]["class_type"] if run.node else ""
        return {"node_id": run.node, "node_type": kind, "executed": list(run.executed)}

    def _result(self, run: Run) -> dict[str, Any]:
        outputs: dict[str, Any] = {}
        meta: dict[str, Any] = {}
        empty = run.outcome == "success" and self._faults.strike("empty_outputs") is not None
        for node_id in run.prompt.graph:
            kept = self._cache.get(run.signatures.of(node_id))
            if empty or kept is None or kept.done.shown is None:
                continue
            outputs[node_id] = kept.done.shown
            meta[node_id] = kept.shown_meta
        good = run.outcome == "success"
        status = {
            "status_str": "success" if good else "error",
            "completed": good,
            "messages": run.messages,
        }
        return {"outputs": outputs, "status": status, "meta": meta}
