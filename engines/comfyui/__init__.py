"""A typed async client of ComfyUI, usable on its own.

Owns what ComfyUI's HTTP and websocket protocol means. It imports none of the other packages
here, keeps no jobs and makes no policy.

    from contextlib import aclosing
    from pathlib import Path
    from uuid import uuid4

    from engines.comfyui import Bearer, Catalogue, ComfyClient, ComfySocket, EngineAddress, Heard
    from engines.comfyui import PromptRefused, Succeeded, SubmitUncertain, follow, missing_for

    address = EngineAddress("https://gpu-1.example", auth=Bearer("..."))
    async with ComfyClient(address) as client, ComfySocket(address, "studio-1") as socket:
        unfit = missing_for(graph, Catalogue.read(await client.object_info()))
        image = await client.upload(Path("anna.png"), name="anna.png", subfolder="animatrix")
        graph["10"]["inputs"]["image"] = image.reference
        prompt_id = str(uuid4())
        with socket.listen(prompt_id) as hint:  # before the submit, to miss nothing
            try:
                await client.submit(graph, prompt_id=prompt_id, client_id=socket.client_id)
            except SubmitUncertain:
                pass  # perhaps queued: follow finds it, or ends in Lost; never submit blindly
            updates = follow(client, prompt_id, hint=hint, deadline_s=3600)
            async with aclosing(updates):
                async for update in updates:
                    ...  # Queued, Started, Heard(message), Unreachable, Reachable, Unseen, Doubled
        match update:  # the last: Succeeded, Failed, Interrupted, Lost, Overdue or Stalled
            case Succeeded(outputs):
                with open(outputs[0].filename, "wb") as file:
                    await client.download_to(outputs[0], sink)  # await sink(chunk: bytes)

Tracing: instrument httpx in the calling process, or pass `on_request` to `ComfyClient`.
"""

from ..http.address import Basic, Bearer, EngineAddress, Timeouts
from ..http.backoff import Backoff
from ..http.transport import RequestSeen
from .catalogue import Catalogue, InputSpec, NodeClass, OutputSpec
from .client import ComfyClient, Submitted, is_canonical_uuid
from .errors import (
    EngineError,
    EngineRefused,
    EngineUnreachable,
    InputError,
    OutputMissing,
    PromptRefused,
    ProtocolError,
    RangeRefused,
    SubmitUncertain,
    UploadRefused,
)
from .follow import (
    Doubled,
    Heard,
    Pace,
    Queued,
    Reachable,
    Started,
    Unreachable,
    Unseen,
    Update,
    follow,
    wait_for_end,
)
from .matching import Missing, missing_for
from .messages import (
    Connected,
    Disconnected,
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    FeatureFlags,
    Message,
    NodeProgress,
    PreviewImage,
    Progress,
    ProgressState,
    Silent,
    SocketEvent,
    Status,
    Text,
    Unknown,
    read_binary,
    read_text,
)
from .outcome import (
    Ended,
    Failed,
    HistoryEntry,
    Interrupted,
    Lost,
    Outcome,
    Overdue,
    Record,
    Stalled,
    Succeeded,
    history_entry,
)
from .outputs import FileRef, OutputFile, files_in
from .places import Absent, InHistory, Pending, Place, QueuedPrompt, QueueSnapshot, Running
from .server import Device, Features, SystemStats
from .snapshot import CapabilitySnapshot, capture
from .socket import ComfySocket, Listener
from .transfer import ByteRange, Downloaded, Folder, Sink, UploadedFile, View

__all__ = [
    "Absent",
    "Backoff",
    "Basic",
    "Bearer",
    "ByteRange",
    "CapabilitySnapshot",
    "Catalogue",
    "ComfyClient",
    "ComfySocket",
    "Connected",
    "Device",
    "Disconnected",
    "Doubled",
    "Downloaded",
    "Ended",
    "EngineAddress",
    "EngineError",
    "EngineRefused",
    "EngineUnreachable",
    "Executed",
    "Executing",
    "ExecutionCached",
    "ExecutionError",
    "ExecutionInterrupted",
    "ExecutionStart",
    "ExecutionSuccess",
    "Failed",
    "FeatureFlags",
    "Features",
    "FileRef",
    "Folder",
    "Heard",
    "HistoryEntry",
    "InHistory",
    "InputError",
    "InputSpec",
    "Interrupted",
    "Listener",
    "Lost",
    "Message",
    "Missing",
    "NodeClass",
    "NodeProgress",
    "Outcome",
    "OutputFile",
    "OutputMissing",
    "OutputSpec",
    "Overdue",
    "Pace",
    "Pending",
    "Place",
    "PreviewImage",
    "Progress",
    "ProgressState",
    "PromptRefused",
    "ProtocolError",
    "QueueSnapshot",
    "Queued",
    "QueuedPrompt",
    "RangeRefused",
    "Reachable",
    "Record",
    "RequestSeen",
    "Running",
    "Silent",
    "Sink",
    "SocketEvent",
    "Stalled",
    "Started",
    "Status",
    "SubmitUncertain",
    "Submitted",
    "Succeeded",
    "SystemStats",
    "Text",
    "Timeouts",
    "Unknown",
    "Unreachable",
    "Unseen",
    "Update",
    "UploadRefused",
    "UploadedFile",
    "View",
    "capture",
    "files_in",
    "follow",
    "history_entry",
    "is_canonical_uuid",
    "missing_for",
    "read_binary",
    "read_text",
    "wait_for_end",
]
